"""The charts of comings and goings, and of who was forgotten: what never happened has none."""

from collections.abc import Iterator

import numpy as np

from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import Rows, texts
from droidloop.platform.units import joules
from droidloop.scenarios.reports.churn_facts import LEFT_EMPTY

from .bins import so_far
from .chart import Axis, Chart, Row, lines


def churn_charts(events: Rows, jobs: Rows, devices: Rows) -> Iterator[Chart]:
    """Yield how many phones had come, gone or said something by which hour, and unlearning."""
    churn = events[events["kind"] == b"churn"]
    empty_us = devices["given_up_us"][devices["given_up_us"] > 0]
    names = np.array([*texts(churn["name"]), *[LEFT_EMPTY] * len(empty_us)])
    if len(names):
        yield _comings(names, np.concatenate([churn["t_us"], empty_us]))
    work = jobs[jobs["kind"] == Kind.UNLEARN]
    if len(work):
        yield _unlearning(work)


def _comings(names: Array, t_us: IntArray) -> Chart:
    rows: list[Row] = []
    for name in np.unique(names).tolist():
        mine = t_us[names == name]
        when, counts = so_far(mine, np.ones_like(mine))
        rows += [
            {"what": name, "hours": hours, "phones": many}
            for hours, many in zip(when.tolist(), counts.tolist(), strict=True)
        ]
    heads = {"what": "what", "hours": "hours", "phones": "times so far"}
    told = ", ".join(f"{name} {int((names == name).sum())}" for name in np.unique(names).tolist())
    return Chart(
        "churn",
        "Comings and goings",
        f"How often phones had come, gone or said something by then: {told} in all.",
        rows,
        heads,
        lines(
            Axis("hours", "hours of virtual time"),
            Axis("phones", "times so far"),
            Axis("what", "what"),
            heads,
            interpolate="step-after",
        ),
    )


def _unlearning(work: Rows) -> Chart:
    hours, spent = so_far(work["finish_us"], work["energy_uj"])
    total = joules(int(spent[-1]))
    rows: list[Row] = [
        {"what": "unlearning", "hours": hour, "joules": joules(energy_uj)}
        for hour, energy_uj in zip(hours.tolist(), spent.tolist(), strict=True)
    ]
    heads = {"what": "what", "hours": "hours", "joules": "joules so far"}
    return Chart(
        "unlearning",
        "Unlearning",
        f"What all phones had spent by then so that others are forgotten: {total:.1f} J in all.",
        rows,
        heads,
        lines(
            Axis("hours", "hours of virtual time"),
            Axis("joules", "joules so far"),
            Axis("what", "what"),
            heads,
        ),
    )
