"""The week of releases of the library, run for real and checked from its ledger alone.

    python -m tests.benchmarks.releases [SEED]

Runs `releases` (10,000 phones, seven days, four releases in stages, one of them bad) with patches
and with whole packages, checks each phone's versions at every instant (`gates.py`), and prints a
JSON line a release: what it took, as patches and in the run that had none.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from droidloop.platform.ledger import read
from droidloop.platform.units import DAY_US
from droidloop.scenarios.reports.deliveries import releases_of
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.load import find, load
from tests.scenarios.run.gates import out_of_reach, require_gates


def played(seed: int, out: Path, *settings: str) -> dict[str, Any]:
    """Run the scenario with *settings*, check it, and return its figures."""
    scenario = load(find("releases"), [*settings, f"seed={seed}"])
    answer = execute(scenario, out, replay=None, progress=lambda *_: None)
    back = out_of_reach(out, 5 * DAY_US)
    versions = dict(read(out, "devices")[["phone", "version"]].tolist())
    return {
        "wall_s": answer["wall_s"],
        "changes": require_gates(out),
        "back_after_5_days": len(back),
        "of_them_right": sum(versions[phone] == version for phone, version in back.items()),
        "releases": releases_of(read(out, "jobs"), read(out, "installs")),
    }


def main(seed: int) -> None:
    """Print what was found."""
    for name, settings in (("patches", []), ("whole", ["delivery.patches=false"])):
        with tempfile.TemporaryDirectory() as folder:
            found = played(seed, Path(folder, "run"), *settings)
        for version, one in found.pop("releases").items():
            print(json.dumps({"run": name, "seed": seed, "release": version, **one}))
        print(json.dumps({"run": name, "seed": seed, **found}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
