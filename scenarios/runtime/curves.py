"""What a run tells while it goes on: one point a turn, for whoever keeps curves of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from droidloop.platform.jobs import ENERGY_PARTS, Outcome
from droidloop.platform.ledger import Rows
from droidloop.platform.registry import find
from droidloop.platform.state import Stateful
from droidloop.platform.units import HOUR_US, joules, seconds

from .recorder import Recorder


@dataclass(frozen=True)
class Tracked:
    """The run that a tracker hears of.

    Attributes:
        folder: its directory.
        manifest: what ``run.json`` says as it begins, the resolved scenario among it.
        turns: how many turns are over: more than none where a killed run goes on.
    """

    folder: Path
    manifest: Mapping[str, Any]
    turns: int


class Tracker(Protocol):
    """Writes the curves of one run through a library of its own.

    Every method may raise DroidloopError: the run ends with it, and can be gone on with.
    """

    def begin(self, run: Tracked) -> None:
        """Begin with *run*, or go on with it: what it has heard of turns before stays."""

    def turn(self, number: int, values: Mapping[str, float]) -> None:
        """Write what turn *number*, from 1 on, and all before it came to."""

    def end(self, values: Mapping[str, float], files: Sequence[tuple[Path, str]]) -> None:
        """Write the last *values* and keep *files*, each a path and a name: all is complete."""

    def fail(self) -> None:
        """Say that the run could not go on."""


def trackers_of(names: Sequence[str]) -> list[Tracker]:
    """Return the trackers of those *names*, each once.

    Raises:
        UsageError: there is none of a name, or its library is not installed.
    """
    methods = [find("tracker", name) for name in dict.fromkeys(names)]
    return [method.build(method.section()) for method in methods]


class Curves(Stateful):
    """Adds up what jobs have cost, and keeps what the last turn and its validation have said."""

    STATE = ("_totals", "_said", "_turns")

    def __init__(self, recorder: Recorder, trackers: Sequence[Tracker]) -> None:
        self._engine, self._trackers = recorder.engine, trackers
        names = (*map(_joules, ENERGY_PARTS), "bytes/down", "bytes/up", "jobs/done", "jobs/lost")
        self._totals = dict.fromkeys(names, 0.0)
        self._said: dict[str, float] = {}
        self._turns = 0
        recorder.listeners.append(self)

    def begin(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        """Tell all trackers of the run."""
        for tracker in self._trackers:
            tracker.begin(Tracked(folder, manifest, self._turns))

    def ended(self, jobs: Rows) -> None:
        """Hear of *jobs* that have ended."""
        done = int(np.count_nonzero(jobs["outcome"] == Outcome.DONE))
        new = {_joules(name): joules(int(jobs[name].sum())) for name in ENERGY_PARTS}
        new["bytes/down"] = float(jobs["downloaded_bytes"].sum())
        new["bytes/up"] = float(jobs["uploaded_bytes"].sum())
        new["jobs/done"], new["jobs/lost"] = float(done), float(len(jobs) - done)
        for name, value in new.items():
            self._totals[name] += value

    def happened(self, kind: str, values: Mapping[str, int]) -> None:
        """Hear of an event of the server."""
        if kind in ("round", "valid"):
            self._said |= dict(_plain(kind, name, value) for name, value in values.items())

    def turn(self, number: int) -> None:
        """Tell all trackers that turn *number*, from 0 on, has ended."""
        self._turns = number + 1
        said, self._said = self._said, {}
        total = sum(value for name, value in self._totals.items() if name.startswith("joules/"))
        hours = self._engine.now_us / HOUR_US
        values = {"hours": hours, **said, **self._totals, "joules/total": total}
        for tracker in self._trackers:
            tracker.turn(self._turns, values)

    @property
    def heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._trackers)

    def end(self, values: Mapping[str, float], files: Sequence[tuple[Path, str]]) -> None:
        """Tell all trackers that the run is complete."""
        for tracker in self._trackers:
            tracker.end(values, files)

    def fail(self) -> None:
        """Tell all trackers that the run could not go on."""
        for tracker in self._trackers:
            tracker.fail()


def _joules(column: str) -> str:
    return f"joules/{column.removesuffix('_uj')}"


def _plain(kind: str, name: str, value: int) -> tuple[str, float]:
    """Return the name and the value of an event as reports have them: shares, seconds.

    >>> _plain("valid", "hr_at_10_ppm", 250_000), _plain("round", "length_us", 1_500_000)
    (('valid/hr_at_10', 0.25), ('round/length_s', 1.5))
    """
    if name.endswith("_ppm"):
        return f"{kind}/{name.removesuffix('_ppm')}", value / 1e6
    if name.endswith("_us"):
        return f"{kind}/{name.removesuffix('_us')}_s", seconds(value)
    return f"{kind}/{name}", float(value)
