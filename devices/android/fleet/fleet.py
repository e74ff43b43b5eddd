"""The fleet of real devices: a job is sent whole, and ends when the device says so.

Real devices stop the clock: ``run`` blocks in wall time until all jobs of the batch are back, each
with its measured duration, and nothing later than the decision is handled meanwhile. Jobs that are
decided at one instant run in parallel, one thread a device. Deadline and departure are applied to
the result. What the phone's row says of presence and links does not hold a real device back.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
import simpy

from droidloop.devices.android.conditions.conditions import Imposed
from droidloop.devices.android.conditions.imposing import Hold, conditions_of
from droidloop.devices.android.errors import AndroidError
from droidloop.devices.fleets.apply_job import follow
from droidloop.devices.fleets.device_outputs import Evidence
from droidloop.devices.fleets.fleet import EndsKnown, end_of
from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Result, Runner
from droidloop.devices.fleets.work import Work, WrongOutputError
from droidloop.devices.population.population import Population
from droidloop.platform.engine import Engine, Start
from droidloop.platform.jobs import LEARNING, Jobs, Outcome
from droidloop.platform.state import Tree

from .booking import Spans, StepLaw, book, give_up, limit_of, measured, modelled, spans_of
from .harms import Harm
from .setup import PLAIN, Setup
from .vetting import believed, cleaned, vetted

BACK_S, STILL_GONE_S = 20.0, 1.0
STRIKES = 3
"""Wrong outputs of a device after which it is given no job any more: one may be a fault of a
transfer or of memory, three of a device that lies or is broken."""

QUARANTINED = "gave wrong outputs before and gets no job in this run"

Meter = Callable[[], int | None]
"""Returns the power that leaves a device's battery now in microwatts; None where not told."""


@dataclass(frozen=True)
class Attachment:
    """A real device in the place of a phone of the population.

    Attributes:
        serial: what adb calls it.
        phone: the row that it stands for.
        runner: runs jobs on it.
        same_instructions: whether it computes with this host's instructions, so that integers
            and orders of sums are the same.
        meter: of its battery; None where it tells nothing.
        wait: waits so many seconds at most until the device takes commands, as after a lost link;
            raises AndroidError where it does not. None where it always does.
        hold: has the device show its row's link and battery during a job; None: it stays as it is.
        law: of its training, where its profile was calibrated.
        setup: how it works, its label among that.
        logcat: reads the end of its log; None where it has none.
        harms: what a plan of faults can do to it, by the kind of the fault.
    """

    serial: str
    phone: int
    runner: Runner
    same_instructions: bool = True
    meter: Meter | None = None
    wait: Callable[[float], object] | None = None
    hold: Hold | None = None
    law: StepLaw | None = None
    setup: Setup = PLAIN
    logcat: Callable[[], str] | None = None
    harms: Mapping[str, Harm] = field(default_factory=dict)


@dataclass(frozen=True)
class _Took:
    """What a device gave, how long that took on the wall clock, and what its battery gave.

    *not_imposed* has reasons by the name of what the device did not show; *there*: whether it was
    found at all.
    """

    result: Result
    elapsed_us: int
    energy_uj: int
    not_imposed: Mapping[str, str] = field(default_factory=dict)
    order: ModelJob | None = None
    there: bool = True
    logcat: str = ""


