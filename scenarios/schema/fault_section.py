"""What the tables of ``[[faults]]`` share: when a fault is on, and whom it may hit."""

from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, model_validator

from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec
from droidloop.platform.section import Number, Section, Share
from droidloop.platform.units import HOUR_US

Hours = Annotated[float, Field(ge=0.0, le=87_600.0)]


def us(hours: float) -> int:
    """Return *hours* in microseconds."""
    return round(hours * HOUR_US)


class TimedFault(Section):
    """A fault that is on at certain times, or at times that are drawn."""

    at_h: list[Hours] = Field(default_factory=list)
    """When it begins, since the start of the run."""
    every_h: Annotated[float, Field(ge=0.05, le=87_600.0)] | None = None
    """In place of `at_h`: from its end to its next beginning in the mean, drawn 60 days ahead."""
    lasts_h: Annotated[float, Field(ge=0.001, le=87_600.0)] = 1.0
    """How long it is on."""

    @model_validator(mode="after")
    def _one_way_of_times(self) -> "TimedFault":
        if bool(self.at_h) == (self.every_h is not None):
            raise ValueError("faults: give at_h or every_h, one of the two")
        times = sorted(map(us, self.at_h))
        for one, other in pairwise(times):
            if other <= one + us(self.lasts_h):
                raise ValueError(
                    f"faults: at_h = {self.at_h} and lasts_h = {self.lasts_h:g}: it begins anew "
                    "before it has ended; make it shorter, or two tables"
                )
        if us(self.lasts_h) == 0:
            raise ValueError(f"faults: lasts_h = {self.lasts_h:g} is less than a microsecond")
        return self

    def spec(self, name: str, ill: Ill, **more: Any) -> FaultSpec:
        """Return the fault *name*, which does that *ill*; *more* are further fields."""
        return FaultSpec(
            name,
            ill,
            at_us=tuple(map(us, self.at_h)),
            every_us=us(self.every_h or 0.0),
            lasts_us=us(self.lasts_h),
            **more,
        )


class PhoneFault(TimedFault):
    """A fault of some phones."""

    share: Share = 1.0
    """Of the phones below, drawn each time."""
    phones: list[Number] = Field(default_factory=list)
    """Which phones it may hit, by row; all if none is named."""

    def some(self, name: str, ill: Ill, **more: Any) -> FaultSpec:
        """Return the fault of these phones; see ``spec``."""
        return self.spec(name, ill, share=self.share, phones=tuple(self.phones), **more)
