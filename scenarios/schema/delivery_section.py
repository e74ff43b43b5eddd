"""What ships to phones, when, to how many at first, and what holds it back."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from droidloop.platform.section import (
    Count,
    File,
    Hours,
    NotNegative,
    Positive,
    Seconds,
    Section,
    Share,
)

# A default is neutral, or a figure of somebody else's; where it is neither, the file chooses.
# Doze lets the apps of an idle phone work after an hour for the first time, and after six hours at
# the latest: idle_to, max_idle_to of AOSP, DeviceIdleController.java.
_FIRST_WINDOW_S = 3600.0
_LAST_WINDOW_S = 21600.0
# UpdatePollIntervalSeconds of Mender's client, docs.mender.io (polling intervals).
_POLL_S = 1800.0
# The canaries of a first stage: 5 to 10 devices, docs.memfault.com (OTA deploy process).
_CANARIES = 10
# The bad behaviour threshold of the crash rate over all devices, Android vitals.
_BAD_SHARE = 0.0109


class PlantedSection(Section):
    """A release that is made bad on purpose, to see it be held back."""

    release: Count
    """Which one, counted from 1."""
    fault: Literal["wrong", "slow", "worse"]
    """Its files compute something else than they were proved to; its lists dispatch ten million
    operators; its lists begin with the worst items, though all is computed rightly."""


class DeliverySection(Section):
    """What ships to the phones and when, and the lists that they then compute."""

    variant: Literal["float32", "int8", "auto", "none"] = "int8"
    """``auto``: each phone gets the nearest to the model that it can hold, run and pay for;
    ``none``: nothing ships, as where every phone has learned a model of its own."""
    when: Literal["end", "every", "best", "at"] = "end"
    """The best turn after training; or, while training goes on, that of every so many turns, each
    best one so far, or the best so far at some times."""
    every: Count | None = None
    """Turns from one release to the next, needed with ``every``; with ``best`` at least so many."""
    at_h: list[Hours] = Field(default_factory=list)
    """The times of releases in hours from the start, rising; with ``at``."""
    deadline_s: Seconds = _LAST_WINDOW_S
    """How long after the release, or a stage of it, phones may fetch the model: by default the
    longest that Android keeps an idle phone's apps from the network (AOSP, max_idle_to)."""
    run_within_s: Seconds = _FIRST_WINDOW_S
    """How long a phone has for its list, as it may be switched off at first: by default until an
    idle phone's first window (AOSP, idle_to)."""
    lists: Count = 1
    """How many times each reached phone computes its list."""
    charging: bool = False
    """Whether phones fetch it only on a charger."""
    unmetered: bool = False
    """Whether phones fetch it only over WiFi."""
    patches: bool = True
    """Whether a phone that has a version fetches what differs from it, where that is less."""
    codes_share: Share = 0.0
    """Of a table of codes: the share of its bytes, at most, that one release changes of the one
    before; 0: each has codes of its own, and patches are nearly as large as the whole."""
    budget_mb: Positive | None = None
    """The most that a phone fetches of models in a day of the run; without limit if not given."""
    max_list_s: Seconds | None = None
    """With ``auto``: the longest that a list may take by the phone's law, where one can be had."""
    frontier: File | None = None
    """With ``auto``: a file of measured variants (JSON lines, see docs/frontier.md): the one of the
    highest value that a phone can take is the one that it gets."""
    stages: list[Annotated[float, Field(ge=1e-6, le=1.0)]] = Field(default=[1.0])
    """The shares of phones that a release goes to, one after the other, rising to 1."""
    least_phones: Count = _CANARIES
    """The fewest phones of a stage: less of them tell nothing (Memfault: 5 to 10 canaries)."""
    enough: Annotated[float, Field(ge=1e-6, le=1.0)] = 1.0
    """A stage before the last is judged once this share of its phones has tried the version, and is
    not offered again; at the latest after all `retries`."""
    retries: Annotated[int, Field(ge=0, le=1000)] = 0
    """How often a stage is offered again to the phones that it has not reached."""
    retry_s: Seconds = _POLL_S
    """The gap before that: by default how often Mender's clients ask for updates."""
    max_failed: Share = _BAD_SHARE
    """A stage is the last if more of the phones that fetched it could not activate it: by default
    Google Play's threshold of bad behaviour, a crash rate of 1.09 %."""
    max_slower: Annotated[float, Field(ge=1.0, le=1e9)] | None = None
    """Or if lists take so many times as long as before, in the median phone."""
    max_worse: NotNegative = 0.0
    """Or if what rounds are chosen by has surely dropped by more on the validation items: by the
    upper end of the 95 % interval over the stage's users."""
    hold: list[Count] = Field(default_factory=list)
    """Releases, counted from 1, that somebody stops by hand after their first stage."""
    planted: list[PlantedSection] = Field(default_factory=list)
    """Releases that are bad on purpose."""

    @property
    def ships(self) -> bool:
        """Whether anything does."""
        return self.variant != "none"

    @model_validator(mode="after")
    def _times_where_they_count(self) -> "DeliverySection":
        if (self.when == "at") != bool(self.at_h):
            raise ValueError(
                f"delivery.when = {self.when!r} with delivery.at_h = {self.at_h}: "
                "give times with when = 'at', and with nothing else"
            )
        if sorted(set(self.at_h)) != self.at_h:
            raise ValueError(f"delivery.at_h = {self.at_h}: give times that rise")
        return self

    @model_validator(mode="after")
    def _every_so_many(self) -> "DeliverySection":
        if self.when == "every" and self.every is None:
            raise ValueError("delivery.when = 'every' without delivery.every: say how many turns")
        return self

    @model_validator(mode="after")
    def _stages_rise_to_all(self) -> "DeliverySection":
        if sorted(set(self.stages)) != self.stages or self.stages[-1:] != [1.0]:
            raise ValueError(f"delivery.stages = {self.stages}: give shares that rise to 1.0")
        if self.max_list_s is not None and self.variant != "auto":
            raise ValueError(
                f"delivery.max_list_s with delivery.variant = {self.variant!r}: "
                "one variant leaves no choice; set variant = 'auto'"
            )
        if self.frontier is not None and self.variant != "auto":
            raise ValueError(
                f"delivery.frontier with delivery.variant = {self.variant!r}: "
                "one variant leaves no choice; set variant = 'auto'"
            )
        return self
