"""Exposure counts who is shown an item, of those who did not have it."""

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.split import Split
from droidloop.models.interfaces.metrics import Listed
from droidloop.models.metrics.exposure import Exposure, build

NONE = UserItems.bare(np.empty(0, np.int64), np.zeros(4, np.int64))
TRAIN = UserItems.bare(np.array([3, 1]), np.array([0, 1, 2, 2]))
LISTS = np.array([[3, 4], [3, 5], [6, 3]])


def test_it_is_the_share_of_those_who_never_had_the_item() -> None:
    listed = Listed(np.arange(3), LISTS, Split(TRAIN, NONE, NONE, 8))
    values = {k: build(Exposure(item=3, k=k)).value(listed) for k in (1, 2)}
    assert np.isnan(values[1][0]), "the first user had it"
    assert values[1][1:].tolist() == [1.0, 0.0]
    assert values[2][1:].tolist() == [1.0, 1.0]
