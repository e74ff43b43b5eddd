"""What is installed on the phones of a run, and what each of them has fetched today."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from droidloop.devices.population.population import Population
from droidloop.models.updates.choice import NO_LIMIT, Limits
from droidloop.models.updates.slots import NONE, Event, Slots, advance, empty
from droidloop.platform.arrays import IntArray
from droidloop.platform.ledger import Words
from droidloop.platform.state import Stateful
from droidloop.platform.units import DAY_US
from droidloop.scenarios.runtime.recorder import Recorder

TOLD = (Event.SWITCHED, Event.REFUSED, Event.RETURNED)
"""The events that the ledger keeps; those before them are in the job."""


class Installed(Stateful):
    """The slots of all phones; every change of them is noted in the ledger."""

    STATE = ("slots", "_spent", "_day")

    def __init__(self, recorder: Recorder, population: Population, variants: Sequence[str]) -> None:
        """Know of no version yet; *variants* are the names of those that ship."""
        self._recorder, self._population, self.variants = recorder, population, tuple(variants)
        self.slots: Slots = empty(len(population))
        self._spent: IntArray = np.zeros(len(population), np.int64)
        self._day = 0

    def happen(
        self,
        phones: IntArray,
        event: Event,
        *,
        round_: int = -1,
        version: Any = NONE,
        variant: Any = NONE,
        why: str | Sequence[str] = "",
        done_us: Any = None,
        fetched_bytes: Any = 0,
        whole_bytes: Any = 0,
    ) -> None:
        """Have *event* happen to *phones*, and note it; see ``slots.advance``."""
        if not len(phones):
            return
        before = self.slots[phones].copy()
        advance(self.slots, phones, event, version, variant)
        self._population.state["version"][phones] = self.slots["version"][phones]
        if event not in TOLD:
            return
        returned = event is Event.RETURNED
        about = self.slots[phones] if returned else before
        version_of, variant_of = (
            ("version", "variant") if returned else ("candidate", "candidate_variant")
        )
        variants = Words(["", *self.variants], about[variant_of].astype(np.int64) + 1)
        self._note(
            phones,
            event,
            round_,
            version=about[version_of],
            before=before["version"],
            variant=variants,
            why=why,
            done_us=done_us,
            fetched_bytes=fetched_bytes,
            whole_bytes=whole_bytes,
        )

    def wiped(self, phones: IntArray) -> None:
        """Know that *phones* are others now, without a version; what is on its way may come."""
        for name in ("version", "variant", "previous", "previous_variant"):
            self.slots[name][phones] = NONE
        self._population.state["version"][phones] = NONE

    def refuse(self, phones: IntArray, round_: int, version: int, why: str) -> None:
        """Note that *phones* are not offered *version*, for *why*."""
        if len(phones):
            before = self.slots["version"][phones]
            self._note(phones, Event.REFUSED, round_, version=version, before=before, why=why)

    def _note(
        self,
        phones: IntArray,
        event: Event,
        round_: int,
        *,
        variant: Words | str = "",
        done_us: Any = None,
        fetched_bytes: Any = 0,
        whole_bytes: Any = 0,
        **columns: Any,
    ) -> None:
        now_us = self._recorder.engine.now_us
        self._recorder.note(
            "installs",
            t_us=now_us,
            done_us=now_us if done_us is None else done_us,
            phone=phones,
            round=round_,
            event=event.name.lower(),
            variant=variant,
            fetched_bytes=fetched_bytes,
            whole_bytes=whole_bytes,
            **columns,
        )

    def spend(self, phones: IntArray, fetched_bytes: IntArray) -> None:
        """Count what *phones* have fetched against today's budget."""
        self._today()
        self._spent[phones] += fetched_bytes

    def limits(self, phones: IntArray, budget_bytes: int | None, latency_us: int | None) -> Limits:
        """Return what *phones* can, and what is left of a day's *budget_bytes*; None: no limit."""
        self._today()
        traits = self._population.traits[phones]
        free = np.full(len(phones), NO_LIMIT, np.int64)
        return Limits(
            runtime=traits["runtime"].astype(np.int64),
            ram_bytes=traits["ram_bytes"] - traits["system_ram_bytes"],
            storage_bytes=traits["free_storage_bytes"],
            budget_bytes=free if budget_bytes is None else budget_bytes - self._spent[phones],
            latency_us=free if latency_us is None else np.full(len(phones), latency_us, np.int64),
        )

    def _today(self) -> None:
        day = self._recorder.engine.now_us // DAY_US
        if day != self._day:
            self._spent[:], self._day = 0, day
