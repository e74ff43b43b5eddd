"""Run mypy, and fail too if it looked at fewer files than the checkout holds.

A checker that does not follow the links of droidloop/ reports no errors at all.
"""

import re
import subprocess
import sys

PLACES = ("droidloop", "platform", "devices", "network", "models", "scenarios", "tests")
GIT = ("git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others")


def main() -> int:
    """Check everything; return a process exit status."""
    listed = subprocess.check_output(
        [*GIT, "--exclude-standard", "--deduplicate", *(f"{place}/*.py" for place in PLACES)],
        text=True,
    )
    expected = len([name for name in listed.split("\0") if name])
    mypy = subprocess.run([sys.executable, "-m", "mypy"], stdout=subprocess.PIPE, text=True)
    print(mypy.stdout, end="")
    if mypy.returncode != 0:
        return mypy.returncode
    found = re.search(r"in (\d+) source files", mypy.stdout)
    seen = int(found[1]) if found else 0
    if seen != expected:
        print(f"mypy looked at {seen} files of {expected}", file=sys.stderr)
    return int(seen != expected)


if __name__ == "__main__":
    sys.exit(main())
