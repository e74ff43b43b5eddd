"""What phones remember of their updates obeys its cap, and the largest changes stay."""

import numpy as np
import pytest

from droidloop.models.unlearning.update_log import LENGTH_BYTES, UpdateLog
from droidloop.platform.draws import Draws

PHONES, ROWS, TURNS = 6, 20, 5


def filled(cap_bytes: int | None) -> UpdateLog:
    """Return the log of phones that all make an update in each of some turns."""
    log, draws, phones = UpdateLog(3, cap_bytes), Draws(1, "log"), np.arange(PHONES)
    for turn in range(TURNS):
        place, row = np.repeat(phones, ROWS), np.tile(np.arange(ROWS), PHONES)
        length = draws.uniform(np.arange(PHONES * ROWS), turn)
        private = np.full((PHONES, 3), turn, np.float32)
        rows = (place, row, length)
        turns, moved = np.full(PHONES, turn), draws.uniform(phones, 100 + turn)
        log.add(phones, turns, turns, rows, private, moved)
    return log


FULL_BYTES = int(filled(None).nbytes(PHONES)[0])


def test_a_log_without_a_cap_holds_everything() -> None:
    assert FULL_BYTES == TURNS * (ROWS * LENGTH_BYTES + 8 + 4 * 3)
    assert len(filled(None).lengths) == PHONES * ROWS * TURNS


@pytest.mark.parametrize("percent", [1, 10, 100])
def test_no_phone_keeps_more_than_its_cap(percent: int) -> None:
    cap_bytes = FULL_BYTES * percent // 100
    kept = filled(cap_bytes).nbytes(PHONES)
    assert (kept <= cap_bytes).all()
    assert (kept > cap_bytes - LENGTH_BYTES - 20).all(), "and it is used, but for one record"


def test_what_is_thrown_away_has_changed_less_than_what_stays() -> None:
    everything, log = filled(None), filled(FULL_BYTES // 10)
    for phone in range(PHONES):
        kept = log.lengths["length"][log.lengths["phone"] == phone]
        every = everything.lengths["length"][everything.lengths["phone"] == phone]
        assert np.isin(kept, np.sort(every)[-len(kept) - TURNS :]).all()


def test_nothing_is_kept_of_who_is_dropped() -> None:
    log = filled(None)
    log.drop(np.array([2]))
    assert not (log.lengths["phone"] == 2).any()
    assert not (log.undo["phone"] == 2).any()
    assert log.nbytes(PHONES)[[1, 3]].tolist() == [FULL_BYTES] * 2


def test_what_is_taken_from_a_version_on_is_out_of_the_log() -> None:
    log = filled(None)
    lengths, undo = log.take_from(3)
    assert set(lengths["version"].tolist()) == set(undo["version"].tolist()) == {3, 4}
    assert set(log.lengths["version"].tolist()) == {0, 1, 2}


def test_it_remembers_all_of_itself() -> None:
    log, other = filled(400), UpdateLog(3, 400)
    other.restore(log.state())
    assert other.nbytes(PHONES).tolist() == log.nbytes(PHONES).tolist()
