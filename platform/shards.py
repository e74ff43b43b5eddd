"""Shards of constant size, folded in order, so that sums do not depend on the number of workers."""

from collections.abc import Iterator

SHARD_ROWS = 4096
"""Rows in a shard. Floating-point sums depend on it: it is a constant, not a setting."""


def shards(count: int, size: int = SHARD_ROWS) -> Iterator[slice]:
    """Yield slices that cover ``range(count)`` in order, each of *size* rows but the last.

    >>> list(shards(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
