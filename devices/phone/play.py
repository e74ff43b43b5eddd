"""The law of a job: wait, download, compute, upload; one phase at a time.

Each phase is one function on one job. Cohort play calls the four in a loop, exact play calls each
from a SimPy process at its virtual time: the same law, two callers, equal rows.
"""

from typing import Any

from droidloop.network.loss import goodput, handshake_us, rtt_at
from droidloop.network.radio import CELLULAR, NO_RADIO, active_uw, promotion_at
from droidloop.network.slow_start import next_round
from droidloop.platform.jobs import JobArray, Outcome
from droidloop.platform.law import kernel, law
from droidloop.platform.units import NEVER_US, SECOND_US, between, reached
from droidloop.platform.workers import in_threads

from .battery import advance
from .charging import charger_at
from .link import link_at
from .needs import (
    hindered_at,
    interrupted_at,
    needs_direct,
    needs_unmetered,
    transfer_interrupted_at,
)
from .presence import GONE, IN_USE, OFF, presence_at
from .thermal import computing_ends, heat_up
from .world import World

_DONE = int(Outcome.DONE)
_LATE = int(Outcome.LATE)
_REFUSED_RAM = int(Outcome.REFUSED_RAM)
_REFUSED_STORAGE = int(Outcome.REFUSED_STORAGE)
_REFUSED_BATTERY = int(Outcome.REFUSED_BATTERY)
_REFUSED_RUNTIME = int(Outcome.REFUSED_RUNTIME)
_LOST_COVERAGE = int(Outcome.LOST_COVERAGE)
_LOST_LEFT = int(Outcome.LOST_LEFT)
_LOST_DEAD = int(Outcome.LOST_DEAD)
_LOST_KILLED = int(Outcome.LOST_KILLED)
PROCESS_KEPT_US = 1800 * SECOND_US  # Android's MAX_EMPTY_TIME (AOSP, ProcessList.java)
_WAKE_US = 300_000  # from suspend to running: assumed
DOWNLOAD, COMPUTE, UPLOAD = 1, 2, 3
"""Numbers of the phases of a job; 0 is the wait before them."""


@law
def _books(world: World, row: Any, sign: int) -> None:
    """Add (or take) the phone's accounts to the job's, so that their difference stays."""
    state = world.state[row.phone]
    row.promotion_uj += sign * state.promotion_uj
    row.radio_uj += sign * state.radio_uj
    row.cpu_uj += sign * state.cpu_uj
    row.own_uj += sign * state.own_uj
    row.accepted_uj += sign * state.accepted_uj


@law
def _finish(world: World, row: Any, outcome: int) -> None:
    """Close the job's books at the time that the phone has reached."""
    state = world.state[row.phone]
    row.outcome = outcome
    row.finish_us = state.t_us
    if row.start_us < 0:
        row.start_us = state.t_us
    else:
        _books(world, row, 1)
    row.tail_uj = state.tail_uj - state.booked_tail_uj
    state.booked_tail_uj = state.tail_uj
    row.energy_uj = row.promotion_uj + row.radio_uj + row.tail_uj + row.cpu_uj + row.own_uj
    state.downloaded_bytes += row.downloaded_bytes
    state.uploaded_bytes += row.uploaded_bytes
    row.battery_uj = state.battery_uj
    row.cell_end_us = state.cell_end_us
    row.wifi_end_us = state.wifi_end_us
    state.busy_until_us = row.finish_us


@law
def _limit_us(world: World, row: Any) -> int:
    return int(min(row.deadline_us, world.traits[row.phone].leave_us))


@law
def cut_at(world: World, row: Any, otherwise: int) -> int:
    """Return why a job ends at its limit: its phone left, or else *otherwise*."""
    left = world.state[row.phone].t_us >= world.traits[row.phone].leave_us
    return _LOST_LEFT if left else otherwise


@law
def _refusal(world: World, row: Any) -> int:
    """Return why the phone turns the job down now, or 0."""
    traits = world.traits[row.phone]
    if row.runtime > traits.runtime:
        return _REFUSED_RUNTIME
    if row.ram_bytes > traits.ram_bytes - traits.system_ram_bytes:
        return _REFUSED_RAM
    if row.storage_bytes > traits.free_storage_bytes:
        return _REFUSED_STORAGE
    if world.state[row.phone].battery_uj < traits.floor_uj:
        return _REFUSED_BATTERY
    return 0


