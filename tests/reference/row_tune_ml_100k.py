"""Fine-tuning on ml-100k: what a phone gains alone over the cloud's model, by its number of events.

S52 trains all that a phone holds (``all``), S53 its user's vector alone (``user``). Cloud and phone
have the same history: the cloud has trained on every user's training events, a phone goes on with
those of its own user. ``alone`` is a phone that learns from these events alone, from random values,
all that it holds. The cloud keeps its best epoch. HR@10 is that of the test item among 99 others;
``few`` and ``many`` are the thirds of users with the fewest events and with the most. After
``LATE`` turns over-fitting shows as a fall.

One measurement holds three seeds: a difference has the 95 % interval that pools users and seeds, as
in ``foursquare.py``. ``works`` is 1 where tuning all gains over the cloud for users with many
events, over phones alone for everybody, and over-fits users with few events, by the low ends.
"""

from typing import TYPE_CHECKING

import numpy as np

from tests.reference.movielens import ml_100k
from tests.reference.row import Bar, Line

if TYPE_CHECKING:
    from droidloop.models.data.split import Part

DATA, NAME = "ml-100k", "tune-ml-100k"
SEEDS = (1,)
"""The first of three."""
DIM, LATE = 32, 24
HOW = {"all": (0.01, 0.01, 2), "user": (0.01, 0.0, 2), "alone": (0.1, 0.1, 12)}
"""The steps of a user's vector and of item rows, and the turns, of each way.

Not chosen on validation yet: nothing is claimed from this row.
"""
GROUPS = ("every", "few", "many")
PAIRS = (
    *(("all", "cloud"), ("user", "cloud"), ("all", "alone"), ("all-late", "all")),
    ("user-late", "user"),
)
MODELS = ("cloud", "alone", "all", "user", "all-late", "user-late")
ENDS = (("", "more"), ("-low", "more, low end"), ("-high", "more, high end"))
LINES = {f"{NAME}-{model}": Line(f"clean, {model}", "HR@10") for model in MODELS} | {
    f"{NAME}-{one}-over-{other}-{group}{end}": Line(f"clean, {group} users", f"HR@10 {shown}")
    for one, other in PAIRS
    for group in GROUPS
    for end, shown in ENDS
}
LINES |= {
    f"{NAME}-works": Line("1: works here", "verdict"),
    f"{NAME}-user-share": Line("of a phone's numbers", "trained", Bar(0, 1 / 1600)),
    f"{NAME}-user-frozen": Line("item rows of all phones", "bytes changed", Bar(0, 0)),
}


def measure(seed: int) -> dict[str, float]:
    """Return the figures of seeds *seed* to *seed* + 2."""
    from tests.reference.foursquare import pooled

    runs = [one_seed(number) for number in range(seed, seed + 3)]
    found, thirds = [hits for hits, _ in runs], by_events()
    values = {f"{NAME}-{model}": float(np.mean([one[model] for one in found])) for model in MODELS}
    for one, other in PAIRS:
        for group, third in (("every", thirds >= 0), ("few", thirds == 0), ("many", thirds == 2)):
            ours, theirs = (
                [{"HR": np.where(third, hits[model], np.nan)} for hits in found]
                for model in (one, other)
            )
            more = pooled(ours, theirs, "HR")
            line = f"{NAME}-{one}-over-{other}-{group}"
            values |= {line: more["mean"], f"{line}-low": more["low"], f"{line}-high": more["high"]}
    works = values[f"{NAME}-all-over-cloud-many-low"] > 0
    works &= values[f"{NAME}-all-over-alone-every-low"] > 0
    works &= values[f"{NAME}-all-late-over-all-few-high"] < 0
    return values | {
        f"{NAME}-works": float(works),
        f"{NAME}-user-share": DIM / (DIM * (ml_100k().n_items + 1)),
        f"{NAME}-user-frozen": float(max(changed for _, changed in runs)),
    }


def by_events() -> np.ndarray:
    """Return the third of each user by the number of training events: 0, 1, 2."""
    counts = ml_100k().train.counts
    return np.argsort(np.argsort(counts, kind="stable")) * 3 // len(counts)


def one_seed(seed: int, part: "Part" = "test") -> tuple[dict[str, np.ndarray], int]:
    """Return HR@10 of each user by model, and the bytes of item rows that ``user`` changed."""
    from droidloop.models.evaluation.candidates import exclusions, sample_candidates
    from droidloop.models.evaluation.evaluate import evaluate
    from droidloop.models.evaluation.evaluator import ModelScorer, OwnTablesScorer
    from droidloop.models.fitting.fit import Hyperparameters, fit
    from droidloop.models.interfaces.learning import init_all
    from droidloop.models.local.sgd import Sgd
    from droidloop.models.peer.gossip_mf import GossipMF, gossip_store, store_from
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.draws import Draws

    split, draws = ml_100k(), Draws(seed, "tune")
    exclude = exclusions(split, "clean")
    candidates = sample_candidates(split, draws.child("candidates"))
    phones, mf = np.arange(split.n_users), MF(split.n_items, DIM)

    def hits(scorer: ModelScorer | OwnTablesScorer, part: "Part") -> np.ndarray:
        return evaluate(scorer.some, split, candidates, part=part).values["hr_at_10"]

    cloud = fit(
        *(mf, init_all(mf, draws, len(phones)), split.train),
        Hyperparameters(epochs=60, lr=0.01, batch=2048, negatives=4, patience=5),
        n_items=split.n_items,
        exclude=exclude,
        draws=draws,
        engine="numba",
        validate=lambda params: float(hits(ModelScorer(mf, params), "valid").mean()),
    )
    found, item, changed = {"cloud": hits(ModelScorer(mf, cloud), part)}, mf.items.name, 0
    for way, (step, item_step, turns) in HOW.items():
        if way == "alone":
            store = gossip_store(mf, draws.child("alone"), len(phones))
        else:
            store = store_from(mf, cloud, cloud["user"].numpy().__getitem__, len(phones))
        rule = GossipMF(mf, Sgd(step, item_step), exclude=exclude, updates="once", threads=1)
        for turn in range(turns if way == "alone" else LATE):
            rule.learn(phones, None, store, split.train, turn, draws.child("turns"))
            name = {turns: way, LATE: f"{way}-late"}.get(turn + 1)
            if name is not None:
                now = store.columns
                found[name] = hits(OwnTablesScorer(now["user"], now[item]), part)
        if way == "user":
            moved = store.columns[item].view(np.uint32) != cloud[item].numpy().view(np.uint32)
            changed = 4 * int(np.count_nonzero(moved))
    return found, changed
