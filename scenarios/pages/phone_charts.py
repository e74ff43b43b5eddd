"""The charts of a run's phones: what they were like hour by hour, and who could be asked."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from droidloop.devices.phone.world import World
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.ledger import Rows, read
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import HOUR_US
from droidloop.scenarios.run.eligibility import eligible_shares
from droidloop.scenarios.run.people import people
from droidloop.scenarios.run.states import states_at
from droidloop.scenarios.schema.load import check
from droidloop.scenarios.schema.schema import Scenario

from .bins import edges_us
from .chart import Axis, Chart, height, lines, tooltip

_STRIPS = 24
"""Phones that have a strip of their own."""
_WORDS = {
    **{"off": "#8888883d", "without cover": "#d9822b", "on": "#4c9be8"},
    **{"charging": "#3aa655", "working": "#c64fd0"},
}
"""What a strip shows, the last one that holds, and its colour on light and on dark."""


def phone_charts(run: RunDirectory) -> Iterator[Chart]:
    """Yield the charts of the phones of *run*, which are made anew from its scenario.

    Raises:
        UsageError: its data, or a file that its scenario names, are not there any more.
    """
    scenario = check(run.manifest()["scenario"], str(run.path))
    world = people(
        scenario.data, scenario.population, scenario.seed, scenario.churn, scenario.faults
    ).population.world
    jobs, devices = read(run.path, "jobs"), read(run.path, "devices")
    world.state["given_up_us"] = devices["given_up_us"]
    end_us = max(int(jobs["finish_us"].max()) if len(jobs) else 0, 24 * HOUR_US)
    edges = edges_us(end_us)
    states = _states(world, edges, jobs)
    yield _shares(edges, states)
    yield _strips(edges, states)
    yield _eligible(scenario)


def _states(world: World, edges: IntArray, jobs: Rows) -> dict[str, BoolArray]:
    """Return what each phone was like in the middle of each bin, (phones, bins) by word."""
    middles = (edges[:-1] + edges[1:]) // 2
    found = [states_at(world, t_us) for t_us in middles.tolist()]
    working = np.zeros((len(world.traits), len(middles)), np.bool_)
    begun = jobs[jobs["start_us"] >= 0]
    first = np.searchsorted(edges, begun["start_us"], side="right") - 1
    last = np.searchsorted(edges, begun["finish_us"], side="right") - 1
    for phone, low, high in zip(
        begun["phone"].tolist(), first.tolist(), last.tolist(), strict=True
    ):
        working[phone, low : high + 1] = True
    return {
        "on": np.stack([one.on for one in found], axis=1),
        "covered": np.stack([one.covered for one in found], axis=1),
        "charging": np.stack([one.charging for one in found], axis=1),
        "working": working,
    }


def _shares(edges: IntArray, states: dict[str, BoolArray]) -> Chart:
    hours = ((edges[:-1] + edges[1:]) / 2 / HOUR_US).tolist()
    rows = [
        {"state": state, "hours": hour, "percent": percent}
        for state, mask in states.items()
        for hour, percent in zip(hours, (100 * mask.mean(axis=0)).tolist(), strict=True)
    ]
    means = ", ".join(f"{state} {100 * mask.mean():.0f} %" for state, mask in states.items())
    heads = {"state": "state", "hours": "hours", "percent": "percent of phones"}
    return Chart(
        "phones",
        "Phones over time",
        f"In the mean of the run: {means}. Covered phones are on; batteries are left out; working "
        "is who did something for us within the step.",
        rows,
        heads,
        lines(
            Axis("hours", "hours of virtual time"),
            Axis("percent", "percent of phones"),
            Axis("state", "state"),
            heads,
            point=False,
        ),
    )


def _strips(edges: IntArray, states: dict[str, BoolArray]) -> Chart:
    """Return a strip a phone, of the first ones: their numbers tell nothing of their class."""
    on, covered = states["on"][:_STRIPS], states["covered"][:_STRIPS]
    code = np.select(
        [states["working"][:_STRIPS], ~on, ~covered, states["charging"][:_STRIPS]], [4, 0, 1, 3], 2
    )
    words, starts, rows = list(_WORDS), edges / HOUR_US, []
    for phone, mine in enumerate(code.tolist()):
        bounds = [0, *(np.flatnonzero(np.diff(mine)) + 1).tolist(), len(mine)]
        rows += [
            {"phone": phone, "state": words[mine[low]], "from": starts[low], "to": starts[high]}
            for low, high in pairwise(bounds)
        ]
    heads = {"phone": "phone", "state": "state", "from": "from hour", "to": "to hour"}
    x = {"field": "from", "type": "quantitative", "title": "hours of virtual time"}
    scale = {"domain": words, "range": list(_WORDS.values())}
    colour = {"field": "state", "type": "nominal", "title": "state", "scale": scale}
    spec = {
        "height": height(rows, "phone", 14),
        "mark": {"type": "bar", "height": {"band": 0.8}},
        "encoding": {
            **{"x": x, "x2": {"field": "to"}, "color": colour, "tooltip": tooltip(heads)},
            "y": {"field": "phone", "type": "ordinal", "title": "phone"},
        },
    }
    return Chart(
        "strips",
        f"The first {len(code)} phones",
        "What each was like, step by step; of several things the one furthest down the legend.",
        rows,
        heads,
        spec,
        wide=True,
    )


def _eligible(scenario: Scenario) -> Chart:
    shares = eligible_shares(scenario)
    local = (np.arange(24) + scenario.population.start_hour) % 24
    rows = [
        {
            "hour": float(local[hour]),
            "mean": 100 * float(shares[:, hour].mean()),
            "least": 100 * float(shares[:, hour].min()),
            "most": 100 * float(shares[:, hour].max()),
        }
        for hour in np.argsort(local, kind="stable").tolist()
    ]
    heads = {"hour": "local hour", "mean": "percent", "least": "least", "most": "most"}
    hour = Axis("hour", "local hour of the day").number()
    band = {"y": Axis("least", "percent of phones").number(), "y2": {"field": "most"}}
    spec = {
        "height": 260,
        "encoding": {"x": hour, "tooltip": tooltip(heads)},
        "layer": [
            {"mark": {"type": "area", "opacity": 0.25}, "encoding": band},
            {
                "mark": {"type": "line", "point": True},
                "encoding": {"y": Axis("mean", "percent of phones").number()},
            },
        ],
    }
    return Chart(
        "eligibility",
        "Who can be asked, by hour",
        f"Percent of phones that meet what the protocol needs, half past each hour of "
        f"{len(shares)} days: mean, least and most.",
        rows,
        heads,
        spec,
    )
