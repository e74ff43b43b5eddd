"""Threads for kernels that release the interpreter lock."""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_LEAST = 512
"""Rows that are worth a thread of their own."""

_PARTS_PER_THREAD = 4

_CHUNK = 64
"""Clients that are worth a thread of their own: each has steps to take."""


class _Setting:
    threads: int | None = None


def use_threads(threads: int | None) -> None:
    """Set how many threads this process gives to kernels (None: one a processor).

    No result depends on it, so it is a setting of the process and passed to nobody.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"{threads} threads cannot work; give at least 1")
    _Setting.threads = threads


def threads_in_use() -> int:
    """Return how many threads kernels get: what was set, or one a processor."""
    return _Setting.threads or processors()


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def in_threads(
    work: Callable[[int, int], None],
    count: int,
    threads: int | None = None,
    *,
    per_thread: int = _PARTS_PER_THREAD,
    least: int = _LEAST,
) -> None:
    """Call ``work(low, high)`` for parts that cover ``range(count)``; None: ``threads_in_use``.

    *work* must release the interpreter lock and write only what belongs to its part. How the range
    is cut depends on *threads*, so *work* must not fold anything over a part. Each thread has
    *per_thread* parts of *least* rows or more: one with much to do keeps the others not waiting.
    """
    threads = threads_in_use() if threads is None else threads
    if threads < 1:
        raise ValueError(f"{threads} threads cannot work; give at least 1")
    size = max(least, -(-count // (per_thread * threads)))
    if threads == 1 or count <= size:
        work(0, count)
        return
    starts = range(0, count, size)
    list(_pool(threads, os.getpid()).map(lambda low: work(low, min(low + size, count)), starts))


def for_chunks(
    work: Callable[[int, int], None],
    count: int,
    threads: int | None,
    per_thread: int = _PARTS_PER_THREAD,
) -> None:
    """Call *work* as ``in_threads`` does for clients, each with steps to take; for none, not."""
    if count:
        in_threads(work, count, threads, per_thread=per_thread, least=_CHUNK)


@functools.cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor:
    # kept, as starting threads takes as long as a small cohort; a forked process has none
    return ThreadPoolExecutor(threads, thread_name_prefix=f"workers-{process}")
