"""From what a device took to the row of a job: times, bytes, and energy by the phone's laws.

A device's energy is told by its battery at best for the whole device. What a job's columns hold is
the phone's power profile x the measured CPU time, on top of the modelled life of its row.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.fleets.model_job import ModelJob, Ran, Result
from droidloop.devices.phone.battery import advance
from droidloop.devices.phone.play import play_cohort
from droidloop.devices.phone.presence import leaves_us
from droidloop.devices.population.population import Population
from droidloop.platform.jobs import ENERGY_PARTS, Outcome
from droidloop.platform.tables import TABLES

_GROWING = tuple(name for name in ENERGY_PARTS if name != "tail_uj")
_TAKEN = (
    *("sent_bytes", "sent_us", "load_us", "wall_us", "cpu_us"),
    *("peak_rss_bytes", "received_bytes", "received_us"),
)

MODELLED, POWER_SUPPLY = "modelled", "power_supply"
_NEVER_US = 2**62


@dataclass(frozen=True)
class Spans:
    """When the phases of a measured job ended, if nothing cuts it short; -1: not reached."""

    outcome: Outcome
    start_us: int
    down_end_us: int = -1
    compute_end_us: int = -1
    end_us: int = -1
    cpu_us: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0


def spans_of(ran: Ran, start_us: int, *, uploads: bool) -> Spans:
    """Return the phases of a job that came to its end and began at *start_us*.

    A job that *uploads* nothing ends with its computation: that its outputs are fetched and
    compared is our doing.
    """
    down_end_us = start_us + ran.sent_us
    compute_end_us = down_end_us + ran.wall_us
    received_us, received_bytes = (ran.received_us, ran.received_bytes) if uploads else (0, 0)
    return Spans(
        Outcome.DONE,
        start_us,
        down_end_us,
        compute_end_us,
        compute_end_us + received_us,
        ran.cpu_us,
        ran.sent_bytes,
        received_bytes,
    )


def limit_of(population: Population, row: np.void) -> int:
    """Return when the job ends whatever its device does: its deadline, or its phone leaves."""
    return min(int(row["deadline_us"]), _leaves_us(population, row))


def _leaves_us(population: Population, row: np.void) -> int:
    return leaves_us(population.traits[row["phone"]], population.state[row["phone"]])


def _cut(population: Population, row: np.void, t_us: int) -> Outcome:
    left = t_us >= _leaves_us(population, row)
    return Outcome.LOST_LEFT if left else Outcome.LATE


def give_up(population: Population, row: np.void, limit_us: int) -> None:
    """End a job that could not begin before its limit; its phone hears nothing of it."""
    row["outcome"] = _cut(population, row, limit_us)
    row["start_us"] = row["finish_us"] = max(limit_us, int(row["plan_us"]))
    row["battery_uj"] = row["cell_end_us"] = row["wifi_end_us"] = -1


def book(population: Population, row: np.void, spans: Spans, limit_us: int) -> None:
    """Write outcome, times, bytes and energy of a measured job; the phone's state stays.

    What ends after *limit_us* is cut there. A phone whose row runs empty meanwhile is dead.
    """
    phone = int(row["phone"])
    state, before = population.state[phone], population.state[phone].copy()
    try:
        advance(population.world, phone, spans.start_us, 0, 0, 0, False)
        at_start = state.copy()
        end_us, died = _live(population, row, spans, min(spans.end_us, limit_us))
        _outcome(population, row, spans, end_us, died)
        for name in (*_GROWING, "accepted_uj"):
            row[name] = state[name] - at_start[name]
        row["tail_uj"] = state["tail_uj"] - before["booked_tail_uj"]
        row["energy_uj"] = sum(int(row[name]) for name in ENERGY_PARTS)
        for name in ("battery_uj", "cell_end_us", "wifi_end_us"):
            row[name] = state[name]
    finally:
        population.state[phone] = before


def _live(population: Population, row: np.void, spans: Spans, last_us: int) -> tuple[int, bool]:
    """Move the phone's accounts through the phases; return when the job ended, and if by death."""
    world, phone = population.world, int(row["phone"])
    cpu_uw = int(population.traits["cpu_uw"][phone])
    wall_us = max(1, spans.compute_end_us - spans.down_end_us)
    reached_us = spans.start_us
    for end_us, power_uw in (
        (spans.down_end_us, 0),
        (spans.compute_end_us, cpu_uw * spans.cpu_us // wall_us),
        (last_us, 0),
    ):
        goal_us = max(reached_us, min(end_us, last_us))
        reached_us = advance(world, phone, goal_us, 0, 0, power_uw, True)
        if population.state["dead"][phone]:
            return reached_us, True
    return last_us, False


def _outcome(population: Population, row: np.void, spans: Spans, end_us: int, died: bool) -> None:
    """Write outcome, times and bytes of a job that ended at *end_us*."""
    cut = end_us < spans.end_us
    row["start_us"], row["finish_us"] = spans.start_us, end_us
    for name in ("down_end_us", "compute_end_us"):
        reached_us = getattr(spans, name)
        row[name] = reached_us if reached_us <= end_us else -1
    row["outcome"] = spans.outcome
    if died:
        row["outcome"] = Outcome.LOST_DEAD
    elif cut and not spans.outcome.failed:
        row["outcome"] = _cut(population, row, end_us)
    row["downloaded_bytes"] = _moved(spans.sent_bytes, spans.start_us, spans.down_end_us, end_us)
    row["uploaded_bytes"] = _moved(spans.received_bytes, spans.compute_end_us, spans.end_us, end_us)


def _moved(nbytes: int, start_us: int, end_us: int, now_us: int) -> int:
    """Return how many of *nbytes* had been moved at *now_us*, at an even rate."""
    if now_us >= end_us:
        return nbytes
    if now_us <= start_us:
        return 0
    return nbytes * (now_us - start_us) // (end_us - start_us)


@dataclass(frozen=True)
class StepLaw:
    """What training in LiteRT costs a device beside starting and reading; see ``Profile``."""

    step_us: float
    cell_ns: float

    def work_us(self, order: ModelJob) -> float:
        """Return what all steps of *order* take."""
        cells = len(order.inputs["rows"]) * order.inputs["slots"].shape[-1]
        return float(order.steps * (self.step_us + cells * self.cell_ns / 1000.0))


def modelled(
    population: Population, row: np.void, order: ModelJob | None = None, law: StepLaw | None = None
) -> np.void:
    """Return *row* as the laws would have played it on the same phone; the phone's state stays.

    Where the device worked on *order*, it was awake and started a process for it alone, whereas
    simulated phones wake up and keep their process. A *law* was calibrated: what it says of
    starting and of arithmetic holds all that an operator costs, and it knows training steps.
    """
    phone = int(row["phone"])
    before = population.state[phone].copy()
    rows = np.array([row], row.dtype)
    if order is not None:
        flops_per_us = int(population.traits["flops_per_s"][phone]) / 1e6
        starts_us = float(population.traits["process_start_us"][phone])
        population.state[phone]["process_until_us"] = _NEVER_US  # else the law adds waking up
        if law is not None:
            rows["moved_bytes"] = rows["operators"] = 0
            if order.feedback and isinstance(order.model, Path):
                rows["load_bytes"] = order.model.stat().st_size
                rows["flops"] = round(law.work_us(order) * flops_per_us)
        rows["flops"] += round(starts_us * flops_per_us)
    play_cohort(population.world, rows)
    population.state[phone] = before
    played: np.void = rows[0]
    return played


def measured(row: np.void, law: np.void, result: Result, energy_uj: int) -> dict[str, Any]:
    """Return what was measured of a job beside what the laws say, as a row of ``measures``.

    Args:
        row: the job as it ended.
        law: the same job as the laws play it.
        result: what the device gave.
        energy_uj: of the whole device by its battery; -1: not told.
    """
    one: dict[str, Any] = {column.name: -1 for column in TABLES["measures"].columns}
    one["t_us"] = row["finish_us"]
    for name in ("job", "phone", "kind"):
        one[name] = row[name]
    if isinstance(result, Ran):
        for name in _TAKEN:
            one[name] = getattr(result, name)
        one["invoke_us"] = int(result.invoke_us.sum())
    one["energy_uj"] = energy_uj
    one["energy_source"] = MODELLED if energy_uj < 0 else POWER_SUPPLY
    one["modelled_outcome"], one["modelled_energy_uj"] = law["outcome"], law["energy_uj"]
    phases = ("start_us", "down_end_us", "compute_end_us", "finish_us")
    for name, first, last in zip(("down", "compute", "up"), phases, phases[1:], strict=False):
        if law[first] >= 0 and law[last] >= 0:
            one[f"modelled_{name}_us"] = law[last] - law[first]
    return one
