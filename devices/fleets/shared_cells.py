"""Transfers that share a cell's capacity: fluid, max-min fair, planned anew when one comes or goes.

The laws are those of ``play``; only the rate of a cellular transfer is another, and it changes when
others start, stop or move to another rate. So such phones cannot be played one after the other, as
cohort play does it: each transfer is a process here.
"""

from typing import Any

import simpy

from droidloop.devices.phone.battery import advance
from droidloop.devices.phone.cells import fair_shares
from droidloop.devices.phone.link import link_at
from droidloop.devices.phone.needs import needs_unmetered, transfer_interrupted_at
from droidloop.devices.phone.play import end_download, end_upload
from droidloop.devices.phone.presence import leaves_us
from droidloop.devices.phone.transfer import connect, cut_at, rate_of, rest, window_of
from droidloop.devices.population.population import Population
from droidloop.network.radio import CELLULAR, NO_RADIO, active_uw
from droidloop.network.slow_start import next_round
from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import Outcome
from droidloop.platform.law import kernel
from droidloop.platform.units import between, reached

from .job_handle import Batch


@kernel
def _found(batch: Any, k: int, up: bool) -> tuple[int, int, int]:
    """Return the radio of job *k* now, its rate, and until when at least."""
    world, row = batch.world, batch.rows[k]
    t_us = world.state[row.phone].t_us
    radio, down, up_rate, until_us = link_at(world, row.phone, t_us, needs_unmetered(row))
    rate = up_rate if up else down
    return (radio if rate > 0 else NO_RADIO), rate, until_us


@kernel
def _connect(batch: Any, k: int, radio: int, limit_us: int) -> int:
    return int(connect(batch.world, batch.rows[k], radio, limit_us))


@kernel
def _rest(batch: Any, k: int, radio: int) -> None:
    rest(batch.world.state[batch.rows[k].phone], radio)


@kernel
def _cut(batch: Any, k: int, otherwise: int) -> int:
    return int(cut_at(batch.world, batch.rows[k], otherwise))


@kernel
def _rate(batch: Any, k: int, radio: int, rate: int, rtt_us: int) -> int:
    return int(rate_of(batch.world, batch.rows[k].phone, radio, rate, rtt_us))


@kernel
def _interrupted(batch: Any, k: int) -> tuple[int, int]:
    row = batch.rows[k]
    return transfer_interrupted_at(batch.world, row, batch.world.state[row.phone].t_us)


@kernel
def _window(batch: Any, k: int, radio: int) -> int:
    return int(window_of(batch.world, batch.rows[k].phone, radio))


@kernel
def _move(batch: Any, k: int, radio: int, rate: int, up: bool, end_us: int) -> int:
    """Bring the phone to *end_us*, or to its death, *radio* active at *rate*; return the time."""
    world, phone = batch.world, batch.rows[k].phone
    traits = world.traits[phone]
    power_uw = 0
    if radio != NO_RADIO:
        law = world.radios[traits.radio if radio == CELLULAR else traits.wifi]
        power_uw = active_uw(law, rate, up)
    return int(advance(world, phone, end_us, 0, power_uw, 0, True))


@kernel
def _end(batch: Any, k: int, up: bool, moved: int, outcome: int) -> bool:
    if up:
        end_upload(batch.world, batch.rows[k], moved, outcome)
        return False
    return bool(end_download(batch.world, batch.rows[k], moved, outcome))


class SharedLink:
    """One direction of one cell: who wants which rate, and who has which."""

    def __init__(self, engine: Engine, capacity: int) -> None:
        self._engine = engine
        self._capacity = capacity
        self._demands: dict[int, int] = {}
        self._shares: dict[int, int] = {}
        self.changed = engine.event()

    def demand(self, phone: int, rate: int) -> None:
        """Set what *phone* could use from now on (0: it has gone); everybody's share follows."""
        if self._demands.get(phone, 0) == rate:
            return
        if rate:
            self._demands[phone] = rate
        else:
            del self._demands[phone]
        self._shares = fair_shares(self._demands, self._capacity)
        changed, self.changed = self.changed, self._engine.event()
        changed.succeed()

    def share(self, phone: int) -> int:
        """Return the rate that *phone* has."""
        return self._shares[phone]


