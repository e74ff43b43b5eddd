"""The part of a scenario that says who comes, goes, comes back, and how."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from droidloop.devices.population.day_rates import DayRates
from droidloop.devices.population.stays import ChurnSpec, Departure, Going
from droidloop.platform.section import (
    Days,
    DaysOrNone,
    File,
    HoursOrNone,
    NotNegative,
    Number,
    Section,
    Share,
    Text,
)
from droidloop.platform.units import HOUR_US, NEVER_US

HOURS = 24
PhoneNumber = Number


class DepartureSection(Section):
    """Phones that go at a time; what was to come for them by the rates does not."""

    leaves_h: HoursOrNone
    """When, since the start; nothing happens to a phone that is not there then."""
    phones: list[PhoneNumber] = Field(default_factory=list)
    """Which, by row."""
    share: Share = 0.0
    """Of all phones, drawn, where none is named."""
    how: Literal["silent", "announced", "forget"] = "silent"
    """Without a word, having said so, or with the wish to be forgotten."""
    returns_h: HoursOrNone | None = None
    """When they come back; they do not if not given."""
    profile: Text | None = None
    """The class of the phone with which they come back; their own if not given."""

    @model_validator(mode="after")
    def _it_makes_sense(self) -> "DepartureSection":
        if bool(self.phones) == bool(self.share):
            raise ValueError("churn.events: name phones or give a share of all, one of the two")
        if self.returns_h is None:
            if self.profile is not None:
                raise ValueError(
                    f"churn.events: profile = {self.profile!r} without returns_h; give both"
                )
        elif self.how == "forget":
            raise ValueError(
                "churn.events: who asks to be forgotten stays away; leave returns_h out"
            )
        elif self.returns_h <= self.leaves_h:
            raise ValueError(
                f"churn.events: returns_h = {self.returns_h:g} must be later than "
                f"leaves_h = {self.leaves_h:g}"
            )
        return self

    @property
    def departure(self) -> Departure:
        """The departure, in microseconds."""
        back = self.returns_h
        return Departure(
            leave_us=round(self.leaves_h * HOUR_US),
            phones=tuple(self.phones),
            share=self.share,
            going=Going[self.how.upper()],
            return_us=NEVER_US if back is None else round(back * HOUR_US),
            profile=self.profile,
        )


class ChurnSection(Section):
    """Who comes, goes and comes back; if nothing is said, all are there all the time."""

    arrivals_days: DaysOrNone = 0.0
    """Phones come evenly over so many days; all are there from the start with 0."""
    lifetime_days: Days | None = None
    """How long a phone stays in the mean; to the end if not given. Drawn 60 days ahead."""
    announced_share: Share = 0.0
    """Of those that go, who say so; the others go without a word."""
    forget_share: Share = 0.0
    """Of those that go, who say so and ask to be forgotten; they never come back."""
    return_share: Share = 0.0
    """Of the others, who come back."""
    absence_days: Days = 1.0
    """How long they are away in the mean."""
    replaced_share: Share = 0.0
    """Of those that come back, who do so with another phone: of a class that is drawn, with a new
    battery and without the model; what their owner had stays."""
    empty_share: Share = 0.0
    """Of the times that a battery runs empty, after which the phone is gone for good, without a
    word: it never comes back."""
    leaving_by_hour: list[NotNegative] = Field(default_factory=list)
    """In which hours of a day phones go: 24 weights, from that in which the run begins; all alike
    if not given."""
    coming_by_hour: list[NotNegative] = Field(default_factory=list)
    """In which they come, and come back, likewise."""
    notice_h: HoursOrNone = 1.0
    """How long before it goes a phone says so."""
    file: File | None = None
    """A CSV of stays instead of the rates: `phone,from_h,until_h,how,profile`, the last two if
    wanted; phones without a row stay to the end."""
    events: list[DepartureSection] = Field(default_factory=list)
    """Phones that go at a certain time, each a table."""

    @model_validator(mode="after")
    def _one_source(self) -> "ChurnSection":
        if self.file is not None and (self.lifetime_days is not None or self.arrivals_days):
            raise ValueError(
                f"churn.file = {self.file!r} says who comes and goes; leave churn.lifetime_days "
                "and churn.arrivals_days out"
            )
        for key in ("leaving_by_hour", "coming_by_hour"):
            weights = getattr(self, key)
            if weights and (len(weights) != HOURS or not sum(weights)):
                raise ValueError(
                    f"churn.{key} has {len(weights)} weights; give one for each of 24 hours, "
                    "one of them above 0"
                )
            if weights and self.file is not None:
                raise ValueError(f"churn.{key}: churn.file says when; leave one of the two out")
        if self.announced_share + self.forget_share > 1:
            raise ValueError(
                f"churn.announced_share = {self.announced_share:g} and churn.forget_share = "
                f"{self.forget_share:g} are more than all; lower one"
            )
        return self

    @property
    def spec(self) -> ChurnSpec:
        """What stays are made of."""
        same = ("arrivals_days", "lifetime_days", "announced_share", "forget_share")
        back = ("return_share", "absence_days", "replaced_share", "empty_share")
        return ChurnSpec(
            **{name: getattr(self, name) for name in (*same, *back)},
            notice_us=round(self.notice_h * HOUR_US),
            file=None if self.file is None else Path(self.file),
            departures=tuple(one.departure for one in self.events),
            leaving=DayRates(tuple(self.leaving_by_hour)),
            coming=DayRates(tuple(self.coming_by_hour)),
        )
