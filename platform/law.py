"""How a law of physics is compiled.

A law reads and writes rows of arrays that its caller holds, and allocates nothing. So numba need
not count references to the eight arrays of a world at every call, which would take half the time
of a job. A law that does allocate fails to compile.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Law = TypeVar("_Law", bound=Callable[..., Any])


def law(function: _Law) -> _Law:
    """Compile *function*: kept between runs, without the interpreter lock or reference counts."""
    compiler: Any = njit
    return cast(_Law, compiler(cache=True, nogil=True, _nrt=False)(function))
