"""A sweep on disk: a directory with one directory a run; what is complete is never run again."""

import fcntl
import json
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from droidloop.platform.cluster import Cluster
from droidloop.platform.errors import DroidloopError, UsageError, shown
from droidloop.platform.reading import bounded
from droidloop.platform.rundir import MANIFEST, RunDirectory, replace_text
from droidloop.platform.workers import processors
from droidloop.scenarios.reports.varied import varied
from droidloop.scenarios.runtime.curves import trackers_of

from .plan import Plan, Planned
from .processes import Ended, play_here
from .remote import play_there

NAME = "sweep.json"
_LOCK = "sweep.lock"
_PATIENCE_S = 10.0
"""How long the processes of a sweep that was killed may take to end."""

MAX_BYTES = 1 << 28
"""Of ``sweep.json``: a million runs."""

Told = Callable[[str, int, int], None]
"""Told the stage, and how many of how many runs are over."""


class RunsFailedError(DroidloopError):
    """Some runs of a sweep could not go on; the others are complete."""


@dataclass(frozen=True)
class SweepDirectory:
    """The directory of a sweep: ``sweep.json`` says which runs there are and what they vary."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> "SweepDirectory | None":
        """Return the sweep in *path*; None where there is none."""
        return cls(path) if (path / NAME).is_file() else None

    def facts(self) -> dict[str, Any]:
        """Return what ``sweep.json`` says.

        Raises:
            UsageError: it is damaged.
        """
        try:
            facts = json.loads(bounded(self.path / NAME, MAX_BYTES, UsageError).decode())
            for run in facts["runs"]:
                kinds = (str(run["folder"]), int(run["seed"]), dict(run["changes"]))
                if kinds[0] != Path(kinds[0]).name:
                    raise ValueError(f"{shown(run['folder'])} is no folder of it")
            name, keys = str(facts["name"]), [str(key) for key in list(facts["keys"])]
            return {"name": name, "keys": keys, "runs": facts["runs"]}
        except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
            raise UsageError(
                f"{self.path / NAME}: not what a sweep leaves ({error}); run the sweep again"
            ) from error

    def complete(self) -> list[Path]:
        """Return the directories of the runs that are complete, in the order of the plan.

        Raises:
            UsageError: there is none yet.
        """
        folders = [self.path / run["folder"] for run in self.facts()["runs"]]
        done = [one for one in folders if _state(one) == "complete"]
        if not done:
            raise UsageError(f"{self.path}: no run of this sweep is complete; run it again")
        return done

    def labels(self) -> dict[Path, str]:
        """Return what the file of the sweep calls its runs, by directory, where it does."""
        runs = self.facts()["runs"]
        return {self.path / one["folder"]: one["label"] for one in runs if one.get("label")}

    def varied(self) -> list[str]:
        """Return the keys in which its complete runs differ: what is varied, and what follows."""
        manifests = [RunDirectory(one).manifest() for one in self.complete()]
        return list(varied([one["scenario"] for one in manifests]))


def sweep(
    plan: Plan,
    out: Path,
    *,
    processes: int | None,
    ray: str | None,
    told: Told,
    track: Sequence[str] = (),
) -> SweepDirectory:
    """Play what *out* lacks of *plan*, and return the sweep there.

    Runs that a killed sweep left unfinished are gone on with. A run that fails does not stop the
    others. Trackers named in *track* hear of every run that is played here.

    Raises:
        UsageError: *out* is something else, another process is at it, or a tracker cannot be used.
        RunsFailedError: some runs failed; their reasons are told once all others are complete.
    """
    if track and ray is not None:
        raise UsageError(
            f"--track {track[0]}: runs on a cluster's machines are not tracked; leave --ray out"
        )
    trackers_of(track)  # their libraries are there, and so is a store, before any run
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / NAME).exists())):
        raise UsageError(f"{out}: there is something else than a sweep; choose another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror or error}; choose another --out") from error
    with _locked(out) as lock:
        runs = [
            {
                "folder": one.folder,
                "seed": one.scenario.seed,
                "changes": one.changes,
                "label": one.label,
            }
            for one in plan.runs
        ]
        facts = {"name": plan.name, "keys": plan.keys, "runs": runs}
        replace_text(out / NAME, json.dumps(facts, indent=2) + "\n")
        left = [one for one in plan.runs if not _is_done(out / one.folder, one)]
        many = len(plan.runs)
        told("runs", many - len(left), many)
        failed: list[tuple[Planned, str]] = []
        with closing(_played(left, out, lock, (processes, track), ray)) as ended:
            for number, (run, reason) in enumerate(ended, 1):
                failed += [(run, reason)] if reason is not None else []
                told("runs", many - len(left) + number, many)
    if failed:
        run, reason = failed[0]
        raise RunsFailedError(f"{len(failed)} of {many} runs failed; {out / run.folder}: {reason}")
    return SweepDirectory(out)


def _played(
    runs: Sequence[Planned],
    out: Path,
    lock: int,
    here: tuple[int | None, Sequence[str]],
    ray: str | None,
) -> Generator[Ended, None, None]:
    if ray is None:
        processes, track = here
        yield from play_here(runs, out, lock, processes or processors(), track)
        return
    with closing(Cluster(ray)) as cluster:
        yield from play_there(runs, out, cluster)


def _state(folder: Path) -> str | None:
    if not (folder / MANIFEST).is_file():
        return None
    return str(RunDirectory(folder).manifest().get("state"))


def _is_done(folder: Path, run: Planned) -> bool:
    """Return whether the complete *run* is in *folder*.

    Raises:
        UsageError: another run is there, which is not ours to remove.
    """
    if not (folder / MANIFEST).is_file():
        return False
    manifest = RunDirectory(folder).manifest()
    if manifest.get("scenario") != run.scenario.resolved():
        raise UsageError(f"{folder}: holds the run of another scenario; move it elsewhere")
    return manifest.get("state") == "complete"


@contextmanager
def _locked(out: Path) -> Iterator[int]:
    """Hold the lock of the sweep in *out*; the processes of a killed one hold it until they end."""
    with (out / _LOCK).open("ab") as file:
        deadline_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if time.monotonic() > deadline_s:
                    raise UsageError(
                        f"{out}: another process is at this sweep; wait for its end"
                    ) from error
                time.sleep(0.1)
        yield file.fileno()
