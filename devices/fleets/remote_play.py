"""Cohort play on the machines of a cluster: phones share nothing, so any of them can play any job.

A part is some jobs and the state of their phones; both come back changed. What phones are, and the
radios, regions and traces, goes to each process once.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from droidloop.devices.phone.play import play_cohort
from droidloop.devices.phone.world import STATE_DTYPE, Table, World
from droidloop.platform.cluster import Cluster
from droidloop.platform.jobs import JobArray

Play = Callable[[World, JobArray], None]
"""Plays all jobs to their end: fills in their rows, and changes the state of their phones."""


def play_on(cluster: Cluster) -> Play:
    """Return a way of playing cohorts on *cluster*; the same rows as here, on any number of nodes.

    What phones are must not change after the first cohort.
    """
    shared: list[Any] = []

    def play(world: World, rows: JobArray) -> None:
        if not shared:
            shared.append(cluster.share(world._replace(state=np.empty(0, STATE_DTYPE))))
        # jobs of one phone stay together, in the order of planning
        order = np.argsort(rows["phone"], kind="stable")
        phones = np.unique(rows["phone"])
        cuts = np.linspace(0, len(phones), cluster.processors + 1).astype(np.int64)
        ends = np.searchsorted(rows["phone"][order], phones, side="right")
        edges = np.concatenate([[0], ends])
        parts = [
            (phones[low:high], world.state[phones[low:high]], rows[order[edges[low] : edges[high]]])
            for low, high in pairwise(cuts)
            if low < high
        ]
        played = cluster.map(play_part, shared[0], parts)
        for (mine, _, _), (state, _) in zip(parts, played, strict=True):
            world.state[mine] = state
        if played:
            rows[order] = np.concatenate([part for _, part in played])

    return play


def play_part(world: World, phones: Any, state: Table, rows: JobArray) -> tuple[Table, JobArray]:
    """Play *rows* of *phones*, which stand as *state* says; return both as they are then."""
    # memory that nobody touches is not taken: the table costs what its phones do
    everybody = np.zeros(len(world.traits), STATE_DTYPE)
    everybody[phones] = state
    play_cohort(world._replace(state=everybody), rows)
    return everybody[phones], rows
