"""Runs side by side as text and as a picture; see ``compare.py`` for the figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from .canvas import save
from .compare import FIGURES, Group, interval

_HEADS = {
    "hr": ("HR", 4),
    "ndcg": ("NDCG", 4),
    "round": ("best round", 0),
    "hours": ("hours", 1),
    "mb": ("MB a phone", 2),
    "joules": ("J a phone", 1),
}
_AXES = ("round", "mb", "joules", "hours")
_XLABELS = ("rounds", "MB a phone", "joules a phone", "hours of virtual time")


def as_json(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Return the figures of *groups* as plain numbers: mean and half the interval of each."""
    return [
        {
            "label": group.label,
            "seeds": [result.seed for result in group.results],
            **{figure: group.spread(figure) for figure in FIGURES},
            "classes": {
                name: {figure: group.spread(figure, name) for figure in FIGURES}
                for name in group.results[0].classes
            },
        }
        for group in groups
    ]


def show(groups: Sequence[Group], console: Console) -> None:
    """Print *groups*: one row each, then quality and energy by class of phone."""
    table = Table(title="test quality at the best round, and what learning had cost by then")
    table.add_column("scenario")
    table.add_column("runs", justify="right")
    for figure in FIGURES:
        table.add_column(_HEADS[figure][0], justify="right")
    for group in groups:
        cells = [_cell(group.spread(figure), _HEADS[figure][1]) for figure in FIGURES]
        table.add_row(group.label, str(len(group.results)), *cells)
    console.print(table)
    for figure in ("hr", "joules"):
        console.print(_by_class(groups, figure))


def _by_class(groups: Sequence[Group], figure: str) -> Table:
    head, digits = _HEADS[figure]
    table = Table(title=f"{head} by class of phone")
    table.add_column("scenario")
    classes = list(groups[0].results[0].classes)
    for name in classes:
        table.add_column(name, justify="right")
    for group in groups:
        cells = [
            _cell(group.spread(figure, name), digits) if name in group.results[0].classes else "-"
            for name in classes
        ]
        table.add_row(group.label, *cells)
    return table


def _cell(spread: tuple[float, float], digits: int) -> str:
    mean, half = spread
    return f"{mean:.{digits}f}" if np.isnan(half) else f"{mean:.{digits}f} ± {half:.{digits}f}"


def draw(groups: Sequence[Group], path: Path) -> None:
    """Draw validation quality against rounds, bytes, energy and time as a PNG at *path*."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 2, sharey=True).ravel()
    for axis, name, label in zip(panels, _AXES, _XLABELS, strict=True):
        for number, group in enumerate(groups):
            _draw_group(axis, group, name, f"C{number}")
        axis.set(xlabel=label)
        axis.grid(alpha=0.3)
    for axis in panels[1:3]:
        axis.set_xscale("log")
    for axis in panels[::2]:
        axis.set_ylabel("HR, validation")
    panels[0].legend(fontsize=8)
    save(figure, path)


def _draw_group(axis: Any, group: Group, name: str, colour: str) -> None:
    """Draw the mean over runs, at the mean place of each validation, in its interval."""
    courses = [result.course for result in group.results]
    length = min(len(course.quality) for course in courses)
    place = np.mean([getattr(course, name)[:length] for course in courses], axis=0)
    spreads = [interval([c.quality[n] for c in courses]) for n in range(length)]
    mean, half = np.array(spreads).T
    axis.plot(place, mean, color=colour, label=group.label)
    if len(courses) > 1:
        axis.fill_between(place, mean - half, mean + half, color=colour, alpha=0.2)
