"""Stages: which phones each adds."""

import numpy as np
import pytest

from droidloop.scenarios.delivery.stages import Stages
from droidloop.scenarios.schema.delivery_section import DeliverySection

ORDER = np.array([5, 3, 1, 0, 2, 4, 6, 9, 8, 7])


def stages(*shares: float, least: int = 1) -> Stages:
    return Stages(ORDER, DeliverySection(stages=list(shares), least_phones=least))


def test_every_stage_adds_the_next_phones_in_order() -> None:
    some = stages(0.1, 0.45, 1.0)
    assert [some.phones(k).tolist() for k in range(3)] == [[5], [3, 1, 0, 2], [4, 6, 9, 8, 7]]
    assert [some.last(k) for k in range(3)] == [False, False, True]
    assert np.flatnonzero(some.within(1)).tolist() == [0, 1, 2, 3, 5]


@pytest.mark.parametrize(("least", "quotas"), [(1, [1, 2, 10]), (3, [3, 10]), (20, [10])])
def test_a_stage_that_adds_nobody_is_none(least: int, quotas: list[int]) -> None:
    some = stages(0.05, 0.2, 1.0, least=least)
    assert [some.quota(k) for k in range(len(quotas))] == quotas
    assert some.last(len(quotas) - 1)


def test_the_share_of_a_stage_is_the_one_that_was_given() -> None:
    assert [stages(0.1, 0.2, 1.0, least=2).share(k) for k in range(2)] == [0.2, 1.0]
