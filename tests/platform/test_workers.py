"""Threads for kernels: every row once, whatever their number."""

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.platform.workers import for_chunks, in_threads


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


def test_chunks_cover_everything_once_and_may_run_in_several_threads() -> None:
    seen, names = np.zeros(1000, np.int64), set()

    def work(low: int, high: int) -> None:
        seen[low:high] += 1
        names.add(threading.current_thread().name)

    for_chunks(work, 1000, 2)
    assert (seen == 1).all()
    assert all(name.startswith(f"workers-{os.getpid()}") for name in names)
