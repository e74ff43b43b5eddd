"""Runs side by side as text, as records and as a picture; ``compare.py`` has the figures."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from droidloop.platform.intervals import interval

from .canvas import blank
from .compare import COSTS, Group
from .measured import Measured
from .paired import differences
from .pareto import AGAINST, standings
from .targets import COSTS as SPENT
from .targets import Target
from .varied import shown, varied

_DIGITS = {"round": 0, "hours": 1, "mb": 2, "joules": 1}
_AXES = {
    "round": "rounds",
    "mb": "MB a phone",
    "joules": "joules a phone",
    "hours": "hours of virtual time",
}


def metrics_in(groups: Sequence[Group]) -> list[Measured]:
    """Return the metrics of any of *groups*, each once."""
    return list({one.name: one for group in groups for one in group.metrics}.values())


def records(groups: Sequence[Group], targets: Sequence[Target]) -> list[dict[str, Any]]:
    """Return every figure of *groups* as records of the same keys; docs/ledger.md has them."""
    return list(_records(groups, targets))


def _records(groups: Sequence[Group], targets: Sequence[Target]) -> Iterator[dict[str, Any]]:
    figures = [*(one.name for one in metrics_in(groups)), *COSTS]
    for group in groups:
        for users in ("all", *_classes(groups)):
            for figure in figures:
                values = group.values(figure, users)
                found: dict[str, Any] = {"users": users, "figure": figure, "n": len(values)}
                found["pairs"] = "users" if len(values) > len(group.results) else "seeds"
                yield _record(group, *interval(values), **found)
        for target in targets:
            spent = [target.costs(one.course) for one in group.results]
            for cost in SPENT:
                values = [one[cost] for one in spent if one is not None]
                found = {"figure": cost, "target": str(target), "n": len(values)}
                yield _record(group, *interval(values), **found)
    for one in differences(groups):
        found = {"figure": one.figure, "against": one.first.label, "pairs": one.pairs, "n": one.n}
        found["p"] = None if np.isnan(one.p) else one.p
        yield _record(one.group, one.mean, one.half, **found)
    for standing in standings(groups) if len(groups) > 1 else ():
        mine, nan = standing.group, float("nan")
        worst = {"users": standing.worst, "figure": "worst_class", "pairs": None, "n": None}
        yield _record(mine, standing.figures["worst_class"], nan, **worst)
        for name in (*AGAINST, "all"):
            on = {"figure": f"front.{name}", "pairs": None, "n": None}
            yield _record(mine, float(name in standing.fronts), nan, **on)


def _record(group: Group, mean: float, half: float, **found: Any) -> dict[str, Any]:
    numbers = {"mean": mean, "half_width": half}
    return {
        **{"runs": group.label, "seeds": " ".join(str(one.seed) for one in group.results)},
        **{"users": "all", "figure": None, "target": None, "against": None, "pairs": "seeds"},
        "p": None,
        **{name: None if np.isnan(value) else value for name, value in numbers.items()},
        **found,
    }


def show(groups: Sequence[Group], targets: Sequence[Target], console: Console) -> None:
    """Print *groups*: one row each, by class of phone, how they differ, and what targets cost."""
    for table in tables_of(groups, targets):
        console.print(table)


def tables_of(groups: Sequence[Group], targets: Sequence[Target] = ()) -> Iterator[Table]:
    """Yield the tables of *groups*: as a whole, by class, differences, fronts, and *targets*."""
    metrics = metrics_in(groups)
    heads = {one.name: one.label for one in metrics} | COSTS
    title = (
        "test quality at the best round ± its 95 % interval over users and seeds, "
        "and what learning had cost by then ± that over seeds"
    )
    table = _table(title, ["runs", "seeds", *heads.values()])
    for group in groups:
        cells = [_cell(group.interval(figure), _DIGITS.get(figure, 4)) for figure in heads]
        table.add_row(group.label, str(len(group.results)), *cells)
    yield table
    for figure in (*(one.name for one in metrics), "joules"):
        table = _table(f"{heads[figure]} by class of phone", ["runs", *_classes(groups)])
        for group in groups:
            cells = [
                _cell(group.interval(figure, users), _DIGITS.get(figure, 4))
                for users in _classes(groups)
            ]
            table.add_row(group.label, *cells)
        yield table
    if len(groups) > 1:
        yield _keys(groups)
        yield from _differences(groups, heads)
        yield _fronts(groups)
    for target in targets:
        yield _target(groups, target)


def _keys(groups: Sequence[Group]) -> Table:
    table = _table("keys in which the runs differ", ["key", *(group.label for group in groups)])
    for key, values in varied([group.scenario for group in groups]).items():
        table.add_row(key, *map(shown, values))
    return table


def _differences(groups: Sequence[Group], heads: dict[str, str]) -> Iterator[Table]:
    found = list(differences(groups))
    if not found:
        return
    title = (
        f"difference from {groups[0].label}, in pairs, with its 95 % interval; "
        f"p by Holm over {len(groups) - 1} in each figure"
    )
    table = _table(title, ["runs", "figure", "difference", "p", "pairs"])
    for one in found:
        cell = _cell((one.mean, one.half), _DIGITS.get(one.figure, 4))
        row = (one.group.label, heads[one.figure], cell, _p(one.p), f"{one.n} {one.pairs}")
        table.add_row(*row)
    yield table


def _p(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _fronts(groups: Sequence[Group]) -> Table:
    metric = groups[0].metrics[0]
    title = (
        f"Pareto fronts by means: * nobody has both better {metric.label} and less of this "
        "(of the worst class: more)"
    )
    heads = [COSTS[name] for name in ("joules", "mb", "hours")]
    table = _table(title, ["runs", metric.label, *heads, "worst class", "all together"])
    for one in standings(groups):
        cells = []
        for name, value in one.figures.items():
            mark = " *" if name in one.fronts else "  "
            cells.append(_cell((value, float("nan")), _DIGITS.get(name, 4)) + mark)
        cells[-1] = f"{one.worst}: {cells[-1]}"
        quality = _cell((one.quality, float("nan")), 4)
        table.add_row(one.group.label, quality, *cells, "*" if "all" in one.fronts else "")
    return table


def _target(groups: Sequence[Group], target: Target) -> Table:
    title = f"what it cost until the validation first had {target}"
    table = _table(title, ["runs", "got there", *(COSTS[cost] for cost in SPENT), "best"])
    for group in groups:
        spent = [target.costs(one.course) for one in group.results]
        there = [one for one in spent if one is not None]
        cells = [_cell(interval([one[cost] for one in there]), _DIGITS[cost]) for cost in SPENT]
        reached = f"{len(there)} of {len(spent)}"
        table.add_row(group.label, reached, *cells, f"{target.best(group):.4f}")
    return table


def _classes(groups: Sequence[Group]) -> list[str]:
    return sorted({name for group in groups for one in group.results for name in one.classes})


def _table(title: str, heads: Sequence[str]) -> Table:
    table = Table(title=title)
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number else "left")
    return table


def _cell(found: tuple[float, float], digits: int) -> str:
    mean, half = found
    if np.isnan(mean):
        return "-"
    return f"{mean:.{digits}f}" if np.isnan(half) else f"{mean:.{digits}f} ± {half:.{digits}f}"


def figure_of(groups: Sequence[Group]) -> Any:
    """Return the picture: by the metric that chose the best round of the first group."""
    metric = groups[0].metrics[0]
    figure = blank(7.2)
    panels = figure.subplots(2, 2, sharey=True).ravel()
    for axis, (name, label) in zip(panels, _AXES.items(), strict=True):
        for number, group in enumerate(groups):
            _draw_group(axis, group, metric.name, name, f"C{number}")
        axis.set(xlabel=label)
        axis.grid(alpha=0.3)
    for axis in panels[1:3]:
        axis.set_xscale("log")
    for axis in panels[::2]:
        axis.set_ylabel(f"{metric.label}, validation")
    panels[0].legend(fontsize=8)
    return figure


def _draw_group(axis: Any, group: Group, metric: str, name: str, colour: str) -> None:
    """Draw the mean over runs, at the mean place of each validation, in its interval."""
    courses = [one.course for one in group.results if metric in one.course.quality]
    if not courses:
        return
    length = min(len(course.round) for course in courses)
    place = np.mean([getattr(course, name)[:length] for course in courses], axis=0)
    spreads = [interval([c.quality[metric][n] for c in courses]) for n in range(length)]
    mean, half = np.array(spreads).T
    axis.plot(place, mean, color=colour, label=group.label)
    if len(courses) > 1:
        axis.fill_between(place, mean - half, mean + half, color=colour, alpha=0.2)
