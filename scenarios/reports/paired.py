"""Differences between runs, paired: the same seed, and within a seed the same users."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .compare import COSTS, Group, Result, interval


@dataclass(frozen=True)
class Difference:
    """By how much a figure of *group* is larger than that of the *first*.

    ``mean`` and ``half`` of the 95 % interval, over *n* pairs of seeds or, with one seed in
    common, of users.
    """

    group: Group
    first: Group
    figure: str
    mean: float
    half: float
    n: int
    pairs: str


def differences(groups: Sequence[Group]) -> Iterator[Difference]:
    """Yield the differences of each group from the first one that pairs can tell."""
    first, *others = groups
    for group in others:
        ours, theirs = ({one.seed: one for one in some.results} for some in (group, first))
        pairs = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
        same_people = all(group.scenario[key] == first.scenario[key] for key in _PEOPLE)
        metrics = [one.name for one in group.metrics if one in first.metrics]
        for figure in (*metrics, *COSTS) if same_people else ():
            by_seed = [_mean(*pair, figure) for pair in pairs]
            if len(pairs) >= 2:
                yield Difference(group, first, figure, *interval(by_seed), len(pairs), "seeds")
            elif len(pairs) == 1 and len(values := _by_user(*pairs[0], figure)) >= 2:
                yield Difference(group, first, figure, *interval(values), len(values), "users")


_PEOPLE = ("data", "population")
"""The sections that must be equal, so that the phone of a number is the same one."""


def _by_user(one: Result, other: Result, figure: str) -> list[float]:
    mine, its = one.by_user.get(figure, {}), other.by_user.get(figure, {})
    return [value - its[phone] for phone, value in mine.items() if phone in its]


def _mean(one: Result, other: Result, figure: str) -> float:
    """Return the mean difference over the users of both, or of what is one value a run."""
    values = _by_user(one, other, figure) or [one.overall[figure] - other.overall[figure]]
    return sum(values) / len(values)
