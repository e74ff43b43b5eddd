"""The charts of comings and goings, and of who was forgotten: what never happened has none."""

from collections.abc import Iterator

import numpy as np

from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import Rows, texts
from droidloop.platform.units import HOUR_US, joules
from droidloop.scenarios.reports.churn_facts import LEFT_EMPTY

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
        times, counts = np.unique(t_us[names == name], return_counts=True)
        so_far = np.cumsum(counts).tolist()
        rows += [
            {"what": name, "hours": t_us / HOUR_US, "phones": many}
            for t_us, many in zip(times.tolist(), so_far, strict=True)
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
    order = np.argsort(work["finish_us"], kind="stable")
    spent = np.cumsum(work["energy_uj"][order])
    moments, last = np.unique(work["finish_us"][order][::-1], return_index=True)
    total = joules(int(spent[-1]))
    rows: list[Row] = [
        {"what": "unlearning", "hours": t_us / HOUR_US, "joules": joules(int(spent[k]))}
        for t_us, k in zip(moments.tolist(), (len(spent) - 1 - last).tolist(), strict=True)
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