class SharedLinks:
    """Moves the bytes of jobs whose phones share cells."""

    def __init__(self, engine: Engine, population: Population) -> None:
        assert population.cells is not None
        self._engine = engine
        self._world = population.world
        self._cells = population.cells
        self._links: dict[tuple[int, bool], SharedLink] = {}

    def transfer(self, batch: Batch, row: Any, k: int, *, up: bool) -> simpy.Event:
        """Start the download or upload of job *k*, *row* of *batch*.

        The event's value is whether the job goes on.
        """
        return self._engine.process(self._transfer(batch, row, k, up))

    def _link(self, phone: int, up: bool) -> SharedLink:
        key = int(self._cells.of[phone]), up
        if key not in self._links:
            capacity = self._cells.up_rate if up else self._cells.down_rate
            self._links[key] = SharedLink(self._engine, capacity)
        return self._links[key]

    def _transfer(self, batch: Batch, row: Any, k: int, up: bool) -> Process:
        phone, nbytes = int(row["phone"]), int(row["up_bytes" if up else "down_bytes"])
        leave_us = leaves_us(self._world.traits[phone], self._world.state[phone])
        limit_us = min(int(row["deadline_us"]), leave_us)
        moved, outcome = yield from self._play(batch, k, phone, nbytes, limit_us, up)
        self._link(phone, up).demand(phone, 0)
        return _end(batch, k, up, moved, outcome)

    def _play(
        self, batch: Batch, k: int, phone: int, nbytes: int, limit_us: int, up: bool
    ) -> Process:
        """Move *nbytes* as ``play`` does, with what others leave; return (moved, outcome)."""
        state, link = self._world.state[phone], self._link(phone, up)
        moved, radio, rtt_us = 0, NO_RADIO, 0
        window, burst, round_us = 0, 0, 0
        while moved < nbytes:
            found, rate, until_us = _found(batch, k, up)
            if state["t_us"] >= limit_us:
                _rest(batch, k, radio)
                late = Outcome.LOST_COVERAGE if found == NO_RADIO else Outcome.LATE
                return moved, _cut(batch, k, int(late))
            cause, watched_us = _interrupted(batch, k)
            if cause:
                _rest(batch, k, radio)
                return moved, cause
            until_us = min(until_us, watched_us)
            if found != radio:
                link.demand(phone, 0)
                _rest(batch, k, radio)
                radio = found
                if found != NO_RADIO:
                    rtt_us = _connect(batch, k, found, limit_us)
                    window = burst = _window(batch, k, found)
                    round_us = int(state["t_us"]) + rtt_us
            elif found == NO_RADIO:
                _move(batch, k, found, 0, up, min(until_us, limit_us))
            else:
                rate = _rate(batch, k, found, rate, rtt_us)
                end_us, left = min(until_us, limit_us), nbytes - moved
                window, burst, round_us = next_round(
                    window, burst, round_us, rtt_us, int(state["t_us"])
                )
                if window > 0:  # a phone that waits for an acknowledgement keeps its share
                    end_us, left = min(end_us, round_us), min(left, burst)
                sent = yield from self._segment(batch, k, phone, radio, rate, up, end_us, left)
                moved, burst = moved + sent, burst - sent
            yield self._engine.until(state["t_us"])
            if state["dead"]:
                return moved, int(Outcome.LOST_DEAD)
        _rest(batch, k, radio)
        return moved, int(Outcome.DONE)

    def _segment(
        self,
        batch: Batch,
        k: int,
        phone: int,
        radio: int,
        rate: int,
        up: bool,
        end_us: int,
        left: int,
    ) -> Process:
        """Move up to *left* bytes until *end_us* or the next change of shares; return how many.

        With nothing *left* to move, the radio is on, and waits.
        """
        state = self._world.state[phone]
        changed = []
        if radio == CELLULAR:
            link = self._link(phone, up)
            link.demand(phone, rate)
            rate = link.share(phone)
            changed = [link.changed]
        start_us = int(state["t_us"])
        if left == 0:
            rate = 0
        if rate > 0:
            end_us = min(end_us, int(reached(rate, start_us, left)))
        # where the phone would die on the way, the others must hear of it then and not later
        before = state.copy()
        end_us = _move(batch, k, radio, rate, up, end_us)
        self._world.state[phone] = before
        yield self._engine.any_of([self._engine.until(end_us), *changed])
        now_us = self._engine.now_us
        _move(batch, k, radio, rate, up, now_us)
        return min(int(between(rate, start_us, now_us)), left) if rate else 0
