"""Runs side by side as text, as records and as a picture; ``compare.py`` has the figures."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from .canvas import blank, save
from .compare import COSTS, Group
from .intervals import interval
from .measured import Measured
from .paired import differences
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
        yield _record(one.group, one.mean, one.half, **found)


def _record(group: Group, mean: float, half: float, **found: Any) -> dict[str, Any]:
    numbers = {"mean": mean, "half_width": half}
    return {
        **{"runs": group.label, "seeds": " ".join(str(one.seed) for one in group.results)},
        **{"users": "all", "figure": None, "target": None, "against": None, "pairs": "seeds"},
        **{name: None if np.isnan(value) else value for name, value in numbers.items()},
        **found,
    }


def show(groups: Sequence[Group], targets: Sequence[Target], console: Console) -> None:
    """Print *groups*: one row each, by class of phone, how they differ, and what targets cost."""
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
    console.print(table)
    for figure in (*(one.name for one in metrics), "joules"):
        title = f"{heads[figure]} by class of phone"
        table = _table(title, ["runs", *_classes(groups)])
        for group in groups:
            cells = [
                _cell(group.interval(figure, users), _DIGITS.get(figure, 4))
                for users in _classes(groups)
            ]
            table.add_row(group.label, *cells)
        console.print(table)
    if len(groups) > 1:
        _show_differences(groups, heads, console)
    for target in targets:
        _show_target(groups, target, console)


def _show_differences(groups: Sequence[Group], heads: dict[str, str], console: Console) -> None:
    table = _table("keys in which the runs differ", ["key", *(group.label for group in groups)])
    for key, values in varied([group.scenario for group in groups]).items():
        table.add_row(key, *map(shown, values))
    console.print(table)
    found = list(differences(groups))
    if found:
        title = f"difference from {groups[0].label}, in pairs, with its 95 % interval"
        table = _table(title, ["runs", "figure", "difference", "pairs"])
        for one in found:
            cell = _cell((one.mean, one.half), _DIGITS.get(one.figure, 4))
            table.add_row(one.group.label, heads[one.figure], cell, f"{one.n} {one.pairs}")
        console.print(table)


def _show_target(groups: Sequence[Group], target: Target, console: Console) -> None:
    title = f"what it cost until the validation first had {target}"
    table = _table(title, ["runs", "got there", *(COSTS[cost] for cost in SPENT), "best"])
    for group in groups:
        spent = [target.costs(one.course) for one in group.results]
        there = [one for one in spent if one is not None]
        cells = [_cell(interval([one[cost] for one in there]), _DIGITS[cost]) for cost in SPENT]
        reached = f"{len(there)} of {len(spent)}"
        table.add_row(group.label, reached, *cells, f"{target.best(group):.4f}")
    console.print(table)


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


def draw(groups: Sequence[Group], path: Path) -> None:
    """Draw validation quality against rounds, bytes, energy and time as a PNG at *path*."""
    save(figure_of(groups), path)


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
