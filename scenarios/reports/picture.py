"""A run in one picture, from its ledger: learning, quality by class, energy, delivery."""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import Rows, read
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import HOUR_US, joules, seconds

from .canvas import blank, save
from .summary import COMPONENTS

_COLOURS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3")


def draw_run(run: RunDirectory, path: Path) -> None:
    """Draw *run* as a PNG of four panels at *path*."""
    save(run_figure(run), path)


def run_figure(run: RunDirectory) -> Any:
    """Return *run* as a matplotlib figure of four panels."""
    tables = {name: read(run.path, name) for name in ("jobs", "events", "metrics", "devices")}
    scenario = run.manifest()["scenario"]
    figure = blank(7.2)
    axes = figure.subplots(2, 2)
    figure.suptitle(
        f"{scenario['name']}, seed {scenario['seed']}: {scenario['title']}", fontsize=11
    )
    k = scenario["evaluation"]["k"]
    _learning(axes[0, 0], tables["events"], k)
    _quality(axes[0, 1], tables["metrics"], tables["devices"], k)
    _energy(axes[1, 0], tables["devices"])
    _delivery(axes[1, 1], tables["jobs"], tables["devices"])
    return figure


def _classes(devices: Rows) -> list[str]:
    return [str(name) for name in np.unique(devices["profile"]).astype(str)]


def _learning(axes: Any, events: Rows, k: int) -> None:
    valid = events[events["kind"] == b"valid"]
    axes.plot(valid["t_us"] / HOUR_US, valid["value"] / 1e6, color=_COLOURS[0])
    what = "AUC by user" if (valid["name"] == b"auc_ppm").any() else f"HR@{k}"
    axes.set(
        xlabel="virtual time, hours", ylabel=f"{what}, validation", title="learning on the phones"
    )
    axes.grid(alpha=0.3)


def _quality(axes: Any, metrics: Rows, devices: Rows, k: int) -> None:
    classes = _classes(devices)
    place = np.arange(len(classes))
    metrics = metrics[metrics["part"] == b"test"]
    by_auc = (metrics["name"] == b"auc").any()
    name, ranking = ("auc", b"rated") if by_auc else (f"hr_at_{k}", b"sampled")
    hits = metrics[(metrics["name"] == name.encode()) & (metrics["ranking"] == ranking)]
    shown = [("popularity", "popularity"), ("trained", "trained"), ("int8", "int8 on the phone")]
    if by_auc:
        shown = [("cloud", "cloud"), ("trained", "trained")]
    for number, (model, label) in enumerate(shown):
        rows = hits[hits["model"] == model.encode()]
        profile = devices["profile"][np.searchsorted(devices["phone"], rows["phone"])].astype(str)
        if not len(rows):  # nothing ships, or popularity was not asked for
            continue
        some = [rows["value"][profile == name] for name in classes]
        means = [values.mean() if len(values) else np.nan for values in some]
        axes.bar(place + 0.27 * (number - 1), means, 0.25, label=label, color=_COLOURS[number])
    what = "AUC by user" if by_auc else f"HR@{k} among 100"
    axes.set(ylabel=what, title="quality by class of phone")
    axes.set_xticks(place, classes, rotation=30, ha="right")
    axes.set_ylim(0, 1.2 * axes.get_ylim()[1])
    axes.legend(fontsize=8, ncols=3, loc="upper center")


def _energy(axes: Any, devices: Rows) -> None:
    classes = _classes(devices)
    bottom = np.zeros(len(classes))
    for colour, name in zip(_COLOURS, [c for c in COMPONENTS if c != "own"], strict=False):
        means = np.array(
            [
                joules(float(devices[f"{name}_uj"][devices["profile"].astype(str) == c].mean()))
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
    profile = devices["profile"][np.searchsorted(devices["phone"], done["phone"])].astype(str)
    for name in _classes(devices):
        times = np.sort(seconds(1) * (done["finish_us"] - done["plan_us"])[profile == name])
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
