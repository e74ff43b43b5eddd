"""16 runs of quickstart by `droidloop sweep`, and one after the other in one process.

`python -m tests.studies.filled_cores [RUNS]`: prints one JSON line; exit code 1 if the sweep took
more than 0.6 of the time of the same runs one after the other. To be run where nothing else is: the
line says how busy the machine was before.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import droidloop

RUNS, MOST = 16, 0.6


def took_s(folder: Path, runs: int, processes: int | None) -> float:
    """Return the seconds that so many runs take, so many at once; None: one a processor."""
    plan = {"base": "quickstart", "seeds": list(range(1, runs + 1)), "points": [{"play": "cohort"}]}
    begun_s = time.monotonic()
    droidloop.sweep(plan, folder, processes=processes)
    return time.monotonic() - begun_s


def main() -> None:
    """Print both times and their ratio."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        together_s = took_s(Path(folder, "together"), runs, None)
        alone_s = took_s(Path(folder, "alone"), runs, 1)
    share = together_s / alone_s
    found = {"runs": runs, "processors": os.cpu_count(), "load_before": round(load, 2)}
    found |= {"together_s": round(together_s, 1), "alone_s": round(alone_s, 1)}
    print(json.dumps(found | {"share": round(share, 3)}))
    raise SystemExit(0 if share <= MOST else 1)


if __name__ == "__main__":
    main()