@final
class AndroidFleet(EndsKnown):
    """Plays jobs on the devices *attached*; rows of other phones are not its business."""

    def __init__(
        self,
        engine: Engine,
        population: Population,
        attached: list[Attachment],
        evidence: Evidence,
        strikes: int = STRIKES,
    ) -> None:
        self._engine = engine
        self._strikes = dict.fromkeys((one.phone for one in attached), strikes)
        self._population = population
        self._attached = {one.phone: one for one in attached}
        self._evidence = evidence
        self._patience_s = dict.fromkeys(self._attached, BACK_S)

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Do *jobs* on their devices now; see ``Fleet.run``. *work* is needed.

        Raises:
            ValueError: there is no work, or a job is for a phone that is not attached.
        """
        if work is None:
            raise ValueError("real devices need the work that the jobs carry")
        queues: dict[int, list[int]] = {}
        for k, phone in enumerate(jobs["phone"].tolist()):
            if phone not in self._attached:
                raise ValueError(f"no device is attached as phone {phone}")
            queues.setdefault(phone, []).append(k)
        took = self._do(jobs, work, queues)
        for k, row in enumerate(jobs.rows):
            self._close(row, took.get(k), k, work)
        return end_of(self._engine, jobs)

    def state(self, places: Mapping[simpy.Event, int]) -> Tree:
        """Return how many wrong outputs each device has left, and what was noted of them."""
        strikes = [[phone, left] for phone, left in sorted(self._strikes.items())]
        return {"strikes": strikes, "evidence": self._evidence.state()}

    def restore(self, tree: Tree) -> list[Start]:
        """Know what *tree* says; nothing goes on by itself. See ``Lasting.restore``."""
        self._strikes = {phone: left for phone, left in tree["strikes"]}
        self._evidence.restore(tree["evidence"])
        return []

    def _do(self, jobs: Jobs, work: Work, queues: Mapping[int, list[int]]) -> dict[int, _Took]:
        """Return what came of each job that a device has tried: all devices at once."""

        def serve(phone: int) -> dict[int, _Took]:
            device = self._attached[phone]
            return {
                k: self._timed(device, work, k, int(jobs["plan_us"][k]))
                for k in queues[phone]
                if limit_of(self._population, jobs.rows[k]) > int(jobs["plan_us"][k])
            }

        with ThreadPoolExecutor(max(1, len(queues)), "droidloop-device") as pool:
            parts = list(pool.map(serve, queues))
        return {k: took for part in parts for k, took in part.items()}

    def _timed(self, device: Attachment, work: Work, k: int, t_us: int) -> _Took:
        """Do job *k* on *device*, with the conditions of *t_us* if any are to be held there."""
        if self._strikes[device.phone] <= 0:
            return _Took(Failed(Outcome.FAILED_OUTPUT, QUARANTINED), 0, -1)
        order = work.order(k)
        absent = self._await(device)
        if absent is not None:
            return _Took(absent, 0, -1, there=False)
        took: _Took | None = None
        begin = time.monotonic_ns()
        try:
            with self._held(device, t_us) as imposed:
                took = _measured(device, order, meter=not imposed.battery)
                took = replace(took, not_imposed=imposed.reasons, order=order)
        except AndroidError as error:  # the conditions were not held, or not taken back
            if took is None or isinstance(took.result, Ran):
                return _Took(Failed(error.outcome, str(error)), _us_since(begin), -1)
        assert took is not None
        return replace(took, logcat=_logcat(device)) if isinstance(took.result, Failed) else took

    def _held(self, device: Attachment, t_us: int) -> AbstractContextManager[Imposed]:
        if device.hold is None:
            return nullcontext(Imposed())
        return device.hold(*conditions_of(self._population, device.phone, t_us))

    def _await(self, device: Attachment) -> Failed | None:
        """Give *device* time to come back, less once it has not; return why it did not."""
        if device.wait is None:
            return None
        try:
            device.wait(self._patience_s[device.phone])
        except AndroidError as error:
            self._patience_s[device.phone] = STILL_GONE_S
            return Failed(error.outcome, str(error))
        self._patience_s[device.phone] = BACK_S
        return None

    def _close(self, row: np.void, took: _Took | None, k: int, work: Work) -> None:
        """Fill in *row*, move its phone on, and hand over what the device computed."""
        population, state = self._population, self._population.state[row["phone"]]
        start_us = max(int(row["plan_us"]), int(state["busy_until_us"]), int(state["t_us"]))
        limit_us = limit_of(population, row)
        if took is None or start_us >= limit_us:
            give_up(population, row, limit_us)
            return
        self._evidence.seen(int(row["plan_us"]), int(row["phone"]), there=took.there)
        for what, reason in took.not_imposed.items():
            self._evidence.not_imposed(int(row["plan_us"]), int(row["phone"]), what, reason)
        law = modelled(population, row, took.order, self._attached[int(row["phone"])].law)
        spans = _spans(took, start_us, uploads=bool(row["up_bytes"] > 0))
        row["measured"] = True
        book(population, row, spans, limit_us)
        if isinstance(took.result, Failed):
            logs = {"runner": took.result.log, "logcat": cleaned(took.logcat)}
            self._blame(row)
            self._evidence.failed(int(row["job"]), int(row["phone"]), took.result.message, logs)
        elif row["compute_end_us"] >= 0:
            self._accept(row, took.result, k, work)
        follow(population, row)
        self._evidence.measured(measured(row, law, took.result, took.energy_uj))

    def _blame(self, row: np.void) -> None:
        """Count a wrong output against the device that gave it; see ``STRIKES``."""
        phone = int(row["phone"])
        if row["outcome"] != Outcome.FAILED_OUTPUT or self._strikes[phone] <= 0:
            return
        self._strikes[phone] -= 1
        if self._strikes[phone] == 0:
            serial = self._attached[phone].serial
            self._evidence.failed(int(row["job"]), phone, f"{serial}: {QUARANTINED} from now on")

    def _accept(self, row: np.void, ran: Ran, k: int, work: Work) -> None:
        job = int(row["job"])
        try:
            work.accept(k, ran.outputs)
        except WrongOutputError as error:
            row["outcome"] = Outcome.FAILED_OUTPUT
            row["compute_end_us"] = -1  # nothing that counts has been computed
            self._evidence.failed(job, int(row["phone"]), str(error))
            self._blame(row)
        else:
            if row["kind"] in LEARNING:
                self._evidence.keep(job, ran.outputs)


def _spans(took: _Took, start_us: int, *, uploads: bool) -> Spans:
    if isinstance(took.result, Ran):
        return spans_of(took.result, start_us, uploads=uploads)
    # a device that refuses does so at once; one that fails has taken its time
    refused = took.result.outcome.refused
    end_us = start_us if refused else start_us + took.elapsed_us
    return Spans(took.result.outcome, start_us, end_us=end_us)


def _measured(device: Attachment, order: ModelJob, *, meter: bool) -> _Took:
    """Do *order* on *device*; its battery's power is the mean of before and after."""
    read = device.meter if meter else None
    before_uw = None if read is None else believed(read())
    begin = time.monotonic_ns()
    result = vetted(device.runner.run(order), order)
    elapsed_us = _us_since(begin)
    after_uw = None if read is None else believed(read())
    if before_uw is None or after_uw is None:
        return _Took(result, elapsed_us, -1)
    return _Took(result, elapsed_us, (before_uw + after_uw) // 2 * elapsed_us // 1_000_000)


def _logcat(device: Attachment) -> str:
    """Return the end of the log of *device*, '' where it does not give it."""
    try:
        return "" if device.logcat is None else device.logcat()
    except AndroidError:
        return ""  # the job's own failure says that it is gone


def _us_since(begin_ns: int) -> int:
    return (time.monotonic_ns() - begin_ns) // 1000
