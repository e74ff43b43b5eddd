"""Kill runs at random moments and resume them: `python -m tests.benchmarks.killing [RUNS] [FROM]`.

Protocols and plays take turns; what else there is (rule, table, churn, faults, transforms, releases
where something can ship) is drawn as the swarm draws it, but always on. Each run is a process of
its own, forked off one that has imported everything, that gets SIGKILL up to five times at moments
that are drawn from the time that the undisturbed run took; each time another process goes on with
what is there. A line a run, then how many ledgers were equal, byte for byte, as JSON; the exit code
says whether all were.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import execute, resume
from droidloop.scenarios.schema.schema import Scenario
from tests.scenarios.killed_runs import PLAYS, digest
from tests.swarm.__main__ import commit
from tests.swarm.chance import PROTOCOLS, Content, content_of
from tests.swarm.playing import quick, quiet

KILLS = 5
TURNS = 12
"""Enough of them for a kill to meet any state."""
_TRIES = 3000


def everything(number: int) -> Content:
    """Return the scenario of run *number*: of its protocol and play, with all that it can have on.

    Raises:
        ScenarioError: nothing that is drawn has it all on and goes together.
    """
    way = list(PROTOCOLS)[number % len(PROTOCOLS)]
    play = PLAYS[number // len(PROTOCOLS) % len(PLAYS)]
    for attempt in range(_TRIES):
        content = content_of(number, attempt, way)
        protocol = content["protocol"]
        if not content.get("churn") or not content.get("faults"):
            continue
        if protocol["kind"] != "local" and not protocol.get("transforms"):
            continue
        if protocol["kind"] in ("rounds", "buffered") and content["delivery"]["variant"] == "none":
            continue
        content = {**content, "protocol": {**protocol, "rounds": TURNS}, "play": play}
        try:
            Scenario.of(content)
        except (ScenarioError, ValidationError):
            continue
        return content
    raise ScenarioError(f"run {number}: nothing that was drawn goes together")


def forked(work: Callable[[], object]) -> int:
    """Have a process of its own do *work*; return its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def ended(child: int, after_s: float | None) -> bool:
    """Wait for *child*, which gets SIGKILL after that time; return whether it got it."""
    deadline_s = None if after_s is None else time.monotonic() + after_s
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, f"a process ended with {status}"
            return False
        if deadline_s is not None and time.monotonic() > deadline_s:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return True
        time.sleep(0.001)


def goes_on(content: Content, out: Path) -> None:
    """Begin the run in *out*, or go on with it."""
    checkpoints.SHARE = 1e9  # after every turn, whatever that costs
    if not (out / "run.json").exists():
        execute(Scenario.of(content), out, replay=None, progress=quiet)
    elif json.loads((out / "run.json").read_text())["state"] != "complete":
        resume(out, progress=quiet)


def killed(content: Content, out: Path, whole_s: float, draws: Draws) -> int:
    """Play *content* into *out*, killed up to ``KILLS`` times; return how often it was."""
    kills = 0
    for number in range(1 + int(draws.integers(0, 0, KILLS))):
        after_s = float(draws.uniform(1, number)) * whole_s
        kills += ended(forked(lambda: goes_on(content, out)), after_s)
    ended(forked(lambda: goes_on(content, out)), None)
    return kills


def main(runs: int, first: int = 0) -> int:
    """Kill and resume *runs* runs; return the exit code."""
    counts: Counter[str] = Counter()
    protocols: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, quick():
        for number in range(first, first + runs):
            content, folder = everything(number), Path(name, str(number))
            whole, out = folder / "whole", folder / "killed"
            if content["delivery"]["variant"] != "none":  # exported here: forks have the package
                execute(Scenario.of(content), folder / "first", replay=None, progress=quiet)
            begin_s = time.monotonic()
            ended(forked(lambda c=content, w=whole: goes_on(c, w)), None)  # type: ignore[misc]
            whole_s = time.monotonic() - begin_s
            kills = killed(content, out, whole_s, Draws(number, "killing"))
            verdict = "equal" if digest(out) == digest(whole) else "DIFFERENT"
            counts[verdict] += 1
            counts[f"killed {kills} times"] += 1
            kind = content["protocol"]["kind"]
            protocols[kind] += 1
            what = f"{kind} {content['training']['rule']} {content['play']}"
            print(
                f"{number:3} {what:28} {whole_s:5.1f} s, killed {kills} times: {verdict}",
                flush=True,
            )
            if verdict == "equal":
                shutil.rmtree(folder)
    facts = {"runs": runs, "equal": counts["equal"], "counts": dict(sorted(counts.items()))}
    print(json.dumps(facts | {"protocols": dict(sorted(protocols.items())), "commit": commit()}))
    return 0 if counts["equal"] == runs else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])) if sys.argv[1:] else main(200))
