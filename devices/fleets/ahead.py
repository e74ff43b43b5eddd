"""Compiles the play of phones in a process of its own, while a first run prepares.

The play is half of what a first run compiles, and numba compiles one kernel at a time in a process.
Whoever of the two comes to a kernel first compiles it, and the other reads it then.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from droidloop.devices.phone.play import is_play_kept, play_cohort
from droidloop.devices.population.population import PopulationSpec, build
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import JOB_DTYPE
from droidloop.platform.workers import processors


@contextmanager
def compiled_ahead() -> Iterator[None]:
    """Have the play of a cohort compiled during the block, if that is to be done.

    Nothing depends on it but the time that a first run takes.
    """
    if is_play_kept() or processors() < 2:
        yield
        return
    command = [sys.executable, "-P", "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as helper:
        try:
            yield
        finally:
            helper.terminate()


def main() -> None:
    """Play no jobs: the types of a world are those of every world."""
    world = build(PopulationSpec(phones=1), Draws(0, "ahead")).world
    play_cohort(world, np.zeros(0, JOB_DTYPE))


if __name__ == "__main__":
    main()
