"""Runs side by side from Python: records, figures, and tables in a notebook."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from droidloop.platform.rundir import understood

if TYPE_CHECKING:  # imported only where they are needed
    from matplotlib.figure import Figure
    from rich.table import Table

    from droidloop.scenarios.reports.compare import Group
    from droidloop.scenarios.reports.targets import Target

    from .result import Result


@final
class Comparison:
    """Runs side by side; those that differ in nothing but the seed are one row."""

    def __init__(
        self,
        groups: "Sequence[Group]",
        targets: "Sequence[Target]",
        name: str = "Runs side by side",
    ) -> None:
        self._groups, self._targets, self._name = groups, targets, name

    def records(self) -> list[dict[str, Any]]:
        """Return every figure as a record, those of ``droidloop compare --json``."""
        from droidloop.scenarios.reports.compare_report import records

        return records(self._groups, self._targets)

    def tables(self) -> "Iterator[Table]":
        """Yield the tables of ``droidloop compare``."""
        from droidloop.scenarios.reports.compare_report import tables_of

        return tables_of(self._groups, self._targets)

    def picture(self) -> "Figure":
        """Return a matplotlib figure: validation quality against rounds, bytes, energy, time."""
        from droidloop.scenarios.reports.compare_report import figure_of

        figure: Figure = figure_of(self._groups)
        return figure

    def html(self, path: str | Path) -> None:
        """Write one page with charts and tables to *path*; it needs nothing beside itself.

        Raises:
            UsageError: *path* cannot be written.
        """
        from droidloop.scenarios.pages.write import write_comparison

        write_comparison(self._name, self._groups, Path(path))

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(group.label for group in self._groups)}>"

    def _repr_html_(self) -> str:
        from droidloop.scenarios.reports.html import html_of

        return "\n".join(map(html_of, self.tables()))


def compare(
    runs: "Sequence[Result | str | Path]",
    *,
    varied: Sequence[str] = (),
    targets: Sequence[str] = (),
) -> Comparison:
    """Return *runs* side by side: results, directories of runs, or those of sweeps.

    Args:
        runs: the first is the yardstick of differences.
        varied: the keys in which they may differ, or sections; all but ``data`` and
            ``evaluation`` if none is given. Those of a sweep may differ in what it varies.
        targets: ``METRIC=VALUE``: what each had cost when its validation first got there.

    Raises:
        UsageError: they differ in more, or one is not complete, is given twice or was not
            validated.
        LedgerError: one cannot be read.
    """
    from droidloop.scenarios.reports.alike import require_alike
    from droidloop.scenarios.reports.compare import groups_of
    from droidloop.scenarios.reports.targets import target_of
    from droidloop.scenarios.sweep.sweep import SweepDirectory

    folders: list[Path] = []
    allowed, names = list(varied), []
    called: dict[Path, str] = {}
    for one in runs:
        path = Path(one) if isinstance(one, str | Path) else one.path
        found = SweepDirectory.at(path)
        folders += [path] if found is None else found.complete()
        if found is not None:
            allowed += found.varied()
            called |= found.labels()
            names.append(f"Sweep {found.facts()['name']}")
    with understood(*folders):
        require_alike(folders, allowed)
        groups = groups_of(folders, called)
        wanted = [target_of(text, groups) for text in targets]
    return Comparison(groups, wanted, ", ".join(names) or "Runs side by side")
