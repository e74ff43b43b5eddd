"""How a device of a test bed works: its label, cores and threads, and what it is made to show."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import final

from droidloop.devices.android.conditions.conditions import (
    BatteryCondition,
    Imposed,
    LinkCondition,
)
from droidloop.devices.android.conditions.imposing import Hold
from droidloop.devices.fleets.model_job import ModelJob, Result, Runner


@dataclass(frozen=True)
class Setup:
    """What is said of one device.

    Attributes:
        label: what people call it, to tell phones of one model apart.
        threads: of the runtime.
        cores: that its jobs keep to; none: all.
        link: to impose in the place of its row's.
        battery: likewise.
    """

    label: str | None = None
    threads: int = 1
    cores: tuple[int, ...] = ()
    link: LinkCondition | None = None
    battery: BatteryCondition | None = None

    def hold(self, inner: Hold, *, impose: bool) -> Hold | None:
        """Return what holds this setup's conditions, and its row's others if they are to *impose*.

        None where there is nothing to hold.
        """
        if not impose and self.link is None and self.battery is None:
            return None

        def held(
            link: LinkCondition | None, battery: BatteryCondition | None
        ) -> AbstractContextManager[Imposed]:
            return inner(
                self.link or (link if impose else None),
                self.battery or (battery if impose else None),
            )

        return held


PLAIN = Setup()


@final
class SetUpRunner:
    """A runner whose jobs use the threads and cores of *setup*."""

    def __init__(self, runner: Runner, setup: Setup) -> None:
        self._runner = runner
        self._setup = setup

    def run(self, job: ModelJob) -> Result:
        """Do *job*; see ``Runner.run``."""
        return self._runner.run(replace(job, threads=self._setup.threads, cores=self._setup.cores))

    def clean(self) -> None:
        """Clean as the runner inside does."""
        self._runner.clean()
