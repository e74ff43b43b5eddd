"""The result of a run in Python: numbers, Arrow tables, figures, and a table in a notebook."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from droidloop.platform.rundir import RunDirectory

if TYPE_CHECKING:  # imported only where they are needed
    import pyarrow as pa
    from matplotlib.figure import Figure


@final
class Result:
    """A run on disk; everything is read from its directory when it is asked for."""

    def __init__(self, path: str | Path, summary: dict[str, Any] | None = None) -> None:
        """Open the run in the directory *path*, whose *summary* is computed if not given.

        Raises:
            UsageError: there is no run.
            LedgerError: it cannot be read, is not complete, or lacks what its manifest lists.
        """
        self.path = Path(path)
        self._directory = RunDirectory.open_whole(self.path)
        self._summary = summary

    @property
    def summary(self) -> dict[str, Any]:
        """What the tables of ``droidloop report`` are made of."""
        if self._summary is None:
            from droidloop.scenarios.reports.summary import summarise

            self._summary = summarise(self._directory)
        return self._summary

    def records(self) -> list[dict[str, Any]]:
        """Return the answer of the run, one record a number: a data frame's rows.

        They are those of ``droidloop report --json``.
        """
        from droidloop.scenarios.reports.summary import records

        return records(self.summary)

    @property
    def scenario(self) -> dict[str, Any]:
        """Every key that the run was made with."""
        scenario: dict[str, Any] = self._directory.manifest()["scenario"]
        return scenario

    def table(self, name: str) -> "pa.Table":
        """Return a table of the ledger as Arrow, such as ``jobs`` or ``metrics``.

        Kinds and outcomes are words, not codes. Polars, pandas and DuckDB take it as it is.

        Raises:
            UsageError: the ledger has no such table.
            LedgerError: a segment is damaged.
        """
        from .tables import table

        return table(self.path, name)

    def picture(self) -> "Figure":
        """Return the run as a matplotlib figure: learning, quality by class, energy, delivery."""
        from droidloop.scenarios.reports.picture import figure_of

        with self._directory.understood():
            figure: Figure = figure_of(self._directory)
        return figure

    def topology(self) -> "Figure":
        """Return who learned from whom as a matplotlib figure.

        Raises:
            UsageError: no phone learned from another one.
        """
        from droidloop.scenarios.reports.topology_picture import topology_figure

        with self._directory.understood():
            figure: Figure = topology_figure(self._directory)
        return figure

    def html(self, path: str | Path) -> None:
        """Write the run as one page to *path*, charts and tables; it needs nothing beside itself.

        Raises:
            UsageError: *path* cannot be written.
        """
        from droidloop.scenarios.pages.write import write_run

        write_run(self._directory, Path(path))

    def __repr__(self) -> str:
        scenario = self.scenario
        return f"<Result of {scenario['name']}, seed {scenario['seed']}, in {self.path}>"

    def _repr_html_(self) -> str:
        from droidloop.scenarios.reports.html import html_of
        from droidloop.scenarios.reports.report import tables_of

        return "\n".join(map(html_of, tables_of(self.summary)))
