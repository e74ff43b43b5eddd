"""The page of a run, and that of runs side by side."""

from collections.abc import Sequence
from pathlib import Path

from droidloop.platform.errors import DataError, ScenarioError
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.compare import Group
from droidloop.scenarios.reports.compare_report import tables_of as comparison_tables
from droidloop.scenarios.reports.report import tables_of
from droidloop.scenarios.reports.summary import summarise

from .page import Page
from .phone_charts import phone_charts
from .run_charts import charts_of
from .sweep_charts import comparison_charts


def write_run(run: RunDirectory, path: Path) -> None:
    """Write the page of *run* to *path*.

    Raises:
        UsageError: it has no validation, or *path* cannot be written.
        LedgerError: a table is damaged.
    """
    with run.understood():
        scenario = run.manifest()["scenario"]
        lead = [scenario["title"]]
        charts = list(charts_of(run))
        try:
            charts += phone_charts(run)
        except (DataError, ScenarioError) as error:  # the ledger is here, its data are not
            lead.append(f"Without charts of phones and hours: {error}")
        tables = tables_of(summarise(run))
    Page(f"{scenario['name']}, seed {scenario['seed']}", lead, charts, tables).write(path)


def write_comparison(name: str, groups: Sequence[Group], path: Path) -> None:
    """Write the page of *groups*, which are called *name* together, to *path*.

    Raises:
        UsageError: *path* cannot be written.
    """
    runs = sum(len(group.results) for group in groups)
    lead = [f"{runs} runs of {len(groups)} points; the yardstick is {groups[0].label}."]
    charts, tables = list(comparison_charts(groups)), list(comparison_tables(groups))
    Page(name, lead, charts, tables).write(path)
