"""Differences between runs, paired: the same seed, and within a seed the same users."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .compare import COSTS, Group, Result, User, pooled
from .intervals import interval


@dataclass(frozen=True)
class Difference:
    """By how much a figure of *group* is larger than that of the *first*.

    ``mean`` and ``half`` of the 95 % interval, over *n* pairs of users, or of seeds for what is
    one value a run.
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
            users = pooled((one.seed, _by_user(one, other, figure)) for one, other in pairs)
            if len(users) >= 2:
                yield Difference(group, first, figure, *interval(users), len(users), "users")
            elif len(pairs) >= 2:
                each = [one.overall[figure] - other.overall[figure] for one, other in pairs]
                yield Difference(group, first, figure, *interval(each), len(pairs), "seeds")


_PEOPLE = ("data", "population")
"""The sections that must be equal, so that the phone of a number is the same one."""


def _by_user(one: Result, other: Result, figure: str) -> dict[User, float]:
    mine, its = one.values(figure), other.values(figure)
    return {user: value - its[user] for user, value in mine.items() if user in its}
