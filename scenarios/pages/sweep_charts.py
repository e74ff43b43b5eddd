"""The charts of runs side by side: how good, how they got there, and who nobody beats."""

from collections.abc import Iterator, Sequence

import numpy as np

from droidloop.platform.intervals import interval
from droidloop.scenarios.reports.compare import COSTS, Group
from droidloop.scenarios.reports.paired import differences
from droidloop.scenarios.reports.pareto import Standing, standings

from .chart import Axis, Chart, Row, lines, ranges, tooltip

_LINES = 10
"""Ways that have a line of their own: more cannot be told apart by colour."""
_AGAINST = COSTS | {"worst_class": "that of the worst class"}


def comparison_charts(groups: Sequence[Group]) -> Iterator[Chart]:
    """Yield the charts of *groups*, of which the first is the yardstick."""
    yield _quality(groups)
    yield from _paired(groups)
    found = standings(groups)
    for against in found[0].figures:
        yield _front(found, against)
    yield _courses(groups)


def _quality(groups: Sequence[Group]) -> Chart:
    metric = groups[0].metrics[0]
    rows = []
    for group in groups:
        mean, half = group.interval(metric.name)
        span = {"low": mean - half, "high": mean + half}
        rows.append({"runs": group.label, "mean": mean, **span, "seeds": len(group.results)})
    heads = {"runs": "runs", "mean": metric.label, "low": "from", "high": "to", "seeds": "seeds"}
    return Chart(
        "quality",
        f"{metric.label} with its interval",
        "Test quality at the best round, with its 95 % interval over users and seeds.",
        rows,
        heads,
        ranges(rows, Axis("mean", metric.label, zero=False), Axis("runs", "runs"), heads),
    )


def _paired(groups: Sequence[Group]) -> Iterator[Chart]:
    metric = groups[0].metrics[0]
    rows: list[Row] = [
        {
            **{"runs": one.group.label, "mean": one.mean, "p": one.p, "n": one.n},
            **{"low": one.mean - one.half, "high": one.mean + one.half, "pairs": one.pairs},
        }
        for one in differences(groups)
        if one.figure == metric.name
    ]
    if not rows:
        return
    heads = {
        **{"runs": "runs", "mean": "difference", "low": "from", "high": "to"},
        **{"p": "p (Holm)", "n": "n", "pairs": "pairs"},
    }
    value = Axis("mean", f"difference of {metric.label}")
    yield Chart(
        "differences",
        f"{metric.label}, difference in pairs",
        f"From {groups[0].label}, user by user or seed by seed, with its 95 % interval.",
        rows,
        heads,
        ranges(rows, value, Axis("runs", "runs"), heads),
    )


def _front(found: Sequence[Standing], against: str) -> Chart:
    metric = found[0].group.metrics[0]
    title = _AGAINST[against]
    rows = [
        {
            **{"runs": one.group.label, "quality": one.quality, "cost": one.figures[against]},
            "front": "on the front" if against in one.fronts else "beaten",
        }
        for one in found
    ]
    heads = {"runs": "runs", "quality": metric.label, "cost": title, "front": "Pareto front"}
    encoding = {
        "x": Axis("cost", title, zero=False).number(),
        "y": Axis("quality", metric.label, zero=False).number(),
    }
    line = {"type": "line", "strokeDash": [4, 3]}
    on = [{"filter": "datum.front == 'on the front'"}]
    scale = {"domain": ["on the front", "beaten"], "range": ["circle", "cross"]}
    shape = Axis("front", "Pareto front").word() | {"scale": scale, "legend": None}
    points = encoding | {"shape": shape, "tooltip": tooltip(heads)}
    if len(found) <= _LINES:
        points["color"] = Axis("runs", "runs").word()
    best = ", ".join(one.group.label for one in found if against in one.fronts)
    return Chart(
        f"front-{against}".replace("_", "-"),
        f"{metric.label} against {title}",
        f"By means. Circles are the front, crosses beaten: nobody is better in both than {best}.",
        rows,
        heads,
        {
            "height": 280,
            "layer": [
                {"transform": on, "mark": line, "encoding": encoding},
                {"mark": {"type": "point", "filled": True, "size": 90}, "encoding": points},
            ],
        },
    )


def _courses(groups: Sequence[Group]) -> Chart:
    metric = groups[0].metrics[0]
    rows = []
    for group in groups[:_LINES]:
        courses = [one.course for one in group.results if metric.name in one.course.quality]
        for k in range(min((len(one.round) for one in courses), default=0)):
            mean, half = interval([one.quality[metric.name][k] for one in courses])
            if not np.isnan(mean):
                hours = float(np.mean([one.hours[k] for one in courses]))
                rows.append({"runs": group.label, "hours": hours, "mean": mean, "half": half})
    heads = {"runs": "runs", "hours": "hours", "mean": "validation", "half": "±"}
    shown = f"the first {_LINES} of {len(groups)}" if len(groups) > _LINES else "all"
    return Chart(
        "learning",
        "Quality over time",
        f"{metric.label} on the validation items, the mean over seeds, of {shown}.",
        rows,
        heads,
        lines(
            Axis("hours", "hours of virtual time"),
            Axis("mean", metric.label, zero=False),
            Axis("runs", "runs"),
            heads,
            point=False,
        ),
        every=-(-len(rows) // 600) or 1,
        wide=True,
    )
