"""What the sections of all protocols share: how many turns, how often, which phones are asked."""

from typing import ClassVar

from pydantic import Field, model_validator

from droidloop.models.interfaces.staleness import Staleness, within
from droidloop.platform.jobs import Need
from droidloop.platform.section import Count, People, Seconds, Section, Share

Choices = dict[str, tuple[str, str | None]]
"""The kind that a key chooses from, and the name that is chosen otherwise; None: a list."""


class Turns(Section):
    """Turns: how many, how often, and which phones are asked."""

    choices: ClassVar[Choices] = {
        "transforms": ("transform", None),
        "senders": ("sender", None),
    }

    rounds: Count = 20
    """How many turns."""
    every_s: Seconds = 1800.0
    """From the start of one turn to that of the next."""
    deadline_s: Seconds = 1200.0
    """How long a phone has for its turn."""
    clients: People | None = None
    """How many phones a turn; all that are eligible if not given."""
    min_battery: Share = 0.3
    """The least charge of a phone that is asked, as a share of its battery."""
    idle: bool = False
    """Whether phones work only while nobody uses them."""
    charging: bool = False
    """Whether phones work only on a charger."""
    unmetered: bool = False
    """Whether phones move bytes only over WiFi."""
    transforms: list[Section] = Field(default_factory=list)
    """What is done to messages before they leave a phone, one after the other."""
    senders: list[Section] = Field(default_factory=list)
    """Phones that send something else than the rule would have them send."""

    @property
    def needs(self) -> Need:
        """What must hold while a phone works."""
        return needs_of(idle=self.idle, charging=self.charging, unmetered=self.unmetered)

    @property
    def weight_by_age(self) -> Staleness:
        """The weight of an upload by its age in versions: all or nothing."""
        return within(0)


class ClosedTurns(Turns):
    """Turns that end before the next one begins."""

    @model_validator(mode="after")
    def _deadline_within_turn(self) -> "ClosedTurns":
        require_closed(self)
        return self


def require_closed(turns: Turns) -> None:
    """Raise ValueError if a turn may last longer than until the next one."""
    if turns.deadline_s > turns.every_s:
        raise ValueError(
            f"protocol.deadline_s = {turns.deadline_s} is longer than "
            f"protocol.every_s = {turns.every_s}; a round must end before the next"
        )


class PolicyTurns(Turns):
    """Turns in which a policy chooses among the phones that can work."""

    choices: ClassVar[Choices] = {**Turns.choices, "policy": ("policy", "rule")}

    policy: Section = Section()
    """Who is asked of those who can."""


def needs_of(*, idle: bool = False, charging: bool = False, unmetered: bool = False) -> Need:
    """Return the flags of what must hold for a job to run."""
    needs = Need(0)
    for wanted, need in (
        (idle, Need.IDLE),
        (charging, Need.CHARGING),
        (unmetered, Need.UNMETERED),
    ):
        if wanted:
            needs |= need
    return needs