@law
def _revival_us(world: World, phone: int) -> int:
    """Return when a dead phone may be on again: charged to its boot level, or at a new charger."""
    state = world.state[phone]
    charger_uw, until_us = charger_at(world, phone, state.t_us)
    if charger_uw == 0:
        return until_us
    missing_uj = world.traits[phone].boot_uj - state.battery_uj
    return min(until_us, reached(charger_uw, state.t_us, missing_uj))


@law
def _give_up(world: World, row: Any, limit_us: int) -> None:
    """End a job at its limit while its phone is busy with another, which hears nothing of it."""
    row.outcome = _LOST_LEFT if limit_us >= world.traits[row.phone].leave_us else _LATE
    row.start_us = row.finish_us = max(limit_us, row.plan_us)
    row.battery_uj = row.cell_end_us = row.wifi_end_us = -1


@law
def begin(world: World, row: Any) -> bool:
    """Wait until the phone is free, on and in the state that the job needs; start, or end it."""
    state = world.state[row.phone]
    limit_us = _limit_us(world, row)
    if state.busy_until_us > row.plan_us and state.busy_until_us >= limit_us:
        _give_up(world, row, limit_us)
        return False
    advance(world, row.phone, max(row.plan_us, state.busy_until_us, state.t_us), 0, 0, 0, False)
    state.busy_until_us = NEVER_US
    while True:
        hindrance, until_us = hindered_at(world, row, state.t_us)
        if state.dead:
            hindrance, until_us = _LOST_DEAD, _revival_us(world, row.phone)
        if state.t_us >= limit_us or state.t_us >= world.traits[row.phone].leave_us:
            _finish(world, row, cut_at(world, row, hindrance if hindrance else _LATE))
            return False
        if hindrance == 0:
            break
        advance(world, row.phone, min(until_us, limit_us), 0, 0, 0, False)
    row.start_us = state.t_us
    _books(world, row, -1)
    refusal = _refusal(world, row)
    if refusal:
        _finish(world, row, refusal)
    return refusal == 0


@law
def rest(state: Any, radio: int) -> None:
    """Note the end of a radio's use: its tail begins."""
    if radio == CELLULAR:
        state.cell_end_us = state.t_us
    elif radio != NO_RADIO:
        state.wifi_end_us = state.t_us


@law
def connect(world: World, row: Any, radio: int, limit_us: int) -> int:
    """Promote *radio* and shake hands, up to the limit at most; return the round-trip time."""
    phone = row.phone
    state, traits = world.state[phone], world.traits[phone]
    cell = radio == CELLULAR
    number = traits.radio if cell else traits.wifi
    law = world.radios[number]
    promotion_us, promotion_uw = promotion_at(
        law, state.cell_end_us if cell else state.wifi_end_us, state.t_us
    )
    if cell:
        state.cell_end_us = -1
    else:
        state.wifi_end_us = -1
    end_us = min(state.t_us + promotion_us, limit_us)
    advance(world, phone, end_us, promotion_uw, 0, 0, True)
    rtt_us, shaken_us = law.rtt_us, law.rtt_us * law.handshakes
    if len(world.quality) > 0:
        quality, start_us = world.quality[number], state.t_us
        rtt_us = rtt_at(world.keys.trips, phone, start_us, quality)
        shaken_us = handshake_us(
            world.keys.losses, phone, start_us, rtt_us, law.handshakes, quality
        )
    if not state.dead:
        end_us = min(state.t_us + shaken_us, limit_us)
        advance(world, phone, end_us, 0, law.base_uw, 0, True)
    return int(rtt_us)


@law
def rate_of(world: World, phone: int, radio: int, rate: int, rtt_us: int) -> int:
    """Return what loss leaves of *rate*; recorded cellular rates have theirs in them already."""
    if len(world.quality) == 0:
        return rate
    traits = world.traits[phone]
    if radio == CELLULAR and traits.rate_series >= 0:
        return rate
    return int(
        goodput(rate, rtt_us, world.quality[traits.radio if radio == CELLULAR else traits.wifi])
    )


@law
def window_of(world: World, phone: int, radio: int) -> int:
    """Return the window of a new connection over *radio* in bytes; 0: no slow start."""
    traits = world.traits[phone]
    return int(world.radios[traits.radio if radio == CELLULAR else traits.wifi].window_bytes)


