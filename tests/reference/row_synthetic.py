"""Made-up data beside real data: the same baselines and the same counts on both.

``all``: ml-100k, and as many made-up users, items and events (943, 1,682, 106 each). ``part``: 500
users and 600 items of ml-100k at random, without those of fewer than five events, and what
quickstart makes up (500, 600, 40 each). HR@10 is that of the latest event of each user among 99
items that the user never had, baselines are set on validation. ``gini`` is that of the events of
items, ``top`` the share of the tenth of items that has most of them.

``places``: foursquare-nyc, and as many made-up people, places and check-ins. HR@10 is that of all
places; ``returns`` is the share of the latest tenth of a user's check-ins that go where the user
was before.

``less`` lines are what the made-up data have more than the real ones; a generator that is near
stays within their bars.
"""

from typing import TYPE_CHECKING

import numpy as np

from tests.reference.row import Bar, Line

if TYPE_CHECKING:
    from droidloop.models.data.interactions import Interactions
    from droidloop.platform.draws import Draws
    from tests.reference.foursquare import City

DATA = "ml-100k, foursquare-nyc"
NAME = "synthetic"
SOURCES = ("real", "made")
MODELS = ("popularity", "itemknn", "ease", "ials", "mf")
COUNTS = {
    "gini": "Gini of items",
    "top": "share of the top tenth",
    "mean": "events a user",
    "median": "events, median user",
    "p90": "events, 90th percentile",
}
VISITED = ("popularity", "visits", "visits-by-hour", "visits-then-near", "popular-near")
NEAR, NEAR_SHARE = Bar(-0.05, 0.05), Bar(-0.05, 0.05)
WITHIN = {"gini": NEAR_SHARE, "top": NEAR_SHARE}
FAR = {"popular-near": "people go back to a place wherever they were before"}
DIM = 32


def _lines() -> dict[str, Line]:
    lines: dict[str, Line] = {}
    for size in ("all", "part"):
        for source in SOURCES:
            lines |= {
                f"{NAME}-{size}-{source}-{model}": Line(f"{size}, {source}, {model}", "HR@10")
                for model in MODELS
            }
            lines |= {
                f"{NAME}-{size}-{source}-{count}": Line(f"{size}, {source}", shown)
                for count, shown in COUNTS.items()
            }
        lines |= {
            f"{NAME}-{size}-less-{one}": Line(f"{size}, made less real, {one}", "difference", NEAR)
            for one in (*MODELS, *WITHIN)
        }
        lines[f"{NAME}-{size}-real-lead"] = Line(f"{size}, real", "EASE less ItemKNN")
        lines[f"{NAME}-{size}-made-lead"] = Line(f"{size}, made", "EASE less ItemKNN")
    for source in SOURCES:
        lines |= {
            f"{NAME}-places-{source}-{one}": Line(f"places, {source}, {one}", "all HR@10")
            for one in VISITED
        }
        lines |= {
            f"{NAME}-places-{source}-returns": Line(f"places, {source}", "share of returns"),
            f"{NAME}-places-{source}-mean": Line(f"places, {source}", "check-ins a user"),
            f"{NAME}-places-{source}-own": Line(f"places, {source}", "places a user"),
        }
    lines |= {
        f"{NAME}-places-less-{one}": Line(
            *(f"places, made less real, {one}", "difference", NEAR), because=FAR.get(one, "")
        )
        for one in (*VISITED, "returns")
    }
    return lines


