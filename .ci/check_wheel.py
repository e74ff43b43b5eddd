"""Fail unless a wheel holds the package, with exactly the tracked files of the five folders.

Usage: check_wheel.py WHEEL. Where links became text files (a clone without core.symlinks) the
wheel builds without a word and without code; this is where it shows.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

PARTS = ("platform", "devices", "network", "models", "scenarios")
FRONT = {"droidloop/__init__.py", "droidloop/py.typed"}
GIT = ("git", "-c", "safe.directory=*", "ls-files", "-z")


def wanted() -> set[str]:
    """Return the names that the wheel must hold under droidloop/."""
    tracked = subprocess.check_output([*GIT, *PARTS], text=True)
    return FRONT | {f"droidloop/{name}" for name in tracked.split("\0") if name}


def main(wheel: str) -> int:
    """Compare *wheel* with the index; return a process exit status."""
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if name.startswith("droidloop/")}
    expected = wanted()
    for name in sorted(expected - shipped):
        print(f"{name}: not in {Path(wheel).name}", file=sys.stderr)
    for name in sorted(shipped - expected):
        print(f"{name}: in {Path(wheel).name} but not in git: add it", file=sys.stderr)
    return int(expected != shipped)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
