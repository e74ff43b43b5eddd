"""What a sweep of policies says in each world that it has, for docs/policies.md.

`python -m tests.studies.policies SWEEP COMMIT`: rows for docs/figures/policies.jsonl on standard
output. A world is what the labels of points have before their last part; the first policy of a
world is the yardstick of the others in it, in pairs of equal users.
"""

import json
import sys
from pathlib import Path
from typing import Any

from droidloop.scenarios.reports.compare import groups_of
from droidloop.scenarios.reports.compare_report import records
from droidloop.scenarios.sweep.sweep import SweepDirectory

KEPT = ("hr_at_10", "joules", "mb", "hours", "worst_class", "front.joules", "front.all")


def rows_of(sweep: SweepDirectory) -> list[dict[str, Any]]:
    """Return the rows of each world."""
    worlds: dict[str, list[Path]] = {}
    labels = sweep.labels()
    for folder in sweep.complete():
        worlds.setdefault(labels[folder].rpartition(", ")[0], []).append(folder)
    rows = []
    for world, folders in worlds.items():
        called = {folder: labels[folder].rpartition(", ")[2] for folder in folders}
        for one in records(groups_of(folders, called), []):
            if one["figure"] in KEPT and (one["users"] == "all" or one["figure"] == "worst_class"):
                rows.append({"world": world} | one)
    return rows


def main() -> None:
    """Print them."""
    sweep, commit = SweepDirectory(Path(sys.argv[1])), sys.argv[2]
    for row in rows_of(sweep):
        print(json.dumps({"commit": commit, "sweep": sweep.facts()["name"]} | row))


if __name__ == "__main__":
    main()
