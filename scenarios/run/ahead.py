"""Compiles what a first run will call in a process of its own, while the run prepares and plays.

numba compiles one kernel at a time in a process. The helper begins with the play of phones, half of
all, and goes on with what judges and with the baselines, which a run needs last. Whoever of the two
comes to a kernel first compiles it, and the other reads it then.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from droidloop.devices.phone.play import is_play_kept, play_cohort
from droidloop.devices.population.population import PopulationSpec, build
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import JOB_DTYPE
from droidloop.platform.workers import processors
from droidloop.scenarios.schema.load import check
from droidloop.scenarios.schema.schema import Scenario

from .experiment import prepare

_FEW = {"users": 60, "items": 90, "interactions": 8}


@contextmanager
def compiled_ahead(scenario: Scenario) -> Iterator[None]:
    """Have what a run of *scenario* calls compiled during the block, if that is to be done.

    Nothing depends on it but the time that a first run takes.
    """
    if is_play_kept() or processors() < 2:
        yield
        return
    command = [sys.executable, "-P", "-m", __name__, json.dumps(rehearsal_of(scenario))]
    none = subprocess.DEVNULL  # a rehearsal that fails costs time alone
    with subprocess.Popen(command, stdin=none, stderr=none) as helper:
        try:
            yield
        finally:
            helper.terminate()


def rehearsal_of(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario of the same models for a few made-up people, who are ordinary."""
    ordinary = ("population", "churn", "faults", "devices")
    same = {key: value for key, value in scenario.resolved().items() if key not in ordinary}
    return {**same, "data": {**_FEW, "places": same["data"]["places"]}}


def main(rehearsal: dict[str, Any]) -> None:
    """Play no jobs, then judge the baselines of *rehearsal*.

    Types are the same for every world and for every number of people.
    """
    world = build(PopulationSpec(phones=1), Draws(0, "ahead")).world
    play_cohort(world, np.zeros(0, JOB_DTYPE))
    study = prepare(check(rehearsal, "ahead"))
    for baseline in study.baselines().values():
        study.evaluator.judged(baseline.scorer)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
