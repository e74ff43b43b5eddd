import numpy as np
import pytest

from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws

MODEL = MF(6, 3)
DRAWS = Draws(4, "store")


def store(n_phones: int = 10) -> PrivateStore:
    return PrivateStore.of(MODEL, DRAWS, n_phones)


def test_first_values_are_those_of_the_recommender() -> None:
    phones = np.array([7, 2])
    expected = MODEL.init_private(DRAWS, phones)["user"].numpy()
    np.testing.assert_array_equal(store().gather(phones)["user"], expected)


def test_first_values_do_not_depend_on_who_was_asked_for_before() -> None:
    early, late = store(), store()
    late.gather(np.array([1, 3, 5]))
    phones = np.arange(10)
    assert early.gather(phones)["user"].tobytes() == late.gather(phones)["user"].tobytes()


def test_only_phones_that_were_asked_for_are_filled_in() -> None:
    asked: list[int] = []

    def fill(phones: IntArray) -> dict[str, Array]:
        asked.extend(phones.tolist())
        return {"score": np.zeros((len(phones), 2), np.float32)}

    mine = PrivateStore(1_000_000, fill)
    mine.gather(np.array([5, 9]))
    mine.gather(np.array([9, 11]))
    assert asked == [5, 9, 11]


def test_gathered_columns_are_copies() -> None:
    mine, phones = store(), np.array([1, 2])
    mine.gather(phones)["user"][:] = 99
    assert (mine.gather(phones)["user"] != 99).all()


def test_committed_rows_are_gathered_and_the_others_stay() -> None:
    mine, phones = store(), np.array([1, 2])
    before = mine.gather(np.array([0, 3]))
    mine.commit(phones, {"user": np.full((2, 3), 5, np.float32)})
    assert (mine.gather(phones)["user"] == 5).all()
    np.testing.assert_array_equal(mine.gather(np.array([0, 3]))["user"], before["user"])


def test_a_reset_phone_starts_anew() -> None:
    mine, phones = store(), np.array([1, 2])
    first = mine.gather(phones)["user"]
    mine.commit(phones, {"user": np.full((2, 3), 5, np.float32)})
    mine.reset(phones[:1])
    now = mine.gather(phones)["user"]
    np.testing.assert_array_equal(now[0], first[0])
    assert (now[1] == 5).all()


def test_a_commit_with_a_wrong_column_writes_nothing() -> None:
    mine, phones = store(), np.array([1, 2])
    before = mine.gather(phones)["user"]
    with pytest.raises(ValueError, match="item"):
        mine.commit(phones, {"item": np.zeros((2, 3), np.float32)})
    with pytest.raises(ValueError, match=r"\(2, 4\)"):
        mine.commit(phones, {"user": np.zeros((2, 4), np.float32)})
    np.testing.assert_array_equal(mine.gather(phones)["user"], before)


def test_it_is_as_long_as_there_are_phones() -> None:
    assert len(store(12)) == 12
