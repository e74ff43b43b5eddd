"""Machines that Ray has joined: calls of functions on parts, answers in the order of the parts.

What a call reads and is the same for many calls is shared: it goes to each process once. A part
and its answer are arrays of their own; nothing is kept on a machine that could be lost with it.
"""

import contextlib
import functools
import importlib
import logging
import pickle
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from .errors import UsageError

_Answer = TypeVar("_Answer")


class Cluster:
    """A connection to the Ray cluster at *address* (``HOST:PORT``), until ``close``.

    Every node needs this version of droidloop installed. Ray trusts whoever reaches its ports:
    keep it on a private network.
    """

    def __init__(self, address: str) -> None:
        """Raise UsageError where Ray is not installed or nobody answers."""
        try:
            import ray as library
        except ImportError as error:
            raise UsageError(
                f"--ray {address}: needs Ray; install the extra: pip install 'droidloop[cluster]'"
            ) from error
        ray: Any = library  # typed in parts
        try:
            host, port = address.rsplit(":", 1)
            # asked first: Ray waits for a minute, and then ends the process
            socket.create_connection((host, int(port)), timeout=10).close()
        except (OSError, ValueError) as error:
            raise UsageError(
                f"--ray {address}: nobody answers there ({error}); "
                "give HOST:PORT of a cluster that `ray start --head` has started"
            ) from error
        try:
            # Ray has its processes import from the folder in which it is joined: from none of ours
            with contextlib.chdir("/"):
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UsageError(f"--ray {address}: {reason}; look at `ray status` there") from error
        self._ray = ray
        self._call = ray.remote(max_retries=3)(_call)
        self.processors = max(1, int(ray.cluster_resources().get("CPU", 1)))

    def share(self, value: object) -> Any:
        """Put *value* where every node finds it; return its handle, which keeps it there."""
        return self._ray.put(pickle.dumps(value, protocol=5))

    def map(
        self, function: Callable[..., _Answer], shared: Any, parts: Sequence[tuple[Any, ...]]
    ) -> list[_Answer]:
        """Return ``function(value, *part)`` for each of *parts*, *value* being what was *shared*.

        *function* is a function of a module.
        """
        return [pickle.loads(one) for one in self._ray.get(self._begun(function, shared, parts))]

    def each(
        self, function: Callable[..., _Answer], value: object, parts: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[int, _Answer]]:
        """Yield the number of a part and ``function(value, *part)``, in the order of their ends."""
        begun = self._begun(function, self.share(value), parts)
        number = {answer: k for k, answer in enumerate(begun)}
        while begun:
            [ended], begun = self._ray.wait(begun)
            yield number.pop(ended), pickle.loads(self._ray.get(ended))

    def _begun(
        self, function: Callable[..., _Answer], shared: Any, parts: Sequence[tuple[Any, ...]]
    ) -> list[Any]:
        """Return a handle of each answer."""
        name = (function.__module__, function.__qualname__)
        blobs = [pickle.dumps(part, protocol=5) for part in parts]
        # in a list Ray passes the handle itself: a process reads the value once, not at each call
        return [self._call.remote(*name, [shared], blob) for blob in blobs]

    def close(self) -> None:
        """Leave the cluster, which goes on."""
        self._ray.shutdown()


def _call(module: str, name: str, shared: list[Any], blob: bytes) -> bytes:
    """Run in a process of a node."""
    function = getattr(importlib.import_module(module), name)
    return pickle.dumps(function(_value_of(shared[0]), *pickle.loads(blob)), protocol=5)


@functools.lru_cache(maxsize=2)
def _value_of(handle: Any) -> Any:
    """Return what was shared; the two values that were used last stay in the process."""
    import ray

    return pickle.loads(ray.get(handle))
