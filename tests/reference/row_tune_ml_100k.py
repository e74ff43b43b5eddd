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
    from collections.abc import Iterator

    from droidloop.models.data.split import Part
    from droidloop.models.evaluation.evaluator import ModelScorer, OwnTablesScorer
    from droidloop.models.interfaces.learning import Params
    from droidloop.models.interfaces.store import PrivateStore

    Scorer = ModelScorer | OwnTablesScorer

DATA, NAME = "ml-100k", "tune-ml-100k"
SEEDS = (1,)
"""The first of three."""
DIM, LATE = 32, 24
HOW = {"all": (0.003, 0.003, 4), "user": (0.003, 0.0, 4), "alone": (0.1, 0.1, 6)}
"""The steps of a user's vector and of item rows, and the turns, of each way: see ``tried``."""
TRIED = {
    "all": ((0.003, 0.01, 0.03, 0.1), (1, 2, 4, 8)),
    "user": ((0.003, 0.01, 0.03, 0.1), (1, 2, 4, 8)),
    "alone": ((0.03, 0.1, 0.3), (6, 12, 24, 48)),
}
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


def one_seed(seed: int) -> tuple[dict[str, np.ndarray], int]:
    """Return HR@10 of each user by model, and the bytes of item rows that ``user`` changed."""
    bench = Bench(seed)
    found, changed = {"cloud": bench.hits(bench.scorer(), "test")}, 0
    for way, (step, item_step, turns) in HOW.items():
        late = turns if way == "alone" else LATE
        for turn, store in bench.turns(way, step, item_step, late):
            name = {turns: way, LATE: f"{way}-late"}.get(turn)
            if name is not None:
                found[name] = bench.hits(bench.own(store), "test")
            if way == "user" and turn == LATE:
                item = bench.model.items.name
                now, then = store.columns[item], bench.cloud[item].numpy()
                changed = 4 * int(np.count_nonzero(now.view(np.uint32) != then.view(np.uint32)))
    return found, changed


def tried(seeds: tuple[int, ...] = (11, 12, 13)) -> "Iterator[tuple[str, float, int, float]]":
    """Yield a way, step and number of turns with its HR@10 on validation; it chose ``HOW``."""
    for way, (steps, turns) in TRIED.items():
        for step in steps:
            found = []
            for seed in seeds:
                bench = Bench(seed)
                each = bench.turns(way, step, 0.0 if way == "user" else step, max(turns))
                found.append(
                    [bench.hits(bench.own(s), "valid").mean() for t, s in each if t in turns]
                )
            for turn, hits in zip(turns, np.mean(found, axis=0).tolist(), strict=True):
                yield way, step, turn, hits


class Bench:
    """The cloud's model of one seed, and phones that go on from it."""

    def __init__(self, seed: int) -> None:
        from droidloop.models.evaluation.candidates import exclusions, sample_candidates
        from droidloop.models.fitting.fit import Hyperparameters, fit
        from droidloop.models.interfaces.learning import init_all
        from droidloop.models.recommenders.mf import MF
        from droidloop.platform.draws import Draws

        self.split, self.draws = ml_100k(), Draws(seed, "tune")
        self.exclude = exclusions(self.split, "clean")
        self.candidates = sample_candidates(self.split, self.draws.child("candidates"))
        self.phones, self.model = np.arange(self.split.n_users), MF(self.split.n_items, DIM)
        self.cloud = init_all(self.model, self.draws, len(self.phones))
        self.cloud = fit(
            *(self.model, self.cloud, self.split.train),
            Hyperparameters(epochs=60, lr=0.01, batch=2048, negatives=4, patience=5),
            n_items=self.split.n_items,
            exclude=self.exclude,
            draws=self.draws,
            engine="numba",
            validate=lambda params: float(self.hits(self.scorer(params), "valid").mean()),
        )

    def hits(self, scorer: "Scorer", part: "Part") -> np.ndarray:
        """Return HR@10 of each user."""
        from droidloop.models.evaluation.evaluate import evaluate

        return evaluate(scorer.some, self.split, self.candidates, part=part).values["hr_at_10"]

    def scorer(self, params: "Params | None" = None) -> "Scorer":
        """Return what scores by the parameters, or by the cloud's."""
        from droidloop.models.evaluation.evaluator import ModelScorer

        return ModelScorer(self.model, self.cloud if params is None else params)

    def own(self, store: "PrivateStore") -> "Scorer":
        """Return what scores by each phone's own table."""
        from droidloop.models.evaluation.evaluator import OwnTablesScorer

        return OwnTablesScorer(store.columns["user"], store.columns[self.model.items.name])

    def turns(
        self, way: str, step: float, item_step: float, last: int
    ) -> "Iterator[tuple[int, PrivateStore]]":
        """Train on the phones; yield what they hold after each turn, from the first on."""
        from droidloop.models.local.sgd import Sgd
        from droidloop.models.peer.gossip_mf import GossipMF, gossip_store, store_from

        if way == "alone":
            store = gossip_store(self.model, self.draws.child("alone"), len(self.phones))
        else:
            users = self.cloud["user"].numpy().__getitem__
            store = store_from(self.model, self.cloud, users, len(self.phones))
        sgd = Sgd(step, item_step)
        rule = GossipMF(self.model, sgd, exclude=self.exclude, updates="once", threads=1)
        for turn in range(last):
            rule.learn(self.phones, None, store, self.split.train, turn, self.draws.child("turns"))
            yield turn + 1, store


if __name__ == "__main__":
    for line in tried():
        print(*line, flush=True)
