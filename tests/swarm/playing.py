"""Plays one scenario of the swarm: as cohort, exactly, and ended at any event and resumed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from droidloop.platform.draws import Draws
from droidloop.platform.errors import DroidloopError, UsageError
from droidloop.platform.ledger import read, texts
from droidloop.platform.workers import use_threads
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import execute, resume
from droidloop.scenarios.schema.schema import Scenario
from tests.exported_once import by_shape, exported_once
from tests.scenarios.killed_runs import digest

from .chance import Content
from .invariants import require_all
from .watch import BrokenError, KilledError, Watch, require, watched

KILLS = 2
"""How often a run is ended before it may end by itself."""
NONE: Any = {}


@dataclass
class Played:
    """What came of a scenario.

    Attributes:
        events: that were handled, in all ways of playing.
        faults: the kinds of those that were on.
        refused: whether what it chooses does not go together.
        broken: the invariant that does not hold, and what was seen; None: all hold.
    """

    events: int = 0
    faults: list[str] = field(default_factory=list)
    refused: bool = False
    broken: tuple[str, str] | None = None


@contextmanager
def quick() -> Iterator[None]:
    """Have runs do without what the swarm does not ask for, during the block.

    A graph of a shape is exported once: what other weights of that shape would give is told apart
    by tests of exports, not by these. Nothing is summed up for people. Phones on which nothing was
    trained take two passes for themselves, not twenty, which would be half of the time.
    """
    use_threads(1)
    with exported_once(by_shape), pytest.MonkeyPatch.context() as patch:
        patch.setattr("droidloop.scenarios.run.run.summarise", lambda directory: {})
        patch.setattr("droidloop.models.learning.newcomers.PASSES", 2)
        yield


def quiet(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def play(content: Content) -> Played:
    """Return what came of the scenario *content*, played in every way."""
    played = Played()
    memory = Path("/dev/shm")  # noqa: S108  the folder below has a name that nobody can guess
    scratch = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="droidloop-swarm-", dir=scratch) as name:
        try:
            _all_ways(Scenario.of(content), content, Path(name), played)
        except BrokenError as error:
            played.broken = error.invariant, str(error)
        except UsageError:  # what depends on the data is refused later, in a line
            played.refused = True
        except DroidloopError as error:  # a user's mistake is none of a scenario that was accepted
            played.broken = "error", f"{type(error).__name__}: {error}"
        except Exception as error:
            shown = (str(error).splitlines() or [""])[0]
            played.broken = "crash", f"{type(error).__name__}: {shown}"
    return played


def _all_ways(one: Scenario, content: Content, folder: Path, played: Played) -> None:
    whole = folder / "cohort"
    events = _play(one, whole, played)
    played.faults = _kinds(whole)
    require_all(whole, content)
    expected = digest(whole)
    exact = one.model_copy(update={"play": "exact"})
    _play(exact, folder / "exact", played)
    require(digest(folder / "exact") == expected, "exact", _differ(folder / "exact", expected))
    _kill(one if one.seed % 2 else exact, folder / "killed", events, played)
    require(digest(folder / "killed") == expected, "resume", _differ(folder / "killed", expected))


def _play(one: Scenario, folder: Path, played: Played) -> int:
    with watched(Watch()) as watch:
        execute(one, folder, replay=None, progress=quiet)
    played.events += watch.events
    return watch.events


def _kill(one: Scenario, folder: Path, events: int, played: Played) -> None:
    """Play *one*, ended at random events among the *events* of a whole run, and gone on with."""
    chance = Draws(one.seed, "kills")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "SHARE", 1e9)  # after every turn, whatever that costs
        for number in range(KILLS + 1):
            kill_at = None if number == KILLS else int(chance.uniform(0, number) * events)
            try:
                with watched(Watch(kill_at=kill_at)) as watch:
                    if (folder / "run.json").exists():
                        resume(folder, progress=quiet)
                    else:
                        shutil.rmtree(folder, ignore_errors=True)
                        execute(one, folder, replay=None, progress=quiet)
            except KilledError:
                played.events += watch.events
                continue
            played.events += watch.events
            return


def _kinds(folder: Path) -> list[str]:
    events = read(folder, "events")
    return sorted(set(texts(events["name"][events["kind"] == b"fault"])))


def _differ(folder: Path, expected: dict[str, str]) -> str:
    found = digest(folder)
    names = sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))
    return f"other bytes in {', '.join(names)}"
