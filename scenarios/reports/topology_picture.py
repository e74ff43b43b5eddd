"""Who learned from whom in one picture: phones and their links, their classes, their teachers."""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.rundir import RunDirectory

from .canvas import blank, save
from .learning_graph import LearningGraph, teaching_of
from .network_plot import draw_network


def draw_topology(run: RunDirectory, path: Path) -> None:
    """Draw who learned from whom in *run* as a PNG at *path*.

    Raises:
        UsageError: no phone learned from another one, or *path* cannot be written.
    """
    save(topology_figure(run), path)


def topology_figure(run: RunDirectory) -> Any:
    """Return who learned from whom in *run* as a matplotlib figure.

    Raises:
        UsageError: no phone learned from another one.
    """
    teaching = teaching_of(run)
    scenario = run.manifest()["scenario"]
    figure = blank(7.4)
    figure.suptitle(
        f"{scenario['name']}, seed {scenario['seed']}: who learned from whom, "
        f"{len(teaching.learner):,} messages among {teaching.phones:,} phones",
        fontsize=11,
    )
    grid = figure.add_gridspec(2, 2, width_ratios=(1.75, 1), height_ratios=(1.25, 1))
    draw_network(figure.add_subplot(grid[:, 0]), teaching)
    _between_classes(figure.add_subplot(grid[0, 1]), teaching)
    _teachers(figure.add_subplot(grid[1, 1]), teaching)
    return figure


def _between_classes(axis: Any, teaching: LearningGraph) -> None:
    messages, classes = teaching.between_classes(), teaching.classes
    axis.imshow(messages, cmap="Blues", vmin=0)
    for row, column in np.ndindex(*messages.shape):
        value = int(messages[row, column])
        colour = "white" if value > 0.6 * messages.max() else "black"
        axis.text(column, row, short(value), ha="center", va="center", fontsize=7, color=colour)
    sizes = np.bincount(teaching.phone_class, minlength=len(classes))
    labels = [f"{name} ({size:,})" for name, size in zip(classes, sizes, strict=True)]
    axis.set_yticks(range(len(classes)), labels, fontsize=7)
    axis.set_xticks(range(len(classes)), classes, fontsize=7, rotation=35, ha="right")
    axis.set_title("messages learned, by class (phones)", fontsize=10)
    axis.set_xlabel("to", fontsize=8)
    axis.set_ylabel("from", fontsize=8)


def short(value: int) -> str:
    """Return *value* in at most five characters, up to a thousand million."""
    if value < 10_000:
        return str(value)
    return f"{value / 1e3:.0f}k" if value < 999_500 else f"{value / 1e6:.1f}M"


def _teachers(axis: Any, teaching: LearningGraph) -> None:
    teachers = teaching.teachers()
    most = int(teachers.max())
    width = -(-(most + 1) // 40)
    axis.hist(
        teachers,
        np.arange(0, most + width + 1, width) - 0.5,
        color="#4c72b0",
        edgecolor="white",
        linewidth=0.4,
    )
    axis.axvline(teachers.mean(), color="black", linestyle=":", label=f"mean {teachers.mean():.1f}")
    if alone := int((teachers == 0).sum()):
        axis.plot([], [], " ", label=f"{alone:,} learned from nobody")
    axis.set_title("from how many phones each has learned", fontsize=10)
    axis.set_xlabel("different teachers", fontsize=8)
    axis.set_ylabel("phones", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3, axis="y")
    axis.set_axisbelow(True)
    axis.legend(fontsize=7)
