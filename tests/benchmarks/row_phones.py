"""Two real phones in one round: how much longer both take than the slower one alone.

The phones are QEMU phones, so both use the processor of this machine: with fewer than three cores
they wait for each other there, and not in droidloop.
"""

import sys
import time

WHAT = "a round with two QEMU phones, each training: phones served at once"
UNIT = "rounds/s"
BASELINE = "the longer of the two phones alone (1 / 1.3 = 0.77 is the bar)"


def measure() -> float:
    """Return rounds per second with both phones in one batch of jobs."""
    return 1.0 / _seconds((0, 1))


def baseline() -> float:
    """Return rounds per second of the phone that takes longer alone."""
    return 1.0 / max(_seconds((0,)), _seconds((1,)))


def _seconds(phones: tuple[int, ...]) -> float:
    """Return the median wall time of a batch with a training job for each of *phones*."""
    import statistics
    import tempfile
    from pathlib import Path

    import numpy as np

    from droidloop.devices.android.fleet import AndroidFleet, Attachment
    from droidloop.devices.evidence import Evidence
    from droidloop.platform.engine import Engine
    from droidloop.platform.jobs import Jobs, Kind
    from tests.benchmarks.phones import Training, two_phones
    from tests.contracts.worlds import steady

    with two_phones() as runners, tempfile.TemporaryDirectory() as folder:
        attached = [Attachment(f"phone {k}", k, runner) for k, runner in enumerate(runners)]
        took = []
        for number in range(6):
            fleet = AndroidFleet(
                Engine(), steady("wifi", phones=2), attached, Evidence(Path(folder), lambda _: None)
            )
            jobs = Jobs.plan(np.array(phones), kind=Kind.TRAIN, plan_us=0, first=number)
            start = time.perf_counter()
            fleet.run(jobs, Training())
            took.append(time.perf_counter() - start)
            if not jobs.done.all():
                sys.exit(f"a phone failed: {jobs['outcome'].tolist()}")
    return statistics.median(took[1:])  # the first one sends the model
