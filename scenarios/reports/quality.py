"""How good a run's models are: means with intervals, by who took part, beside the baselines."""

from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray
from droidloop.platform.intervals import interval
from droidloop.platform.jobs import ENERGY_PARTS, Kind, Outcome
from droidloop.platform.ledger import Rows, texts
from droidloop.platform.units import joules

from .measured import metrics_of

GROUPS = ("took part", "got the model", "neither")
"""Phones that had learned, others that hold the model nevertheless, and those without either."""


def quality_of(facts: dict[str, Any], metric: str, **where: str) -> float | None:
    """Return the value of *metric* for a group of phones; None where there is none.

    *where* tells the model (the trained one), the part (test) and the ranking (sampled).
    """
    found = record_of(facts, metric, **where)
    return None if found is None else float(found["value"])


def record_of(facts: dict[str, Any], metric: str, **where: str) -> dict[str, Any] | None:
    """Return that value with half of its 95 % interval over users; see ``quality_of``."""
    wanted = {"model": "trained", "part": "test", "ranking": "sampled"} | where
    for one in facts["quality"]:
        if one["figure"] == metric and all(one[key] == word for key, word in wanted.items()):
            return dict(one)
    return None


def qualities(metrics: Rows) -> list[dict[str, Any]]:
    """Return the mean over users of each metric with its interval, by model, part and ranking."""
    keys = ["model", "part", "ranking", "name"]
    kinds, mine = np.unique(metrics[keys], return_inverse=True)
    return [
        dict(zip((*keys[:3], "figure"), texts(np.array(list(kind))), strict=True))
        | _mean(metrics["value"][mine == number])
        for number, kind in enumerate(kinds.tolist())
    ]


def _mean(values: FloatArray) -> dict[str, Any]:
    """Return the mean of *values*, half the width of its interval (None: of one), and how many."""
    mean, half = interval(values)
    return {"value": mean, "half_width": None if np.isnan(half) else half, "n": len(values)}


def by_group(metrics: Rows, jobs: Rows, devices: Rows) -> dict[str, dict[str, Any]]:
    """Return the quality for those who took part and those who did not, where there are both."""
    everybody, deliver = devices["phone"], jobs[jobs["kind"] == Kind.DELIVER]
    got = np.isin(everybody, deliver["phone"][deliver["outcome"] == Outcome.DONE])
    took = devices["took_part"]
    masks = dict(zip(GROUPS, (took, ~took & got, ~(took | got)), strict=True))
    if not took.any():  # an older run does not say
        return {}
    return {
        name: {
            "quality": qualities(metrics[np.isin(metrics["phone"], everybody[mask])]),
            "phones": {"total": int(mask.sum())},
        }
        for name, mask in masks.items()
        if mask.any()
    }


def asked(jobs: Rows) -> dict[str, float]:
    """Return how many phones computed a list, and what model and lists took, in the mean."""
    work = jobs[np.isin(jobs["kind"], (Kind.DELIVER, Kind.FIT, Kind.INFER))]
    listed = (work["kind"] == Kind.INFER) & (work["outcome"] == Outcome.DONE)
    phones = np.unique(work["phone"][listed])
    mine = work[np.isin(work["phone"], phones)]
    spent = sum(int(mine[name].sum()) for name in ENERGY_PARTS if name != "own_uj")
    moved = int(mine["downloaded_bytes"].sum() + mine["uploaded_bytes"].sum())
    count = max(len(phones), 1)
    return {"phones": len(phones), "mb": moved / 1e6 / count, "joules": joules(spent) / count}


def best_baseline(metrics: Rows, manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return the strongest baseline, and by how much the trained model is above it, user by user.

    By the metric that chose the best round; None where no baseline has it for each user. Strongest
    is the one of the best mean on the test part itself: none that was left aside would be stronger.
    """
    measured = metrics_of(manifest)[0]
    mine = metrics[(metrics["part"] == b"test") & (metrics["name"] == measured.name.encode())]
    mine = mine[(mine["ranking"] == measured.ranking.encode()) & (mine["phone"] >= 0)]
    names = [*manifest["scenario"]["evaluation"].get("baselines", []), "cloud"]
    found = {name: mine[mine["model"] == name.encode()] for name in ("trained", *names)}
    found = {name: np.sort(rows, order="phone") for name, rows in found.items() if len(rows)}
    trained = found.pop("trained", None)
    if trained is None or not found:
        return None
    best = max(found, key=lambda name: measured.sign * float(found[name]["value"].mean()))
    both, ours, theirs = np.intersect1d(trained["phone"], found[best]["phone"], return_indices=True)
    if not len(both):
        return None
    difference = trained["value"][ours] - found[best]["value"][theirs]
    where = {"model": best, "part": "test", "ranking": measured.ranking}
    return where | {"figure": f"{measured.name}.trained_less_baseline"} | _mean(difference)


def settings(events: Rows) -> dict[str, dict[str, float]]:
    """Return what validation chose for each baseline."""
    chosen: dict[str, dict[str, float]] = {}
    rows = events[events["kind"] == b"baseline"]
    for name, value in zip(texts(rows["name"]), rows["value"].tolist(), strict=True):
        model, _, key = name.removesuffix("_ppm").partition(".")
        chosen.setdefault(model, {})[key] = value / 1e6
    return chosen
