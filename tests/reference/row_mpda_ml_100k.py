"""MPDA with DIN on ml-100k: AUC by user against the cloud model and against tuning alone.

The samples are those of the row din-ml-100k: what a user rated next, from an item that the user
never rated. The cloud trains DIN, without a vector of the user, on the oldest 80 % of each user's
events; a phone has those and the next 10 %, of which the latest ninth of what it has judges pools
(for its own samples it draws items that are none of its events so far); AUC is on the latest 10 %.
In one turn a phone is offered ten pools of up to 200 samples, each of one other user: the most
similar ones by what they had and did not (``similar``), or users at random (``random``). The
settings are those that were best in AUC by user on the validation part, with seed 11. ``error`` is
the standard error over users of a difference.
"""

from tests.reference.adaptation import next_ml_100k
from tests.reference.row import Line, at_least

DATA = "ml-100k"
NAME = "mpda-ml-100k"
POOLS, SIZE, LENGTH, RATE, EPOCHS = 10, 200, 20, 0.03, 2
LINES = {
    f"{NAME}-{who}": Line(f"next, {who}", "AUC by user")
    for who in ("cloud", "local", "similar", "random")
} | {f"{NAME}-{who}-kept": Line(f"next, {who}", "share kept") for who in ("similar", "random")}
LINES |= {
    f"{NAME}-over-{who}": Line(f"next, similar less {who}", "AUC more", at_least(0.0))
    for who in ("cloud", "local", "random")
} | {
    f"{NAME}-over-{who}-error": Line(f"next, similar less {who}", "error over users")
    for who in ("cloud", "local", "random")
}


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed."""
    import numpy as np

    from droidloop.models.fitting.fit_din import train_din
    from droidloop.models.interfaces.metrics import Rated
    from droidloop.models.local.din_sgd import network_scores, networks_of, readings_of
    from droidloop.models.metrics.auc import aucs as aucs_of
    from droidloop.models.recommenders.din import DIN
    from droidloop.models.tuning.mpda_pools import propose, similar_users, tastes_of
    from droidloop.models.tuning.mpda_rule import MPDA, mpda_store
    from droidloop.platform.draws import Draws

    data, draws = next_ml_100k(LENGTH, Draws(seed, "never had")), Draws(seed, "mpda")
    din = DIN(data.n_items, data.fields, length=LENGTH, personal=False)
    cloud = train_din(
        din, data.train, data.valid, draws, epochs=20, lr=0.005, decay=1e-5, patience=3
    )
    phones, test = np.arange(data.local.n_users), data.test
    readings = readings_of(din, cloud, test.items, test.history)

    def by_user(networks: np.ndarray) -> np.ndarray:
        scores = network_scores(networks, readings, test)
        found = aucs_of(Rated(test.labels, scores, test.offsets))
        return found[~np.isnan(found)]

    values, aucs = {}, {"cloud": by_user(networks_of(din, cloud, len(phones)))}
    near = similar_users(tastes_of(din, cloud, data.train), POOLS)
    far = [draws.child("any").choose(phones[phones != k], POOLS, k) for k in phones.tolist()]
    for who, donors in (("local", None), ("similar", near), ("random", np.stack(far))):
        rule = MPDA(
            din, cloud, rate=RATE, epochs=EPOCHS, held_share=1 / 9, samples="next", threads=1
        )
        store, inbox = mpda_store(din, cloud, len(phones)), None
        if donors is not None:
            inbox = propose(data.train, phones, donors, SIZE, draws.child("pools"))
        rule.learn(phones, inbox, store, data.local, 0, draws.child("turns"))
        aucs[who] = by_user(store.columns["network"])
        if donors is not None:
            kept = store.columns["kept"].sum() / store.columns["offered"].sum()
            values[f"{NAME}-{who}-kept"] = float(kept)
    for who, each in aucs.items():
        values[f"{NAME}-{who}"] = float(each.mean())
        if who != "similar":
            more = aucs["similar"] - each
            values[f"{NAME}-over-{who}"] = float(more.mean())
            values[f"{NAME}-over-{who}-error"] = float(more.std(ddof=1) / len(more) ** 0.5)
    return values
