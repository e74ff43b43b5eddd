"""Threads for kernels: every row once, whatever their number."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.platform.workers import in_threads


@given(st.integers(0, 20_000), st.sampled_from([None, 1, 2, 3, 7]))
def test_every_row_is_worked_on_once(count: int, threads: int | None) -> None:
    worked = np.zeros(count, np.int64)

    def work(low: int, high: int) -> None:
        worked[low:high] += 1

    in_threads(work, count, threads)
    assert (worked == 1).all()


def test_a_small_cohort_stays_in_the_thread_that_asks() -> None:
    seen = []
    in_threads(lambda low, high: seen.append((low, high, threading.current_thread())), 300, 4)
    assert seen == [(0, 300, threading.current_thread())]


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    def work(low: int, high: int) -> None:
        if low:
            raise LookupError("in a thread")

    with pytest.raises(LookupError, match="in a thread"):
        in_threads(work, 10_000, 3)
