"""Comings and goings as an activity: what the stays of phones mean for all that they are part of.

A law sees no more than the present stay of a phone, in its traits. When the next one begins, it
takes its place there; what the phone spent until then is settled before.
"""

from collections.abc import Callable, Mapping
from enum import IntEnum

import numpy as np

from droidloop.devices.phone.battery import settle_some
from droidloop.devices.phone.world import Table
from droidloop.devices.population.population import Population
from droidloop.devices.population.stays import Going, Stays, first_of
from droidloop.models.learning.learning import Learning
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Process
from droidloop.platform.ledger import Words
from droidloop.platform.state import Stateful, Tree
from droidloop.platform.units import NEVER_US
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.runtime.roster import Roster


class What(IntEnum):
    """What happens to a phone, in the order in which it does at one time."""

    LEFT = 0
    CAME = 1
    TOLD = 2


EVENT_DTYPE = np.dtype([("t_us", np.int64), ("what", np.int8), ("stay", np.int64)])
_KEPT = (
    *("t_us", "busy_until_us", "promotion_uj", "radio_uj", "tail_uj", "cpu_uj", "own_uj"),
    *("accepted_uj", "booked_tail_uj", "downloaded_bytes", "uploaded_bytes", "deaths"),
)
"""The accounts that go on where a phone takes the place of another."""


class Churn(Stateful):
    """Plays the stays of *population*; notes who comes, goes and wants what.

    ``brought_uj`` is what the batteries of replacing phones held, less what those replaced had.
    """

    STATE = ("_next", "brought_uj")

    def __init__(
        self,
        recorder: Recorder,
        population: Population,
        learning: Learning,
        roster: Roster,
        wiped: Callable[[IntArray], None],
    ) -> None:
        """Start at the beginning; *wiped* is told which phones hold nothing any more."""
        self._recorder, self._population = recorder, population
        self._learning, self._roster, self._wiped = learning, roster, wiped
        self._stays = population.stays
        self._events = _events_of(self._stays)
        self._next = 0
        self.brought_uj = np.zeros(len(population), np.int64)
        self._classes: dict[int, tuple[Table, Table]] = {}

    @property
    def any(self) -> bool:
        """Whether anything is to come."""
        return self._next < len(self._events)

    def process(self) -> Process:
        """Have everything happen at its time, before all else that happens then."""
        while self.any:
            now_us = int(self._events["t_us"][self._next])
            yield self._recorder.engine.first_at(now_us)
            end = int(np.searchsorted(self._events["t_us"], now_us, side="right"))
            happening = self._events[self._next : end]
            for what in What:
                stays = happening["stay"][happening["what"] == what]
                if len(stays):
                    self._happen(what, stays, now_us)
            self._next = end

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Go on as *tree* says, with phones as they are by then; see ``Stateful``."""
        super().restore(tree)
        past = self._events[: self._next]
        stays = past["stay"][past["what"] == What.CAME]
        given_up_us = self._population.state["given_up_us"][self._stays["phone"][stays]]
        begun = (given_up_us == 0) | (self._stays["join_us"][stays] <= given_up_us)
        self._begin(stays[begun])

    def _happen(self, what: What, stays: IntArray, now_us: int) -> None:
        phones, going = self._stays["phone"][stays], self._stays["going"][stays]
        if what is What.LEFT:
            self._note(phones, [f"left-{one.name.lower()}" for one in Going], going)
            self._roster.gone[phones[going != Going.SILENT]] = True
        elif what is What.TOLD:
            self._note(phones, ["", "announced", "asks-to-be-forgotten"], going)
            self._roster.wishes[phones[going == Going.FORGET]] = True
        else:
            self._arrive(stays, now_us)

    def _arrive(self, stays: IntArray, now_us: int) -> None:
        """Have *stays* begin, but of those who were gone for good when their battery ran empty."""
        phones = self._stays["phone"][stays]
        settle_some(self._population.world, phones, now_us)
        stays = stays[self._population.state["given_up_us"][phones] == 0]
        phones, profile = self._stays["phone"][stays], self._stays["profile"][stays]
        again = stays > 0
        again[again] = self._stays["phone"][stays[again] - 1] == phones[again]
        replaced = again & (profile >= 0)
        self._replace(phones[replaced], profile[replaced])
        self._begin(stays)
        self._roster.gone[phones] = False
        self._note(phones, ["came", "returned", "replaced"], again.astype(np.int64) + replaced)

    def _begin(self, stays: IntArray) -> None:
        """Have *stays* be the present ones of their phones, of the class that they say.

        Of several stays of a phone the last is.
        """
        begun, traits = self._stays[stays], self._population.traits
        others = begun[begun["profile"] >= 0][::-1]
        phones, at = np.unique(others["phone"], return_index=True)
        profiles = others["profile"][at]
        for profile in np.unique(profiles).tolist():
            mine = phones[profiles == profile]
            traits[mine] = self._of_class(profile)[0][mine]
        for name in ("join_us", "leave_us"):
            traits[name][begun["phone"]] = begun[name]

    def _replace(self, phones: IntArray, profiles: IntArray) -> None:
        """Have other phones, of *profiles*, take the places of *phones*: they hold nothing yet."""
        if not len(phones):
            return
        state = self._population.state
        for profile in np.unique(profiles).tolist():
            mine = phones[profiles == profile]
            new = self._of_class(profile)[1][mine]
            for name in _KEPT:
                new[name] = state[name][mine]
            self.brought_uj[mine] += new["battery_uj"] - state["battery_uj"][mine]
            state[mine] = new
        self._learning.store.reset(phones)
        self._learning.given[phones] = self._learning.took_part[phones] = False
        self._wiped(phones)

    def _of_class(self, profile: int) -> tuple[Table, Table]:
        if profile not in self._classes:
            assert self._population.of_class is not None  # populations that are built have it
            self._classes[profile] = self._population.of_class(profile)
        return self._classes[profile]

    def _note(self, phones: IntArray, names: list[str], which: IntArray) -> None:
        self._recorder.churned(phones, Words(names, which.astype(np.int64)))


def _events_of(stays: Stays) -> np.ndarray:
    """Return what happens, in order; nothing for those who are there from the start and stay."""
    first = np.zeros(len(stays), np.bool_)
    first[first_of(stays)] = True
    parts = []
    for what, t_us, mine in (
        (What.LEFT, stays["leave_us"], stays["leave_us"] < NEVER_US),
        (What.CAME, stays["join_us"], ~first | (stays["join_us"] > 0)),
        (What.TOLD, stays["told_us"], stays["told_us"] < NEVER_US),
    ):
        part = np.zeros(int(mine.sum()), EVENT_DTYPE)
        part["t_us"], part["what"], part["stay"] = t_us[mine], what, np.flatnonzero(mine)
        parts.append(part)
    events = np.concatenate(parts)
    return events[np.lexsort((events["stay"], events["what"], events["t_us"]))]
