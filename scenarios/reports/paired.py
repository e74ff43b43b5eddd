"""Differences between runs, paired: the same seed, and within a seed the same users."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from droidloop.platform.intervals import interval

from .alike import data_of
from .compare import COSTS, Group, Result, User, pooled
from .holm import holm, p_value


@dataclass(frozen=True)
class Difference:
    """By how much a figure of *group* is larger than that of the *first*.

    ``mean`` and ``half`` of the 95 % interval, over *n* pairs of users, or of seeds for what is
    one value a run. ``p`` of the paired t-test is corrected by Holm over all groups that are held
    against the first one in this figure.
    """

    group: Group
    first: Group
    figure: str
    mean: float
    half: float
    n: int
    pairs: str
    p: float = float("nan")


def differences(groups: Sequence[Group]) -> Iterator[Difference]:
    """Yield the differences of each group from the first one that pairs can tell."""
    found = list(_found(groups))
    tested: dict[str, list[float]] = {}
    for one in found:
        tested.setdefault(one.figure, []).append(p_value(one.mean, one.half, one.n))
    corrected = {figure: iter(holm(family)) for figure, family in tested.items()}
    for one in found:
        yield replace(one, p=next(corrected[one.figure]))


def _found(groups: Sequence[Group]) -> Iterator[Difference]:
    first, *others = groups
    for group in others:
        ours, theirs = ({one.seed: one for one in some.results} for some in (group, first))
        pairs = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
        same_people = _people(group) == _people(first)
        metrics = [one.name for one in group.metrics if one in first.metrics]
        for figure in (*metrics, *COSTS) if same_people else ():
            users = pooled((one.seed, _by_user(one, other, figure)) for one, other in pairs)
            if len(users) >= 2:
                yield Difference(group, first, figure, *interval(users), len(users), "users")
            elif len(pairs) >= 2:
                each = [one.overall[figure] - other.overall[figure] for one, other in pairs]
                yield Difference(group, first, figure, *interval(each), len(pairs), "seeds")


def _people(group: Group) -> tuple[object, object]:
    """Return what must be equal, so that the phone of a number is the same one."""
    return data_of(group.scenario), group.scenario["population"]


def _by_user(one: Result, other: Result, figure: str) -> dict[User, float]:
    mine, its = one.values(figure), other.values(figure)
    return {user: value - its[user] for user, value in mine.items() if user in its}
