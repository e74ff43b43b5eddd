"""Kill runs at random moments and resume them: `python -m tests.benchmarks.killing`.

Protocols and plays take turns; what else there is (rule, table, churn, faults, transforms, releases
where something can ship) is drawn as the swarm draws it, but always on. Each run is a process of
its own, forked off one that has imported everything, that gets SIGKILL up to five times at moments
that are drawn from the time that the undisturbed run took; each time another process goes on with
what is there. The last ones are replays of a run in which real devices took part. A line a run,
then how many ledgers were equal, byte for byte, as JSON; the exit code says whether all were.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError, ScenarioError, UsageError
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import execute, resume
from droidloop.scenarios.schema.load import load
from droidloop.scenarios.schema.schema import Scenario
from tests.scenarios.killed_runs import PLAYS, digest
from tests.swarm.__main__ import commit
from tests.swarm.chance import PROTOCOLS, content_of
from tests.swarm.playing import quick, quiet

KILLS = 5
TURNS = 12
"""Enough of them for a kill to meet any state."""
_TRIES = 3000


def everything(number: int) -> Iterator[Scenario]:
    """Yield scenarios for run *number*: of its protocol and play, with all that it can have on."""
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
        with suppress(ScenarioError, ValidationError):  # what was drawn does not go together
            yield Scenario.of(content)


def played(number: int, out: Path) -> Scenario:
    """Play the first scenario of run *number* that comes to its end; forks then have its package.

    Some are refused once their data are there, and where all are forgotten whose events judge what
    is learned a run ends in an error.

    Raises:
        ScenarioError: nothing that was drawn does.
    """
    for one in everything(number):
        try:
            execute(one, out, replay=None, progress=quiet)
        except (DataError, UsageError):
            shutil.rmtree(out, ignore_errors=True)
        else:
            return one
    raise ScenarioError(f"run {number}: nothing that was drawn comes to its end")


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


def goes_on(one: Scenario, out: Path, replay: Path | None) -> None:
    """Begin the run in *out*, or go on with it."""
    checkpoints.SHARE = 1e9  # after every turn, whatever that costs
    if not (out / "run.json").exists():
        execute(one, out, replay=replay, progress=quiet)
    elif json.loads((out / "run.json").read_text())["state"] != "complete":
        resume(out, progress=quiet)


def killed(one: Scenario, folder: Path, replay: Path | None, draws: Draws) -> tuple[int, bool]:
    """Play *one* below *folder*, whole and killed up to ``KILLS`` times.

    Return how often it was, and whether the ledgers are equal.
    """
    whole, out, kills = folder / "whole", folder / "killed", 0
    begin_s = time.monotonic()
    ended(forked(lambda: goes_on(one, whole, replay)), None)
    whole_s = time.monotonic() - begin_s
    for number in range(1 + int(draws.integers(0, 0, KILLS))):
        after_s = float(draws.uniform(1, number)) * whole_s
        kills += ended(forked(lambda: goes_on(one, out, replay)), after_s)
    ended(forked(lambda: goes_on(one, out, replay)), None)
    return kills, digest(out) == digest(whole)


def recorded(folder: Path) -> tuple[Scenario, Path]:
    """Return a scenario of twelve phones, and a run of it in which three were devices.

    LiteRT in processes of this host stands in for them; one fails at first, one sends nonsense.
    """
    from droidloop.devices.android.runners.host_runner import HostRunner
    from tests.phone.image import CACHE
    from tests.scenarios.run.test_mixed import ALONE, AMONG, FAULTS, Faulty, Liar
    from tests.scenarios.run.test_mixed import play as play_mixed

    settings = {**AMONG, "protocol.rounds": 4}
    os.environ["XDG_CACHE_HOME"] = str(CACHE / "cache")  # training steps take long to export
    devices = {0: Faulty(*FAULTS.values()), 3: HostRunner(), 7: Liar()}
    run = play_mixed(folder / "mixed", devices, settings)
    file = folder / "mixed.toml"
    file.write_text(ALONE)
    return load(file, [f"{key}={value}" for key, value in settings.items()]), run


def main(runs: int, first: int, mixed: int) -> int:
    """Kill and resume *runs* runs and *mixed* ones; return the exit code."""
    counts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, quick():
        replayed = recorded(Path(name)) if mixed else None
        for number in range(first, first + runs + mixed):
            folder = Path(name, str(number))
            if replayed is not None and number >= first + runs:
                (one, replay), kind = replayed, "mixed"
            else:
                one, replay = played(number, folder / "first"), None
                kind = str(one.resolved()["protocol"]["kind"])
            kills, equal = killed(one, folder, replay, Draws(number, "killing"))
            counts["equal" if equal else "different"] += 1
            counts[f"killed {kills} times"] += 1
            kinds[kind] += 1
            what = f"{kind} {one.rule.name} {one.play}"
            print(f"{number:3} {what:28} killed {kills} times: {'equal' if equal else 'DIFFERENT'}")
            sys.stdout.flush()
            shutil.rmtree(folder)
    facts = {"runs": runs + mixed, "first": first, "counts": dict(sorted(counts.items()))}
    print(json.dumps(facts | {"kinds": dict(sorted(kinds.items())), "commit": commit()}))
    return int(counts["different"] > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.killing")
    parser.add_argument("--runs", type=int, default=180)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--mixed", type=int, default=20)
    given = parser.parse_args()
    sys.exit(main(given.runs, given.first, given.mixed))
