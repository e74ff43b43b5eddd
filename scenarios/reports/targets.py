"""What it cost to get somewhere: hours, bytes and joules when a validation first got there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droidloop.platform.errors import UsageError

from .compare import Course, Group

COSTS = ("hours", "mb", "joules")


@dataclass(frozen=True)
class Target:
    """A value of a metric on the validation items; *sign* is -1 where less is better."""

    metric: str
    value: float
    sign: int

    def __str__(self) -> str:
        return f"{self.metric}={self.value:g}"

    def costs(self, course: Course) -> dict[str, float] | None:
        """Return what the run had spent when it first got there; None: it did not."""
        quality = course.quality.get(self.metric, np.empty(0))
        there = np.flatnonzero(self.sign * quality >= self.sign * self.value)
        if not len(there):
            return None
        return {cost: float(getattr(course, cost)[there[0]]) for cost in COSTS}

    def best(self, group: Group) -> float:
        """Return the best that any validation of *group* reached; NaN where it has none."""
        found = [one.course.quality.get(self.metric, np.empty(0)) for one in group.results]
        values = np.concatenate(found)
        values = values[~np.isnan(values)]
        return float(self.sign * max(self.sign * values)) if len(values) else float("nan")


def target_of(text: str, groups: Sequence[Group]) -> Target:
    """Return the target that *text*, METRIC=VALUE, names.

    Raises:
        UsageError: it is none, or no run has that metric.
    """
    name, _, value = text.partition("=")
    known = {metric.name: metric for group in groups for metric in group.metrics}
    validated = [
        name
        for name in known
        if any(
            not np.isnan(one.course.quality.get(name, np.array([np.nan]))).all()
            for group in groups
            for one in group.results
        )
    ]
    if name not in validated:
        raise UsageError(
            f"--target {text}: no run validates {name!r}; choose from {', '.join(validated)}"
        )
    try:
        wanted = float(value)
    except ValueError:
        wanted = float("nan")
    if not np.isfinite(wanted):
        raise UsageError(f"--target {text}: {value!r} is no number; give one, as {name}=0.6")
    return Target(name, wanted, known[name].sign)
