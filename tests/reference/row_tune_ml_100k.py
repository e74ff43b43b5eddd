"""Fine-tuning on ml-100k: what a phone gains alone over the cloud model, by its number of events.

S52 trains all that a phone holds, S53 its user's vector alone. The cloud has trained on the older
half of every user's events; a phone goes on with all of its user's training events. Test HR@10
among 99 candidates, less that of the cloud model, for the third of the users with the fewest and
for that with the most events; after 1 and after 12 turns, so that over-fitting shows as a fall.
"""

from typing import TYPE_CHECKING

from tests.reference.movielens import ml_100k
from tests.reference.row import Bar, Line, at_least

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems

DATA = "ml-100k"
NAME = "tune-ml-100k"
PARTS = {"all": 0.02, "user": 0.0}
"""The step of item rows by what is trained."""
AFTER, LR, DIM = (1, 12), 0.02, 32
LINES = {f"{NAME}-cloud": Line("clean, cloud model", "HR@10")} | {
    f"{NAME}-{part}-{group}-{turns}": Line(f"clean, {group} events, {turns} turns", "HR@10 more")
    for part in PARTS
    for group in ("few", "many")
    for turns in AFTER
}
LINES |= {
    f"{NAME}-all-many-{AFTER[-1]}": Line("clean, many events, 12 turns", "HR@10 more", at_least(0)),
    f"{NAME}-user-few-less-all": Line("clean, few events, 12 turns", "HR@10 more", at_least(0)),
    f"{NAME}-user-share": Line("of a phone's numbers", "trained", Bar(0, 1 / 1600)),
    f"{NAME}-user-frozen": Line("item rows of all phones", "bytes changed", Bar(0, 0)),
}


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed."""
    import numpy as np

    from droidloop.models.evaluation.candidates import exclusions, sample_candidates
    from droidloop.models.evaluation.evaluate import evaluate
    from droidloop.models.evaluation.evaluator import ModelScorer, OwnTablesScorer
    from droidloop.models.fitting.fit import Hyperparameters, fit
    from droidloop.models.interfaces.learning import init_all
    from droidloop.models.local.sgd import Sgd
    from droidloop.models.peer.gossip_mf import GossipMF, store_from
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.draws import Draws

    split, draws = ml_100k(), Draws(seed, "tune")
    exclude = exclusions(split, "clean")
    candidates = sample_candidates(split, draws.child("candidates"))
    phones, n, mf = np.arange(split.n_users), split.n_items, MF(split.n_items, DIM)

    def hits(scorer: ModelScorer | OwnTablesScorer, part: str) -> np.ndarray:
        values = evaluate(
            scorer.some, split, candidates, part="test" if part == "test" else "valid"
        )
        return values.values["hr_at_10"]

    cloud = fit(
        *(mf, init_all(mf, draws, len(phones)), older_half(split.train)),
        Hyperparameters(epochs=60, lr=0.01, batch=2048, negatives=4, patience=5),
        n_items=n,
        exclude=exclude,
        draws=draws,
        engine="numba",
        validate=lambda params: float(hits(ModelScorer(mf, params), "valid").mean()),
    )
    base = hits(ModelScorer(mf, cloud), "test")
    thirds = np.argsort(np.argsort(split.train.counts, kind="stable")) * 3 // len(phones)
    values, item = {f"{NAME}-cloud": float(base.mean())}, mf.items.name
    for part, step in PARTS.items():
        users = cloud["user"].numpy()
        store = store_from(mf, cloud, users.__getitem__, len(phones))
        rule = GossipMF(mf, Sgd(LR, step), exclude=exclude, updates="once", threads=1)
        for turn in range(AFTER[-1]):
            rule.learn(phones, None, store, split.train, turn, draws.child("turns"))
            if turn + 1 in AFTER:
                now = store.columns
                gain = hits(OwnTablesScorer(now["user"], now[item]), "test") - base
                for group, third in (("few", 0), ("many", 2)):
                    values[f"{NAME}-{part}-{group}-{turn + 1}"] = gain[thirds == third].mean()
    few = (values[f"{NAME}-{part}-few-{AFTER[-1]}"] for part in ("user", "all"))
    frozen = store.columns[item].view(np.uint32) != cloud[item].numpy().view(np.uint32)
    return values | {
        f"{NAME}-user-few-less-all": next(few) - next(few),
        f"{NAME}-user-share": DIM / (DIM * (n + 1)),
        f"{NAME}-user-frozen": 4.0 * np.count_nonzero(frozen),
    }


def older_half(train: "UserItems") -> "UserItems":
    """Return the older half of each user's events, rounded up."""
    import numpy as np

    from droidloop.models.data.interactions import UserItems

    counts = (train.counts + 1) // 2
    offsets = np.concatenate([[0], np.cumsum(counts)])
    where = np.repeat(train.offsets[:-1] - offsets[:-1], counts) + np.arange(offsets[-1])
    return UserItems(train.items[where], offsets, train.times_s[where], train.ratings[where])
