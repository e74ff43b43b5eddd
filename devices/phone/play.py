"""The law of a job: wait, download, compute, upload; one phase at a time.

Each phase is one function on one job. Cohort play calls the four in a loop, exact play calls each
from a SimPy process at its virtual time: the same law, two callers, equal rows.
"""

from typing import Any

from droidloop.platform.jobs import JobArray, Outcome
from droidloop.platform.law import is_kept, kernel, law
from droidloop.platform.units import NEVER_US, SECOND_US, reached
from droidloop.platform.workers import in_threads

from .battery import advance
from .charging import charger_at
from .faults import Ill, fault_at
from .needs import hindered_at, interrupted_at
from .presence import GONE, IN_USE, OFF, leaves_us, presence_at
from .thermal import computing_ends, heat_up
from .transfer import DONE, LATE, LOST_DEAD, LOST_LEFT, cut_at, limit_at, transfer
from .world import World

_REFUSED_RAM = int(Outcome.REFUSED_RAM)
_REFUSED_STORAGE = int(Outcome.REFUSED_STORAGE)
_REFUSED_BATTERY = int(Outcome.REFUSED_BATTERY)
_REFUSED_RUNTIME = int(Outcome.REFUSED_RUNTIME)
_FULL = int(Ill.FULL)
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
def _refusal(world: World, row: Any) -> int:
    """Return why the phone turns the job down now, or 0."""
    traits = world.traits[row.phone]
    if row.runtime > traits.runtime:
        return _REFUSED_RUNTIME
    if row.ram_bytes > traits.ram_bytes - traits.system_ram_bytes:
        return _REFUSED_RAM
    if row.storage_bytes > traits.free_storage_bytes:
        return _REFUSED_STORAGE
    if row.storage_bytes > 0 and traits.faults != 0:
        full, _ = fault_at(
            world.faults,
            world.windows,
            traits.faults,
            row.phone,
            _FULL,
            world.state[row.phone].t_us,
        )
        if full:
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
    leave_us = leaves_us(world.traits[row.phone], world.state[row.phone])
    row.outcome = LOST_LEFT if limit_us >= leave_us else LATE
    row.start_us = row.finish_us = max(limit_us, row.plan_us)
    row.battery_uj = row.cell_end_us = row.wifi_end_us = -1


@law
def begin(world: World, row: Any) -> bool:
    """Wait until the phone is free, on and in the state that the job needs; start, or end it."""
    state = world.state[row.phone]
    limit_us = limit_at(world, row)
    if state.busy_until_us > row.plan_us and state.busy_until_us >= limit_us:
        _give_up(world, row, limit_us)
        return False
    advance(world, row.phone, max(row.plan_us, state.busy_until_us, state.t_us), 0, 0, 0, False)
    state.busy_until_us = NEVER_US
    while True:
        hindrance, until_us = hindered_at(world, row, state.t_us)
        if state.dead:
            hindrance, until_us = LOST_DEAD, _revival_us(world, row.phone)
        if state.t_us >= limit_us or state.t_us >= leaves_us(world.traits[row.phone], state):
            _finish(world, row, cut_at(world, row, hindrance if hindrance else LATE))
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
def end_download(world: World, row: Any, moved: int, outcome: int) -> bool:
    """Note what was received, and end the job where that failed."""
    row.downloaded_bytes = moved
    if outcome != DONE:
        _finish(world, row, outcome)
        return False
    row.down_end_us = world.state[row.phone].t_us
    return True


@law
def download(world: World, row: Any) -> bool:
    """Receive what the job needs; end the job where that fails."""
    moved, outcome = transfer(world, row, row.down_bytes, False)
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
    limit_us = limit_at(world, row)
    start_us = state.t_us
    throttled_us, end_us = computing_ends(traits, state, start_us, compute_us(world, row))
    spare_bytes = traits.ram_bytes - traits.system_ram_bytes - traits.apps_ram_bytes
    outcome = DONE
    while state.t_us < end_us:
        presence, until_us = presence_at(world, phone, state.t_us)
        cause, needed_us = interrupted_at(world, row, state.t_us)
        if state.t_us >= limit_us:
            outcome = cut_at(world, row, LATE)
        elif presence == GONE:
            outcome = LOST_LEFT
        elif cause:
            outcome = cause
        elif presence == OFF or (presence == IN_USE and row.ram_bytes > spare_bytes):
            outcome = _LOST_KILLED
        if outcome != DONE:
            break
        until_us, cpu_uw = min(until_us, needed_us, end_us, limit_us), traits.cpu_uw
        if state.t_us >= throttled_us:
            cpu_uw = cpu_uw * traits.throttle_percent // 100
        else:
            until_us = min(until_us, throttled_us)
        advance(world, phone, until_us, 0, 0, cpu_uw, True)
        if state.dead:
            outcome = LOST_DEAD
            break
    heat_up(traits, state, start_us, state.t_us)
    if row.load_bytes >= 0:
        state.process_until_us = state.t_us + PROCESS_KEPT_US if outcome == DONE else 0
    if outcome != DONE:
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
    moved, outcome = transfer(world, row, row.up_bytes, True)
    end_upload(world, row, moved, outcome)


@law
def _play(world: World, rows: JobArray, low: int, high: int) -> None:
    for k in range(low, high):
        row = rows[k]
        if begin(world, row) and download(world, row) and compute(world, row):
            upload(world, row)


def is_play_kept() -> bool:
    """Whether ``play_cohort`` has been compiled, by this process or an earlier one."""
    return is_kept(_play)


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
    return max(limit_at(batch.world, batch.rows[k]), int(batch.rows[k].plan_us))