@law
def _meet(world: World, row: Any, nbytes: int, up: bool) -> tuple[int, int]:
    """Move *nbytes* over the direct link, set up once a job; return (moved, outcome)."""
    phone, link = row.phone, world.direct[0]
    state = world.state[phone]
    limit_us, moved = _limit_us(world, row), 0
    if nbytes > 0 and not (up and row.down_bytes > 0):
        ready_us = min(state.t_us + link.setup_us, limit_us)
        advance(world, phone, ready_us, link.setup_uw, 0, 0, True)
    power_uw = link.sender_uw if up else link.receiver_uw
    while moved < nbytes and not state.dead:
        presence, until_us = presence_at(world, phone, state.t_us)
        if state.t_us >= limit_us:
            return moved, cut_at(world, row, _LATE)
        if presence <= OFF:
            return moved, _LOST_COVERAGE
        cause, watched_us = transfer_interrupted_at(world, row, state.t_us)
        if cause:
            return moved, cause
        until_us = min(until_us, watched_us)
        start_us = state.t_us
        end_us = min(reached(link.rate, start_us, nbytes - moved), until_us, limit_us)
        end_us = advance(world, phone, end_us, 0, power_uw, 0, True)
        moved += min(between(link.rate, start_us, end_us), nbytes - moved)
    return moved, _LOST_DEAD if state.dead else _DONE


@law
def _transfer(world: World, row: Any, nbytes: int, up: bool) -> tuple[int, int]:
    """Move *nbytes* over whatever link there is, resuming after gaps; return (moved, outcome)."""
    if needs_direct(row):
        return _meet(world, row, nbytes, up)
    phone = row.phone
    state, traits = world.state[phone], world.traits[phone]
    limit_us = _limit_us(world, row)
    unmetered = needs_unmetered(row)
    moved, radio, rtt_us = 0, NO_RADIO, 0
    window, burst, round_us = 0, 0, 0
    while moved < nbytes:
        found, down_rate, up_rate, until_us = link_at(world, phone, state.t_us, unmetered)
        rate = up_rate if up else down_rate
        if rate == 0:
            found = NO_RADIO
        if state.t_us >= limit_us:
            rest(state, radio)
            return moved, cut_at(world, row, _LOST_COVERAGE if found == NO_RADIO else _LATE)
        cause, watched_us = transfer_interrupted_at(world, row, state.t_us)
        if cause:
            rest(state, radio)
            return moved, cause
        until_us = min(until_us, watched_us)
        if found != radio:
            rest(state, radio)
            radio = found
            if found != NO_RADIO:
                rtt_us = connect(world, row, found, limit_us)
                window = burst = window_of(world, phone, found)
                round_us = state.t_us + rtt_us
        elif found == NO_RADIO:
            advance(world, phone, min(until_us, limit_us), 0, 0, 0, True)
        else:
            law = world.radios[traits.radio if found == CELLULAR else traits.wifi]
            start_us, until_us, left = state.t_us, min(until_us, limit_us), nbytes - moved
            rate = rate_of(world, phone, found, rate, rtt_us)
            window, burst, round_us = next_round(window, burst, round_us, rtt_us, start_us)
            if window > 0:  # the window is not open yet: a burst, then silence
                left, until_us = min(left, burst), min(until_us, round_us)
                rate = rate if burst > 0 else 0
            end_us = until_us if rate == 0 else min(reached(rate, start_us, left), until_us)
            end_us = advance(world, phone, end_us, 0, active_uw(law, rate, up), 0, True)
            sent = min(between(rate, start_us, end_us), left)
            moved, burst = moved + sent, burst - sent
        if state.dead:
            return moved, _LOST_DEAD
    rest(state, radio)
    return moved, _DONE


@law
def end_download(world: World, row: Any, moved: int, outcome: int) -> bool:
    """Note what was received, and end the job where that failed."""
    row.downloaded_bytes = moved
    if outcome != _DONE:
        _finish(world, row, outcome)
        return False
    row.down_end_us = world.state[row.phone].t_us
    return True


@law
def download(world: World, row: Any) -> bool:
    """Receive what the job needs; end the job where that fails."""
    moved, outcome = _transfer(world, row, row.down_bytes, False)
    return bool(end_download(world, row, moved, outcome))


@law
def compute_us(world: World, row: Any) -> int:
    """Return how long the phone computes at full speed: operators, arithmetic, memory traffic.

    A job with ``load_bytes >= 0`` reads its model and data first. Where no process is left of the
    job before, the phone wakes up and starts one.
    """
    traits, state = world.traits[row.phone], world.state[row.phone]
    work_us = (
        row.operators * traits.operator_ns // 1000
        + reached(traits.flops_per_s, 0, row.flops)
        + reached(traits.memory_bytes_per_s, 0, row.moved_bytes)
    )
    if row.load_bytes < 0:
        return int(work_us)
    work_us += reached(traits.storage_bytes_per_s, 0, row.load_bytes)
    if state.t_us >= state.process_until_us:
        work_us += _WAKE_US + traits.process_start_us
    return int(work_us)


