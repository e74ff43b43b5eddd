"""Threads for kernels that release the interpreter lock."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_LEAST = 512
"""Rows that are worth a thread of their own."""

_PARTS_PER_THREAD = 4


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def in_threads(work: Callable[[int, int], None], count: int, threads: int | None = None) -> None:
    """Call ``work(low, high)`` for parts that cover ``range(count)``; None: one a processor.

    *work* must release the interpreter lock and write only what belongs to its part. How the range
    is cut depends on *threads*, so *work* must not fold anything over a part.
    """
    threads = processors() if threads is None else threads
    if threads < 1:
        raise ValueError(f"{threads} threads cannot work; give at least 1")
    size = max(_LEAST, -(-count // (_PARTS_PER_THREAD * threads)))
    if threads == 1 or count <= size:
        work(0, count)
        return
    starts = range(0, count, size)
    list(_pool(threads, os.getpid()).map(lambda low: work(low, min(low + size, count)), starts))


@functools.cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    # kept, as starting threads takes as long as a small cohort; a forked process has none
    return ThreadPoolExecutor(threads, thread_name_prefix=f"workers-{process}")
