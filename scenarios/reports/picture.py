"""A run in one picture, from its ledger: learning, quality by class, energy, delivery."""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import Rows, read, texts
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import joules, seconds

from .canvas import blank, save
from .compare import result_of
from .measured import Measured, metrics_of
from .quality import quality_of
from .report import name_of
from .summary import COMPONENTS, summarise

_COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3")


def draw_run(run: RunDirectory, path: Path) -> None:
    """Draw *run* as a PNG of four panels at *path*."""
    save(figure_of(run), path)


def figure_of(run: RunDirectory) -> Any:
    """Return the picture of *run*: learning, quality by class, energy, delivery."""
    tables = {name: read(run.path, name) for name in ("jobs", "devices")}
    manifest = run.manifest()
    scenario, metric = manifest["scenario"], metrics_of(manifest)[0]
    figure = blank(7.2)
    axes = figure.subplots(2, 2)
    figure.suptitle(
        f"{scenario['name']}, seed {scenario['seed']}: {scenario['title']}", fontsize=11
    )
    _learning(axes[0, 0], run, metric)
    _quality(axes[0, 1], run, metric)
    _energy(axes[1, 0], tables["devices"])
    _delivery(axes[1, 1], tables["jobs"], tables["devices"])
    return figure


def _classes(devices: Rows) -> list[str]:
    return texts(np.unique(devices["profile"]))


def _learning(axes: Any, run: RunDirectory, metric: Measured) -> None:
    course = result_of(run, run.manifest()).course
    axes.plot(course.hours, course.quality[metric.name], color=_COLOURS[0])
    axes.set(
        xlabel="virtual time, hours",
        ylabel=f"{metric.label}, validation",
        title="learning on the phones",
    )
    axes.grid(alpha=0.3)


def _quality(axes: Any, run: RunDirectory, metric: Measured) -> None:
    answer = summarise(run)
    classes = answer["classes"]
    place = np.arange(len(classes))
    shown = {"trained": "trained", "int8": "int8 on the phone"}
    if (baseline := answer["baseline"]) is not None:  # the strongest
        shown = {baseline["model"]: name_of(baseline["model"])} | shown
    there = {one["model"] for one in answer["quality"]}
    for number, model in enumerate(name for name in shown if name in there):
        where = {"model": model, "ranking": metric.ranking}
        found = [quality_of(facts, metric.name, **where) for facts in classes.values()]
        heights = [np.nan if value is None else value for value in found]
        axes.bar(
            *(place + 0.27 * (number - 1), heights, 0.25),
            label=shown[model],
            color=_COLOURS[number],
        )
    axes.set(ylabel=metric.label, title="quality by class of phone")
    axes.set_xticks(place, classes, rotation=30, ha="right")
    axes.set_ylim(0, 1.2 * axes.get_ylim()[1])
    axes.legend(fontsize=8, ncols=3, loc="upper center")


def _energy(axes: Any, devices: Rows) -> None:
    classes = _classes(devices)
    bottom = np.zeros(len(classes))
    for colour, name in zip(_COLOURS, [c for c in COMPONENTS if c != "own"], strict=False):
        means = np.array(
            [
                joules(float(devices[f"{name}_uj"][devices["profile"] == c.encode()].mean()))
                for c in classes
            ]
        )
        axes.bar(classes, means, 0.6, bottom=bottom, label=name, color=colour)
        bottom += means
    axes.set(ylabel="joules a phone", title="what taking part costs (own life left out)")
    axes.tick_params(axis="x", rotation=30)
    axes.set_ylim(0, 1.15 * bottom.max())
    axes.legend(fontsize=8, ncols=4, loc="upper center")


def _delivery(axes: Any, jobs: Rows, devices: Rows) -> None:
    deliver = jobs[jobs["kind"] == Kind.DELIVER]
    if not len(deliver):
        axes.text(0.5, 0.5, "no model ships in this run", ha="center", transform=axes.transAxes)
        axes.set(title="phones that have the model", xticks=[], yticks=[])
        return
    done = deliver[deliver["outcome"] == Outcome.DONE]
    profile = devices["profile"][np.searchsorted(devices["phone"], done["phone"])]
    for name in _classes(devices):
        times = np.sort(
            seconds(1) * (done["finish_us"] - done["plan_us"])[profile == name.encode()]
        )
        reached = np.arange(1, len(times) + 1) / max(np.sum(devices["profile"] == name.encode()), 1)
        axes.step(times, reached, where="post", label=name, linewidth=1.2)
    axes.set_xscale("log")
    axes.set(
        xlabel="seconds since release",
        ylabel="share of the class",
        title="phones that have the model",
    )
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="lower right")