@law
def compute(world: World, row: Any) -> bool:
    """Do the job's computation; end the job where the phone is taken away from it."""
    phone = row.phone
    state, traits = world.state[phone], world.traits[phone]
    limit_us = _limit_us(world, row)
    start_us = state.t_us
    throttled_us, end_us = computing_ends(traits, state, start_us, compute_us(world, row))
    spare_bytes = traits.ram_bytes - traits.system_ram_bytes - traits.apps_ram_bytes
    outcome = _DONE
    while state.t_us < end_us:
        presence, until_us = presence_at(world, phone, state.t_us)
        cause, needed_us = interrupted_at(world, row, state.t_us)
        if state.t_us >= limit_us:
            outcome = cut_at(world, row, _LATE)
        elif presence == GONE:
            outcome = _LOST_LEFT
        elif cause:
            outcome = cause
        elif presence == OFF or (presence == IN_USE and row.ram_bytes > spare_bytes):
            outcome = _LOST_KILLED
        if outcome != _DONE:
            break
        until_us, cpu_uw = min(until_us, needed_us, end_us, limit_us), traits.cpu_uw
        if state.t_us >= throttled_us:
            cpu_uw = cpu_uw * traits.throttle_percent // 100
        else:
            until_us = min(until_us, throttled_us)
        advance(world, phone, until_us, 0, 0, cpu_uw, True)
        if state.dead:
            outcome = _LOST_DEAD
            break
    heat_up(traits, state, start_us, state.t_us)
    if row.load_bytes >= 0:
        state.process_until_us = state.t_us + PROCESS_KEPT_US if outcome == _DONE else 0
    if outcome != _DONE:
        _finish(world, row, outcome)
        return False
    row.compute_end_us = state.t_us
    return True


@law
def end_upload(world: World, row: Any, moved: int, outcome: int) -> None:
    """Note what was sent, and end the job."""
    row.uploaded_bytes = moved
    _finish(world, row, outcome)


@law
def upload(world: World, row: Any) -> None:
    """Send the result and end the job."""
    moved, outcome = _transfer(world, row, row.up_bytes, True)
    end_upload(world, row, moved, outcome)


@law
def _play(world: World, rows: JobArray, low: int, high: int) -> None:
    for k in range(low, high):
        row = rows[k]
        if begin(world, row) and download(world, row) and compute(world, row):
            upload(world, row)


def play_cohort(world: World, rows: JobArray, threads: int | None = None) -> None:
    """Play all jobs to their end; the jobs of one phone in the order of planning.

    Phones share nothing, so the rows do not depend on the number of *threads* (None: one a
    processor).
    """
    phones = rows["phone"]
    if (phones[1:] > phones[:-1]).all():
        in_threads(lambda low, high: _play(world, rows, low, high), len(rows), threads)
    else:  # a phone may have several jobs, which must not be played at once
        _play(world, rows, 0, len(rows))


@law
def _phase(world: World, row: Any, phase: int) -> bool:
    if phase == 0:
        return begin(world, row)
    if phase == 1:
        return download(world, row)
    if phase == 2:
        return compute(world, row)
    upload(world, row)
    return False


@law
def _takes_no_time(world: World, row: Any, phase: int) -> bool:
    if phase == 1:
        return bool(row.down_bytes == 0)
    if phase == 2:
        return compute_us(world, row) == 0
    return bool(row.up_bytes == 0)


@kernel
def play_phase(batch: Any, k: int, phase: int) -> int:
    """Play one phase (0: begin, 1: download, 2: compute, 3: upload) of job *k* of a ``Batch``.

    Phases that take no time are played with the one before them: so a phone is free again at the
    very time at which its job ends, as in cohort play, and not an event later.

    Returns four times the time reached, plus the number of the next phase (0: the job has ended).
    """
    world, row = batch.world, batch.rows[k]
    follows = _phase(world, row, phase)
    while follows and _takes_no_time(world, row, phase + 1):
        phase += 1
        follows = _phase(world, row, phase)
    if follows:
        return int(4 * world.state[row.phone].t_us + phase + 1)
    return int(4 * row.finish_us)


@kernel
def limit_of(batch: Any, k: int) -> int:
    """Return the time at which job *k* of a ``Batch`` ends whatever its phone does."""
    return max(_limit_us(batch.world, batch.rows[k]), int(batch.rows[k].plan_us))
