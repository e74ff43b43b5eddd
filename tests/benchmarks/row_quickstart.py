"""The whole path: `droidloop run quickstart`, from the scenario file to the table.

The baseline is what a step-by-step simulator pays before it models anything: the same phones for
the same time as one SimPy process each, which wakes once a simulated minute and does nothing. A
ratio below 1 is expected here: quickstart also trains, exports and runs a model.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import simpy

WHAT = "droidloop run quickstart: simulated time of all phones"
UNIT = "phone-hours/s"
BASELINE = "raw SimPy, a wake-up a minute"

PHONES = 500
HOURS = 24


def measure() -> float:
    """Return phone-hours per wall second, with the start of Python and all files written."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder, "run"))
        command = [str(Path(sys.executable).with_name("droidloop")), "run", "quickstart"]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--out", out, "--json"], check=True, stdout=subprocess.PIPE
        )
        wall_s = time.perf_counter() - start
    figures = {one["figure"]: one["value"] for one in json.loads(done.stdout)[::-1]}
    phones = figures["phones.total"]  # the first record of that name is of all phones
    if phones != PHONES:
        raise ValueError(f"the scenario has {phones} phones, the baseline {PHONES}: adapt the row")
    return PHONES * HOURS / wall_s


def wake_up_each_minute(environment: simpy.Environment) -> Generator[simpy.Event, None, None]:
    """Do nothing, once a minute."""
    while True:
        yield environment.timeout(60)


def baseline() -> float:
    """Return phone-hours per wall second of processes that do nothing."""
    start = time.perf_counter()
    environment = simpy.Environment()
    for _ in range(PHONES):
        environment.process(wake_up_each_minute(environment))
    environment.run(HOURS * 3600)
    return PHONES * HOURS / (time.perf_counter() - start)
