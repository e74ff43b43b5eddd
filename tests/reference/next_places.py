"""What rows on the next place share: names of lines, means, pooled differences and verdicts.

One measurement holds three seeds, so that intervals pool users and seeds. ``X-over-Y`` is by how
much X is ahead of Y, with the ``low`` and ``high`` end of its 95 % interval. ``verdict`` is 1 where
no ``low`` that it rests on lies below zero, else 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from tests.reference.row import Bar, Line

if TYPE_CHECKING:
    from tests.reference.foursquare import Values

METRICS = tuple(
    f"{r} {m}" for r in ("all", "returns", "first", "new") for m in ("HR@10", "NDCG@10")
)
SIMPLE = {"all": ("visits", "visits-then-near"), "new": ("popular-near",)}
"""The baselines that what is learned is held to, by ranking: own counts, and the strongest."""

Pair = tuple[str, str, str]
"""One model, another, and a metric in which the two are compared."""


def simple_pairs(models: Iterable[str]) -> list[Pair]:
    """Return the comparisons of each of *models* with the baselines."""
    return [
        (model, other, metric)
        for model in models
        for metric in METRICS
        for other in SIMPLE.get(metric.split()[0], ())
    ]


def pairs_of(one: str, others: Iterable[str]) -> list[Pair]:
    """Return the comparisons of *one* with *others* among all and among new places."""
    metrics = [metric for metric in METRICS if metric.split()[0] in SIMPLE]
    return [(one, other, metric) for other in others for metric in metrics]


def lines(
    name: str, models: Iterable[str], pairs: Sequence[Pair], verdicts: Mapping[str, Bar | None]
) -> dict[str, Line]:
    """Return the lines of a row; *verdicts* by name, with their bars."""
    made = {f"{name}-{m}-{_short(metric)}": Line(m, metric) for m in models for metric in METRICS}
    for one, other, metric in pairs:
        line = f"{name}-{one}-over-{other}-{_short(metric)}"
        for end, shown in (("", "more"), ("-low", "more, low end"), ("-high", "more, high end")):
            made[line + end] = Line(f"{one} less {other}", f"{metric} {shown}")
    for verdict, bar in verdicts.items():
        made[f"{name}-{verdict}"] = Line("1: works here", "verdict", bar)
    return made


def figures(
    name: str,
    found: "Mapping[str, Sequence[Values]]",
    pairs: Sequence[Pair],
    verdicts: Mapping[str, Sequence[Pair]],
) -> dict[str, float]:
    """Return the values of ``lines``: of *found*, by model, one for each seed."""
    from tests.reference.foursquare import means, pooled

    values: dict[str, float] = {}
    for model, by_seed in found.items():
        for metric in METRICS:
            every = [means(one)[metric] for one in by_seed]
            values[f"{name}-{model}-{_short(metric)}"] = sum(every) / len(every)
    lows = {}
    for pair in pairs:
        one, other, metric = pair
        line = f"{name}-{one}-over-{other}-{_short(metric)}"
        more = pooled(found[one], found[other], metric)
        values |= {line: more["mean"], f"{line}-low": more["low"], f"{line}-high": more["high"]}
        lows[pair] = more["low"]
    for verdict, rests_on in verdicts.items():
        values[f"{name}-{verdict}"] = float(min(lows[pair] for pair in rests_on) >= 0)
    return values


def _short(metric: str) -> str:
    return metric.lower().replace("@10", "").replace(" ", "-")
