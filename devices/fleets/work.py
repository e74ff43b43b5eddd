"""What the jobs of a batch really carry, for fleets that do them on a device."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.errors import DeviceError

from .model_job import ModelJob


class WrongOutputError(DeviceError):
    """A device came to the end of a job and gave what cannot be right."""


class Work(Protocol):
    """The contents of a batch of jobs, asked for by a job's place in it.

    Simulated fleets play the costs that the jobs state and need none of this. A fleet of real
    devices sends what ``order`` gives and hands back what came of it; a replay fleet hands back
    what the recorded run kept.
    """

    def order(self, k: int) -> ModelJob:
        """Return what job *k* of the batch is to do on a device; may be called in a thread."""
        ...

    def accept(self, k: int, outputs: Mapping[str, Array]) -> None:
        """Take what job *k* gave in place of what the host computed.

        Called once at most for each job, one after the other, in the order of the batch.

        Raises:
            WrongOutputError: the outputs cannot be right; nothing was taken.
        """
        ...


@dataclass(frozen=True)
class PartOfWork:
    """The work of some jobs of a batch: job *k* here is job ``index[k]`` of *whole*."""

    whole: Work
    index: IntArray

    def order(self, k: int) -> ModelJob:
        """Return what job *k* is to do; see ``Work.order``."""
        return self.whole.order(int(self.index[k]))

    def accept(self, k: int, outputs: Mapping[str, Array]) -> None:
        """Take what job *k* gave; see ``Work.accept``."""
        self.whole.accept(int(self.index[k]), outputs)
