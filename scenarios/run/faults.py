"""The plan of faults as an activity: notes when each begins and ends, and does real devices harm.

What faults do to simulated phones is part of their laws: see ``devices.phone.faults``.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from droidloop.devices.android.fleet.fleet import Attachment
from droidloop.devices.android.fleet.harms import Harm
from droidloop.devices.population.faulty import Plan
from droidloop.platform.engine import Process
from droidloop.platform.state import Stateful, Tree
from droidloop.scenarios.runtime.recorder import Recorder

NAME = "faults"
"""Of the activity."""
EVENT_DTYPE = np.dtype([("t_us", np.int64), ("on", np.bool_), ("entry", np.int64)])


class Faults(Stateful):
    """Plays *plan*; *devices* are the real ones, which can be done harm to."""

    STATE = ("_next",)

    def __init__(self, recorder: Recorder, plan: Plan, devices: Sequence[Attachment]) -> None:
        self._recorder, self._plan = recorder, plan
        self._devices = {one.phone: one for one in devices}
        self._events = _events_of(plan)
        self._next = 0

    @property
    def any(self) -> bool:
        """Whether anything is to come."""
        return self._next < len(self._events)

    def process(self) -> Process:
        """Have everything happen at its time, before all else that happens then."""
        while self.any:
            now_us = int(self._events["t_us"][self._next])
            yield self._recorder.engine.first_at(now_us)
            while self.any and int(self._events["t_us"][self._next]) <= now_us:
                happening = self._events[self._next]
                self._next += 1
                self._happen(int(happening["entry"]), now_us, on=bool(happening["on"]))

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Go on from *tree*; devices, which were made ready anew, get the harm that lasts."""
        super().restore(tree)
        for entry in range(len(self._plan.specs)):
            mine = self._events[: self._next]
            mine = mine[mine["entry"] == entry]
            if len(mine) and mine["on"][-1]:
                for harm in self._harms(entry, int(mine["t_us"][-1])):
                    if harm.lasts:
                        harm.begin()

    def _happen(self, entry: int, now_us: int, *, on: bool) -> None:
        name = self._plan.specs[entry].name
        self._recorder.event("fault", entry, **{name: int(on)})
        at_us = now_us if on else now_us - 1
        for harm in self._harms(entry, at_us):
            (harm.begin if on else harm.end)()

    def _harms(self, entry: int, t_us: int) -> list[Harm]:
        """Return what *entry* does in its window at *t_us*, of each device that it hits."""
        name = self._plan.specs[entry].name
        hit = self._plan.hit(entry, t_us, sorted(self._devices))
        found = [self._devices[phone].harms.get(name) for phone in hit]
        return [harm for harm in found if harm is not None]


def _events_of(plan: Plan) -> np.ndarray:
    """Return every begin and end, in order; of one instant the ends first."""
    parts = [np.zeros(0, EVENT_DTYPE)]
    for k in range(len(plan.specs)):
        for on, t_us in ((True, plan.of(k)[:, 0]), (False, plan.of(k)[:, 1])):
            part = np.zeros(len(t_us), EVENT_DTYPE)
            part["t_us"], part["on"], part["entry"] = t_us, on, k
            parts.append(part)
    events = np.concatenate(parts)
    return events[np.lexsort((events["entry"], events["on"], events["t_us"]))]