LINES = _lines()


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed."""
    from droidloop.models.data.readers import load
    from droidloop.models.data.synthetic import generate
    from droidloop.platform.draws import Draws
    from tests.reference.foursquare import city
    from tests.reference.movielens import folder, implicit

    draws, values = Draws(seed, "synthetic"), dict[str, float]()
    every = implicit(load(folder("ml-100k")))
    mean = len(every) / every.n_users
    pairs = {
        "all": (every, generate(every.n_users, every.n_items, mean, draws)),
        "part": (part_of(every, 500, 600, draws), generate(500, 600, 40, draws)),
    }
    for size, sources in pairs.items():
        for source, data in zip(SOURCES, sources, strict=True):
            found = {**counts_of(data), **hits_of(data, seed)}
            values |= {f"{NAME}-{size}-{source}-{one}": value for one, value in found.items()}
            lead = found["ease"] - found["itemknn"]
            values[f"{NAME}-{size}-{source}-lead"] = lead
    for source, town in (("real", city()), ("made", made_city(seed))):
        values |= {f"{NAME}-places-{source}-{one}": value for one, value in visits_of(town).items()}
    return values | {
        line: values[line.replace("-less-", "-made-")] - values[line.replace("-less-", "-real-")]
        for line in LINES
        if "-less-" in line
    }


def part_of(every: "Interactions", users: int, items: int, draws: "Draws") -> "Interactions":
    """Return what *users* and *items* at random have to do with one another."""
    chosen = draws.child("users").choose(np.arange(every.n_users), users, 0)
    among = draws.child("items").choose(np.arange(every.n_items), items, 0)
    kept = np.isin(every.users, chosen) & np.isin(every.items, among)
    enough = np.bincount(every.users[kept], minlength=every.n_users) >= 5
    kept &= enough[every.users]
    return renumbered(every.keep(kept))


def renumbered(data: "Interactions") -> "Interactions":
    """Return *data* with users and items without events left out."""
    from droidloop.models.data.interactions import Interactions

    users, user = np.unique(data.users, return_inverse=True)
    items, item = np.unique(data.items, return_inverse=True)
    return Interactions(
        *(user, item, data.ratings, data.times_s),
        *(data.user_labels[users], data.item_labels[items]),
    )


def counts_of(data: "Interactions") -> dict[str, float]:
    """Return what is counted of events by item and by user."""
    from droidloop.models.metrics.gini import gini_of

    by_item = np.sort(np.bincount(data.items, minlength=data.n_items))[::-1]
    by_user = np.bincount(data.users, minlength=data.n_users)
    return {
        "gini": gini_of(by_item),
        "top": float(by_item[: len(by_item) // 10].sum() / by_item.sum()),
        "mean": float(by_user.mean()),
        "median": float(np.median(by_user)),
        "p90": float(np.quantile(by_user, 0.9)),
    }


def hits_of(data: "Interactions", seed: int) -> dict[str, float]:
    """Return HR@10 of each baseline; the settings are those that validate best."""
    from types import SimpleNamespace
    from typing import Any, cast

    from droidloop.models.data.split import leave_one_out
    from droidloop.models.evaluation.candidates import exclusions, sample_candidates
    from droidloop.models.evaluation.evaluate import evaluate
    from droidloop.models.evaluation.evaluator import ModelScorer
    from droidloop.models.fitting.baselines import SIMPLE, STRENGTHS
    from droidloop.models.fitting.fit import fit
    from droidloop.models.fitting.train_centrally import CENTRAL
    from droidloop.models.interfaces.learning import Params, init_all
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.draws import Draws

    draws, split = Draws(seed, "judge"), leave_one_out(data)
    candidates = sample_candidates(split, draws.child("candidates"))
    exclude = exclusions(split, "clean")

    def hits(scorer: Any, part: str) -> float:
        found = evaluate(scorer.some, split, candidates, part=cast(Any, part))
        return float(np.nanmean(found.values["hr_at_10"]))

    def centrally() -> Any:
        for l2 in STRENGTHS:
            model = MF(split.n_items, DIM, l2=l2)

            def quality(params: Params, model: MF = model) -> float:
                return hits(ModelScorer(model, params), "valid")

            params = fit(
                *(model, init_all(model, draws, split.n_users), split.train, CENTRAL),
                n_items=split.n_items,
                exclude=exclude,
                draws=draws,
                engine="numba",
                validate=quality,
            )
            yield {}, ModelScorer(model, params)

    task = cast(Any, SimpleNamespace(split=split, central=draws))
    tried = {name: SIMPLE[name](task, DIM) for name in MODELS[:-1]} | {"mf": centrally()}
    return {
        name: hits(max((one for _, one in each), key=lambda one: hits(one, "valid")), "test")
        for name, each in tried.items()
    }


def made_city(seed: int) -> "City":
    """Return made-up check-ins of the size of foursquare-nyc, split as these are."""
    from droidloop.models.data.interactions import by_user
    from droidloop.models.data.places import counted
    from droidloop.models.data.samples import TEST, TRAIN, VALID, parts
    from droidloop.models.data.synthetic_check_ins import generate_check_ins
    from droidloop.platform.draws import Draws
    from tests.reference.foursquare import City, asked_of, city

    real = city()
    visits = (len(real.train.items) / 0.8) / real.n_users
    made, places = generate_check_ins(
        real.n_users, len(real.places.latitude), visits, Draws(seed, "city")
    )
    events = by_user(made)
    part = parts(events.counts)
    train = events.keep(part == TRAIN)
    asked = {"valid": asked_of(events, part == VALID), "test": asked_of(events, part == TEST)}
    return City(counted(places, train), train, asked)


def visits_of(data: "City") -> dict[str, float]:
    """Return HR@10 among all places of each baseline, and what is counted of visits."""
    from droidloop.models.data.interactions import union
    from tests.reference.foursquare import baselines, means

    found = {name: means(each) for name, each in baselines(data, VISITED).items()}
    asked = data.parts["test"]
    before = union(asked.history)
    back = [place in before.of(row) for row, place in enumerate(asked.items.tolist())]
    return {name: each["all HR@10"] for name, each in found.items()} | {
        "returns": float(np.mean(back)),
        "mean": float(data.train.counts.mean() / 0.8),
        "own": float(union(data.train).counts.mean()),
    }
