"""MPDA with DIN on ml-100k: AUC by user against the cloud's model and against tuning alone.

The samples are those of the row din-ml-100k: what a user rated next, from an item that the user
never rated. The cloud trains DIN, without a vector of the user, on the oldest 80 % of each user's
events, and a phone has the same 80 % of its own (for its own samples it draws items that are none
of these events); AUC is on the latest 10 %. In one turn a phone is offered ten pools of up to 200
samples, each of one other user: the most similar ones by what they had and did not (``similar``),
or users at random (``random``), and judges them by the latest eighth of its events. ``held`` tunes
without pools but judges itself so too; ``alone`` tunes on all its events and keeps what comes of
it, with the step and the passes that are best in AUC by user on validation, of each seed. The
other settings are those that were best there with seed 11.

One measurement holds three seeds: a difference has the 95 % interval that pools users and seeds, as
in ``foursquare.py``. ``works`` is 1 where MPDA is ahead of the cloud, of ``alone`` and of
``random`` by the low end.
"""

import numpy as np

from tests.reference.adaptation import next_ml_100k
from tests.reference.row import Line

DATA, NAME = "ml-100k", "mpda-ml-100k"
SEEDS = (1,)
"""The first of three."""
POOLS, SIZE, LENGTH, RATE, EPOCHS, HELD = 10, 200, 20, 0.03, 2, 1 / 8
ALONE = ((0.003, 2), (0.01, 2), (0.03, 2), (0.01, 4))
"""Steps and passes that are tried for ``alone``."""
OTHERS = ("cloud", "alone", "held", "random")
RIVALS = ("cloud", "alone", "random")
LINES = {f"{NAME}-{who}": Line(f"next, {who}", "AUC by user") for who in (*OTHERS, "similar")}
LINES |= {f"{NAME}-{who}-kept": Line(f"next, {who}", "share kept") for who in ("similar", "random")}
LINES |= {
    f"{NAME}-over-{who}{end}": Line(f"next, similar less {who}", f"AUC {shown}")
    for who in OTHERS
    for end, shown in (("", "more"), ("-low", "more, low end"), ("-high", "more, high end"))
} | {f"{NAME}-works": Line("1: works here", "verdict")}


def measure(seed: int) -> dict[str, float]:
    """Return the figures of seeds *seed* to *seed* + 2."""
    from tests.reference.foursquare import pooled

    runs = [one_seed(number) for number in range(seed, seed + 3)]
    found = [aucs for aucs, _ in runs]
    values: dict[str, float] = {}
    for who in found[0]:
        means = [float(one[who][~np.isnan(one[who])].mean()) for one in found]
        values[f"{NAME}-{who}"] = sum(means) / len(means)
    for who in ("similar", "random"):
        values[f"{NAME}-{who}-kept"] = sum(kept[who] for _, kept in runs) / len(runs)
    for who in OTHERS:
        ours, theirs = ([{"AUC": one[each]} for one in found] for each in ("similar", who))
        more = pooled(ours, theirs, "AUC")
        line = f"{NAME}-over-{who}"
        values |= {line: more["mean"], f"{line}-low": more["low"], f"{line}-high": more["high"]}
    works = all(values[f"{NAME}-over-{who}-low"] > 0 for who in RIVALS)
    return values | {f"{NAME}-works": float(works)}


def one_seed(seed: int) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return AUC of each user by what was done, NaN where there is none, and the shares kept."""
    from droidloop.models.data.samples import Samples
    from droidloop.models.fitting.fit_din import train_din
    from droidloop.models.interfaces.metrics import Rated
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.models.local.din_sgd import network_scores, networks_of, readings_of
    from droidloop.models.metrics.auc import aucs as aucs_of
    from droidloop.models.recommenders.din import DIN
    from droidloop.models.tuning.mpda_pools import propose, similar_users, tastes_of
    from droidloop.models.tuning.mpda_rule import MPDA, mpda_store
    from droidloop.platform.draws import Draws
    from droidloop.platform.messages import Messages

    data, draws = next_ml_100k(LENGTH, Draws(seed, "never had")), Draws(seed, "mpda")
    din = DIN(data.n_items, data.fields, length=LENGTH, personal=False)
    cloud = train_din(
        din, data.train, data.valid, draws, epochs=20, lr=0.005, decay=1e-5, patience=3
    )
    phones = np.arange(data.local.n_users)

    def by_user(networks: np.ndarray, asked: Samples) -> np.ndarray:
        readings = readings_of(din, cloud, asked.items, asked.history)
        scores = network_scores(networks, readings, asked)
        return aucs_of(Rated(asked.labels, scores, asked.offsets))

    def tuned(rate: float, passes: int, held: float, inbox: Messages | None = None) -> PrivateStore:
        rule = MPDA(*(din, cloud, rate, passes), held_share=held, samples="next", threads=1)
        store = mpda_store(din, cloud, len(phones))
        rule.learn(phones, inbox, store, data.local, 0, draws.child("turns"))
        return store

    every = [tuned(rate, passes, 0.0).columns["network"] for rate, passes in ALONE]
    alone = max(every, key=lambda networks: np.nanmean(by_user(networks, data.valid)))
    found = {"cloud": networks_of(din, cloud, len(phones)), "alone": alone}
    found["held"] = tuned(RATE, EPOCHS, HELD).columns["network"]
    near = similar_users(tastes_of(din, cloud, data.train), POOLS)
    far = [draws.child("any").choose(phones[phones != k], POOLS, k) for k in phones.tolist()]
    kept = {}
    for who, donors in (("similar", near), ("random", np.stack(far))):
        inbox = propose(data.train, phones, donors, SIZE, draws.child("pools"))
        columns = tuned(RATE, EPOCHS, HELD, inbox).columns
        found[who], kept[who] = columns["network"], columns["kept"].sum() / columns["offered"].sum()
    return {who: by_user(networks, data.test) for who, networks in found.items()}, kept
