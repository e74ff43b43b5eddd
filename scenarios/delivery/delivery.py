"""One version on its way: its package goes to every phone as a timed transfer, lists follow."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from droidloop.models.interfaces.learning import Cost
from droidloop.models.learning.learning import Fit
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.state import Stateful, kept_value
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import PROCESS_BYTES
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.schema.schema import DeliverySection
from droidloop.scenarios.schema.turns import needs_of

from .package_work import DeliveryWorks


@kept_value
@dataclass(frozen=True)
class Shipment:
    """What a phone receives and what it then has to do, from the package's own figures.

    Attributes:
        version: of the package.
        package_bytes: what crosses the link: the variant, its manifest and its golden values.
        model_bytes: what is read from storage to load it.
        runtime: the lowest runtime version that computes it rightly.
        check: what running the golden inputs takes.
        run: what computing one list takes.
    """

    version: int
    package_bytes: int
    model_bytes: int
    runtime: int
    check: Cost
    run: Cost


Holders = Callable[[], tuple[IntArray, list[Shipment]]]
"""Returns the phones that hold a version now and expect none, sorted, and what each holds."""


@dataclass
class Delivery(Stateful):
    """Delivers one shipment to *phones*, and has all that hold a version then compute their lists.

    Phones that took no part first fit what is private to what they got.

    Attributes:
        recorder: plays the jobs.
        phones: to which it goes.
        shipment: what goes there.
        section: how.
        arrived: told of the deliveries when all have ended.
        holders: says who computes a list, and with what.
        works: what real devices get and have to give; None where all phones are simulated.
        fit: what phones that took no part compute, by the laws on real devices too; None: nothing.
        fitting: says which of them hold the version now.
        ended: told of all jobs after the deliveries when they have ended.
    """

    recorder: Recorder
    phones: IntArray
    shipment: Shipment
    section: DeliverySection
    arrived: Callable[[Jobs], None]
    holders: Holders
    works: DeliveryWorks | None = None
    fit: Fit | None = None
    fitting: Callable[[], IntArray] = lambda: np.empty(0, np.int64)
    ended: Callable[[Jobs], None] = lambda jobs: None
    _end_us: int = -1
    _over: int = 0
    _jobs: Jobs | None = field(default=None)

    STATE = ("_end_us", "_over", "_jobs")

    def process(self) -> Process:
        """Deliver until the deadline; then run what is installed, as often as is wanted."""
        engine, section = self.recorder.engine, self.section
        stages = [self._deliver, *[self._fit] * (self.fit is not None)]
        stages += [self._infer] * section.lists
        if self._end_us < 0:
            whole_s = section.deadline_s + (len(stages) - 1) * section.run_within_s
            self._end_us = engine.now_us + round(whole_s * SECOND_US)
        while self._over < len(stages):
            if self._jobs is None:
                self._jobs = stages[self._over]()
            yield self.recorder.end_of(self._jobs)
            (self.ended if self._over else self.arrived)(self._jobs)
            self._jobs = None
            self._over += 1
        yield engine.until(self._end_us)

    @property
    def deliveries(self) -> Jobs | None:
        """The deliveries, until all have ended."""
        return None if self._over else self._jobs

    def _deliver(self) -> Jobs:
        shipment, section, recorder = self.shipment, self.section, self.recorder
        jobs = recorder.plan(
            self.phones,
            Kind.DELIVER,
            needs=needs_of(charging=section.charging, unmetered=section.unmetered),
            version=shipment.version,
            deadline_us=recorder.engine.now_us + round(section.deadline_s * SECOND_US),
            down_bytes=shipment.package_bytes,
            flops=shipment.check.flops,
            moved_bytes=shipment.check.moved_bytes,
            operators=shipment.check.operators,
            load_bytes=shipment.model_bytes,
            ram_bytes=shipment.check.ram_bytes,
            storage_bytes=shipment.package_bytes,
            runtime=shipment.runtime,
        )
        recorder.play(jobs, None if self.works is None else self.works.check())
        return jobs

    def _fit(self) -> Jobs:
        assert self.fit is not None
        phones = self.fitting()
        cost = self.fit.cost.take(np.searchsorted(self.fit.phones, phones))
        jobs = self.recorder.plan(
            phones,
            Kind.FIT,
            version=self.shipment.version,
            deadline_us=self.recorder.engine.now_us + round(self.section.run_within_s * SECOND_US),
            flops=cost.flops,
            moved_bytes=cost.moved_bytes,
            operators=cost.operators,
            load_bytes=self.shipment.model_bytes,
            ram_bytes=PROCESS_BYTES + cost.ram_bytes,
        )
        self.recorder.play(jobs)
        return jobs

    def _infer(self) -> Jobs:
        recorder = self.recorder
        phones, held = self.holders()

        def column(of: Callable[[Shipment], object]) -> IntArray:
            return np.array([of(one) for one in held], np.int64)

        jobs = recorder.plan(
            phones,
            Kind.INFER,
            version=column(lambda one: one.version),
            deadline_us=recorder.engine.now_us + round(self.section.run_within_s * SECOND_US),
            flops=column(lambda one: one.run.flops),
            moved_bytes=column(lambda one: one.run.moved_bytes),
            operators=column(lambda one: one.run.operators),
            load_bytes=column(lambda one: one.model_bytes),
            ram_bytes=column(lambda one: one.run.ram_bytes),
            runtime=column(lambda one: one.runtime),
        )
        recorder.play(jobs, None if self.works is None else self.works.lists(phones))
        return jobs
