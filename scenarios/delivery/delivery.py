"""After training: the package goes to every phone as a timed transfer, and runs there."""

from dataclasses import dataclass

import numpy as np

from droidloop.devices.population.population import Population
from droidloop.models.interfaces.learning import Cost
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Kind
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.schema.schema import DeliverySection
from droidloop.scenarios.schema.turns import needs_of

from .package_work import DeliveryWorks


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


@dataclass
class Delivery:
    """Delivers one shipment to all phones, and has those that took it compute their lists.

    *works* is what real devices get and have to give; None where all phones are simulated.
    """

    recorder: Recorder
    population: Population
    shipment: Shipment
    section: DeliverySection
    works: DeliveryWorks | None = None

    def process(self) -> Process:
        """Deliver until the deadline; then run what was installed."""
        installed = yield from self._deliver()
        for _ in range(self.section.lists):
            yield from self._infer(installed)

    def _deliver(self) -> Process:
        shipment, section, recorder = self.shipment, self.section, self.recorder
        jobs = recorder.plan(
            np.arange(len(self.population)),
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
        yield recorder.play(jobs, None if self.works is None else self.works.check())
        installed = jobs["phone"][jobs.done].astype(np.int64)
        self.population.state["version"][installed] = shipment.version
        return installed

    def _infer(self, phones: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Process:
        shipment, recorder = self.shipment, self.recorder
        jobs = recorder.plan(
            phones,
            Kind.INFER,
            version=shipment.version,
            deadline_us=recorder.engine.now_us + round(self.section.run_within_s * SECOND_US),
            flops=shipment.run.flops,
            moved_bytes=shipment.run.moved_bytes,
            operators=shipment.run.operators,
            load_bytes=shipment.model_bytes,
            ram_bytes=shipment.run.ram_bytes,
            runtime=shipment.runtime,
        )
        yield recorder.play(jobs, None if self.works is None else self.works.lists(phones))
