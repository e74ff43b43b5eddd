"""Kill runs at random moments and resume them: `python -m tests.benchmarks.killing [RUNS]`.

Each run is a process of its own that gets SIGKILL somewhere between its manifest and the end that
the undisturbed one had (half as far if it had ended by then), and is resumed by another. Ways and
plays take turns, moments are drawn. A line a run, then how many ledgers were equal, byte for byte;
the exit code says whether all were.
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.scenarios.conftest import SMALL
from tests.scenarios.killed_runs import COMMON, PLAYS, WAYS, digest

ENDED = "had ended"
_CODE = "import sys; from droidloop.scenarios.cli.main import main; main(sys.argv[1:])"


def command(*arguments: object) -> list[str]:
    """Return the command line of droidloop with *arguments*."""
    return [sys.executable, "-c", _CODE, "run", "--json", *map(str, arguments)]


def start(*arguments: object) -> "subprocess.Popen[bytes]":
    """Start droidloop, silent but for errors."""
    return subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL)


def options(file: Path, way: str, play: str, out: Path) -> list[object]:
    """Return the arguments of a run."""
    settings = [*COMMON, "protocol.rounds=120", f"play={play}", *WAYS[way]]
    if way == "releases":  # each takes an export of some seconds
        settings.append("delivery.every=40")
    return [file, "--out", out, *(part for one in settings for part in ("--set", one))]


def begun(process: "subprocess.Popen[bytes]", out: Path) -> None:
    """Wait until the run in *out* has begun, or its process has ended."""
    while process.poll() is None and not (out / "run.json").exists():
        time.sleep(0.005)


def kill_and_resume(arguments: list[object], out: Path, after_s: float) -> str:
    """Kill a run after that time, resume it; return how far it was when it was killed."""
    process = start(*arguments)
    begun(process, out)
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.wait()
    if json.loads((out / "run.json").read_text())["state"] == "complete":
        return ENDED
    how = "had a checkpoint" if (out / "checkpoint.safetensors").exists() else "had none"
    assert start("--resume", out).wait() == 0
    return how


def main(runs: int) -> int:
    """Kill and resume *runs* runs; return the exit code."""
    from droidloop.platform.draws import Draws

    chance = Draws(1, "killing")
    cases = [(way, play) for way in WAYS for play in PLAYS]
    expected: dict[tuple[str, str], tuple[dict[str, str], float]] = {}
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "small.toml"
        file.write_text(SMALL)
        for number in range(runs):
            way, play = case = cases[number % len(cases)]
            if case not in expected:
                out = folder / f"{way} {play}".replace(" ", "-")
                process = start(*options(file, way, play, out))
                begun(process, out)
                begin = time.monotonic()
                assert process.wait() == 0
                expected[case] = digest(out), time.monotonic() - begin
            segments, whole_s = expected[case]
            after_s = float(chance.uniform(number, 0)) * whole_s
            out = folder / f"{number:03d}"
            while (how := kill_and_resume(options(file, way, play, out), out, after_s)) is ENDED:
                shutil.rmtree(out)
                after_s /= 2
            verdict = "equal" if digest(out) == segments else "DIFFERENT"
            counts[verdict] += 1
            counts[how] += 1
            print(f"{number:3} {way:22} {play:7} killed after {after_s:5.1f} s: {how}, {verdict}")
    print(f"{counts['equal']} of {runs} ledgers are equal; {dict(counts)}")
    return 0 if counts["equal"] == runs else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
