"""The swarm: random small scenarios, every invariant checked: `python -m tests.swarm`.

python -m tests.swarm --seeds 500 --from 0      seeds 0 to 499; a failing one is shrunk and shown
python -m tests.swarm --from 17                 seed 17 alone, again
python -m tests.swarm --scenario FILE           a scenario in JSON, as a failing seed leaves it
python -m tests.swarm --bugs [NAME ...]         plant each bug; how many seeds until it is found

Results are JSON lines on standard output, one for each hundred seeds and one at the end.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from .bugs import BUGS
from .chance import Content, scenario_of
from .playing import Played, play, quick
from .shrinking import shrunk

WITHIN = 200
"""Seeds within which a planted bug has to be found."""


def told(**facts: Any) -> None:
    """Print a line of JSON."""
    print(json.dumps(facts), flush=True)


def commit() -> str:
    """Return which state of the sources is played."""
    words = ["git", "-c", "safe.directory=*", "describe", "--always", "--dirty"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()


def smaller(content: Content, played: Played) -> Content:
    """Return a smaller scenario that breaks the same invariant as *content* did, or crashes so."""
    assert played.broken is not None
    invariant, said = played.broken

    def breaks(candidate: Content) -> bool:
        again = play(candidate).broken
        if again is None or again[0] != invariant:
            return False
        return invariant not in ("crash", "error") or again[1] == said

    return shrunk(content, breaks)


def swarm(first: int, seeds: int, minutes: float, *, shrink: bool) -> int:
    """Play the seeds from *first* on; return how many broke an invariant."""
    begin_s, broken = time.monotonic(), 0
    events, done, refused, faults = 0, 0, 0, Counter[str]()
    ways: Counter[str] = Counter()

    def so_far() -> dict[str, Any]:
        took_s = round(time.monotonic() - begin_s, 1)
        found = {
            "seeds": done,
            "from": first,
            "refused": refused,
            "events": events,
            "broken": broken,
        }
        return found | {
            "faults": dict(sorted(faults.items())),
            "ways": dict(sorted(ways.items())),
            "wall_s": took_s,
            "commit": commit(),
        }

    for seed in range(first, first + seeds):
        if time.monotonic() - begin_s > 60 * minutes:
            break
        content, _ = scenario_of(seed)
        played = play(content)
        done, events = done + 1, events + played.events
        refused += played.refused
        faults.update(played.faults)
        ways[f"{content['protocol']['kind']} {content['training']['rule']}"] += 1
        if played.broken is not None:
            broken += 1
            told(seed=seed, broken=played.broken[0], what=played.broken[1])
            if shrink:
                told(seed=seed, shrunk=smaller(content, played))
        if done % 100 == 0:
            told(**so_far())
    told(**so_far())
    return broken


def find(name: str, first: int = 0) -> tuple[int | None, tuple[str, str] | None]:
    """Return how many seeds it takes to find the planted bug *name*, and what was seen."""
    plant, invariant = BUGS[name]
    for number in range(WITHIN):
        content, _ = scenario_of(first + number)
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)
            broken = play(content).broken
        if broken is not None and broken[0] == invariant:
            return number + 1, broken
    return None, None


def main() -> int:
    """Do what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.swarm", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--scenario", type=Path)
    parser.add_argument("--bugs", nargs="*", choices=BUGS)
    given = parser.parse_args()
    with quick():
        if given.scenario is not None:
            played = play(json.loads(given.scenario.read_text()))
            told(events=played.events, faults=played.faults, broken=played.broken)
            return int(played.broken is not None)
        if given.bugs is not None:
            missed = 0
            for name in given.bugs or BUGS:
                seeds, seen = find(name, given.first)
                missed += seeds is None
                told(bug=name, seeds=seeds, seen=seen, commit=commit())
            return int(missed > 0)
        return int(swarm(given.first, given.seeds, given.minutes, shrink=not given.no_shrink) > 0)


if __name__ == "__main__":
    sys.exit(main())
