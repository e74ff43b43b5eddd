"""Sweeps from Python: many runs from one file, and what they say together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from .comparing import Comparison, compare
from .result import Result

if TYPE_CHECKING:  # imported only where they are needed
    from .running import Progress


@final
class Sweep:
    """A sweep on disk; everything is read from its directory when it is asked for."""

    def __init__(self, path: str | Path) -> None:
        """Open the sweep in the directory *path*.

        Raises:
            UsageError: there is none.
        """
        from droidloop.platform.errors import UsageError
        from droidloop.scenarios.sweep.sweep import SweepDirectory

        self.path = Path(path)
        found = SweepDirectory.at(self.path)
        if found is None:
            raise UsageError(f"{path}: no sweep there; give the directory of a sweep")
        self._directory = found

    @staticmethod
    def is_at(path: Path) -> bool:
        """Tell whether there is a sweep in *path*."""
        from droidloop.scenarios.sweep.sweep import SweepDirectory

        return SweepDirectory.at(path) is not None

    @property
    def runs(self) -> list[dict[str, Any]]:
        """Its runs, complete or not: the ``folder`` and ``seed`` of each, and its ``changes``."""
        runs: list[dict[str, Any]] = self._directory.facts()["runs"]
        return runs

    def results(self) -> list[Result]:
        """Return the results of the runs that are complete.

        Raises:
            UsageError: none is.
        """
        return [Result(folder) for folder in self._directory.complete()]

    def compare(self) -> Comparison:
        """Return the runs that are complete side by side, the first point being the yardstick.

        Raises:
            UsageError: none is.
        """
        return compare([self.path])

    def __repr__(self) -> str:
        return f"<Sweep {self._directory.facts()['name']}, {len(self.runs)} runs, in {self.path}>"


def sweep(
    plan: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    processes: int | None = None,
    ray: str | None = None,
    progress: "Progress | None" = None,
    track: Sequence[str] = (),
) -> Sweep:
    """Run what *plan* varies, all runs that are not complete yet, and return the sweep.

    Args:
        plan: the path of a TOML file, or a dictionary with the tables of one.
        out: the directory of the sweep, new or begun; ``runs/NAME`` if not given.
        processes: how many runs at once; one a processor if not given.
        ray: ``HOST:PORT`` of a Ray cluster that plays the runs.
        progress: called as runs end.
        track: names of trackers that the curves of runs on this machine go to.

    Raises:
        UsageError: the plan, a scenario of it or *out* cannot be used; nothing has been run.
        DroidloopError: some runs failed; the others are complete.
    """
    from droidloop.scenarios.sweep.plan import plan_of
    from droidloop.scenarios.sweep.sweep import sweep as run_sweep

    made = plan_of(plan if isinstance(plan, Mapping) else Path(plan))
    folder = Path(out) if out is not None else Path("runs") / made.name
    told = progress or (lambda stage, done, total: None)
    run_sweep(made, folder, processes=processes, ray=ray, told=told, track=track)
    return Sweep(folder)
