"""What checkpoints cost a run of 100,000 phones: its whole time over the time that they take.

The run is `droidloop run` from the scenario to the last table: a day of rounds every half hour with
10,000 clients each, really trained. Checkpoints are written as they are by default. Compared with
50, which is 2 % of the run: above 1, they cost less.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

WHAT = "100,000 phones, 48 rounds of 10,000 clients: run over checkpoints"
UNIT = "s/s"
BASELINE = "50 (2 % of the run)"

PHONES = 100_000


def content(phones: int, rounds: int) -> dict[str, Any]:
    """Return the scenario."""
    return {
        "name": "checkpoint",
        "title": "Phones that train for a day",
        "data": {"users": phones, "items": 2000, "interactions": 20},
        "model": {"dim": 16},
        "protocol": {
            **{"rounds": rounds, "every_s": 1800.0, "deadline_s": 1200.0},
            "clients": phones // 10,
        },
        "delivery": {"variant": "none"},
        "evaluation": {"baselines": [], "every": rounds},
    }


def shares(phones: int, rounds: int) -> tuple[float, float, int]:
    """Return the seconds of the run and of its checkpoints, and how many those were."""
    from droidloop.scenarios.run.checkpoints import Checkpoints
    from droidloop.scenarios.run.run import execute
    from droidloop.scenarios.schema.schema import Scenario

    took_s: list[float] = []
    write = Checkpoints.write

    def timed(checkpoints: Checkpoints) -> None:
        start = time.perf_counter()
        write(checkpoints)
        took_s.append(time.perf_counter() - start)

    Checkpoints.write = timed  # type: ignore[method-assign, assignment]
    try:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            scenario = Scenario.of(content(phones, rounds))
            execute(scenario, Path(folder, "run"), replay=None, progress=lambda *_: None)
            whole_s = time.perf_counter() - start
    finally:
        Checkpoints.write = write  # type: ignore[method-assign]
    return whole_s, sum(took_s), len(took_s)


def prepare() -> None:
    """Compile what `measure` calls."""
    shares(300, 2)


def measure() -> tuple[float, float]:
    """Return the run's time over that of its checkpoints, and 50."""
    whole_s, checkpoints_s, count = shares(PHONES, 48)
    print(f"{count} checkpoints took {checkpoints_s:.2f} of {whole_s:.1f} s")
    return whole_s / max(checkpoints_s, 1e-9), 50.0


baseline = None
