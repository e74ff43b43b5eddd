"""Two real phones in one round: how much longer both take than the slower one alone.

The phones are QEMU phones, so both use the processor of this machine: with fewer than three cores
they wait for each other there, and not in droidloop.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported only where phones are started
    from droidloop.devices.fleets.model_job import Runner

WHAT = "a round with two QEMU phones, each training: phones served at once"
UNIT = "rounds/s"
BASELINE = "the longer of the two phones alone (1 / 1.3 = 0.77 is the bar)"
baseline = None

TURNS = 3


def measure() -> tuple[float, float]:
    """Return rounds per second with both phones at once, and of the one that takes longer."""
    from tests.benchmarks.phones import two_phones

    groups = ((0,), (1,), (0, 1))
    took: dict[tuple[int, ...], list[float]] = {group: [] for group in groups}
    with two_phones() as runners:
        for turn in range(1 + TURNS):
            for group in groups:
                seconds = _round_s(runners, group, turn)
                if turn:  # the first one sends the model
                    took[group].append(seconds)
    first, second, both = (statistics.median(took[group]) for group in groups)
    longer = max(first, second)
    print(
        f"alone {first:.2f} s and {second:.2f} s, both {both:.2f} s: {both / longer:.2f} times "
        "the longer (1.3 is the bar)",
        file=sys.stderr,
    )
    return 1.0 / both, 1.0 / longer


def _round_s(runners: "Sequence[Runner]", phones: tuple[int, ...], number: int) -> float:
    """Return the wall time of a batch with a training job for each of *phones*."""
    import numpy as np

    from droidloop.devices.android.fleet.fleet import AndroidFleet, Attachment
    from droidloop.devices.fleets.device_outputs import Evidence
    from droidloop.platform.engine import Engine
    from droidloop.platform.jobs import Jobs, Kind
    from tests.benchmarks.phones import Training
    from tests.contracts.worlds import steady

    attached = [Attachment(f"phone {k}", k, runner) for k, runner in enumerate(runners)]
    with tempfile.TemporaryDirectory() as folder:
        evidence = Evidence(Path(folder), lambda _: None)
        fleet = AndroidFleet(Engine(), steady("wifi", phones=2), attached, evidence)
        jobs = Jobs.plan(np.array(phones), kind=Kind.TRAIN, plan_us=0, first=number)
        start = time.perf_counter()
        fleet.run(jobs, Training())
        seconds = time.perf_counter() - start
    if not jobs.done.all():
        sys.exit(f"a phone failed: {jobs['outcome'].tolist()}")
    return seconds
