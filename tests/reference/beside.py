"""The simple baselines beside a row: popularity, ItemKNN and EASE, set on validation.

None of them draws negatives, so that the ``pfedrec`` and the ``clean`` protocol give the same.
"""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from tests.reference.row import Line

if TYPE_CHECKING:
    from droidloop.models.evaluation.evaluator import Evaluator, Scorer
    from droidloop.platform.arrays import FloatArray

SIMPLE = ("popularity", "itemknn", "ease")
SHOWN = {
    "": ("99 candidates", "sampled HR@10"),
    "-ndcg": ("99 candidates", "sampled NDCG@10"),
    "-full": ("all items", "full HR@10"),
    "-full-ndcg": ("all items", "full NDCG@10"),
}
"""The figures of a baseline, by the end of the name."""

Figures = dict[str, "FloatArray"]
"""Figures of the test part by what they are, such as ``sampled HR@10``: one for each user."""


def figures(judge: "Evaluator", scorer: "Scorer") -> Figures:
    """Return HR@10 and NDCG@10 of the test part, among the candidates and among all items."""
    from droidloop.models.evaluation.evaluate import evaluate

    sampled = evaluate(scorer.some, judge.split, judge.candidates, judge.k, part="test")
    full = evaluate(scorer.every, judge.split, k=judge.k, part="test")
    return {
        f"{ranking} {shown}": values.values[metric]
        for ranking, values in (("sampled", sampled), ("full", full))
        for metric, shown in (("hr_at_10", "HR@10"), ("ndcg_at_10", "NDCG@10"))
    }


def lines_beside(name: str) -> dict[str, Line]:
    """Return the lines of the baselines beside the row *name*."""
    return {
        f"{name}-{baseline}{end}": Line(f"{baseline}, {ranking}", figure.split()[1])
        for baseline in SIMPLE
        for end, (ranking, figure) in SHOWN.items()
    }


def beside(name: str, judge: "Evaluator") -> tuple[dict[str, "FloatArray"], Figures]:
    """Return the values of ``lines_beside``, and the figures of the one that validates best."""
    from droidloop.models.fitting.baselines import SIMPLE as TRIED
    from droidloop.models.fitting.baselines import chosen

    task: Any = SimpleNamespace(split=judge.split)  # all that these three ask for
    scorers = {one: chosen(judge, TRIED[one](cast(Any, task), 0)).scorer for one in SIMPLE}
    found = {one: figures(judge, scorer) for one, scorer in scorers.items()}
    best = max(SIMPLE, key=lambda one: judge.quality(scorers[one], "valid"))
    values = {
        f"{name}-{one}{end}": found[one][figure]
        for one in SIMPLE
        for end, (_, figure) in SHOWN.items()
    }
    return values, found[best]
