"""What disks of their own do to a run: a small one that fills, one that turns read-only.

Runs in a mount namespace, so that nothing that is mounted outlives it:
`unshare --mount python -P -m tests.scenarios.run.mounts FOLDER SCENARIO` plays *SCENARIO* in
FOLDER/run, which is a tmpfs too small for it, then with more room, then read-only, then to its end;
what each command said and its exit code are printed as JSON.
"""

import contextlib
import gc
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from droidloop.scenarios.cli.main import main


def mounted(disk: Path, *words: str) -> None:
    """Mount a tmpfs on *disk*, or again with other options."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(words), "tmpfs", disk], check=True)


def said(*words: str | Path) -> tuple[int, str]:
    """Return the exit code of a command and what it said on standard error, progress left out."""
    err = io.StringIO()
    code: Any = 0
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            main([str(word) for word in words])
        except SystemExit as ended:
            code = ended.code
    lines = err.getvalue().splitlines()
    return code, "\n".join(line for line in lines if line.startswith(("Error", "Usage")))


def tried(folder: Path, file: Path) -> list[tuple[int, str]]:
    """Return what the commands said, one by one; leave a copy of the finished run."""
    disk = folder / "disk"
    disk.mkdir()
    mounted(disk, "size=56k")
    run, found = disk / "run", []
    found.append(said("run", file, "--out", run))
    gc.collect()  # closes what a process would have closed at its end
    mounted(disk, "remount,ro,size=64m")
    found.append(said("run", file, "--out", disk / "other"))
    found.append(said("run", "--resume", run))
    mounted(disk, "remount,rw,size=64m")
    found.append(said("run", "--resume", run))
    subprocess.run(["cp", "-r", run, folder / "finished"], check=True)
    return found


if __name__ == "__main__":
    print(json.dumps(tried(Path(sys.argv[1]), Path(sys.argv[2]))))
