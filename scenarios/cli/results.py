"""Commands that look at what runs have left: report, compare, and sweep, which makes them first."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from droidloop.platform.errors import UsageError

from .track_option import track

if TYPE_CHECKING:  # imported only where they are needed
    from rich.console import Console

    from droidloop.scenarios.front.comparing import Comparison
    from droidloop.scenarios.front.sweeping import Sweep


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON list of records and nothing else."
)
@click.option("--picture", type=click.Path(path_type=Path), help="Also draw the run as this PNG.")
@click.option(
    "--topology", type=click.Path(path_type=Path), help="Also draw who learned from whom as a PNG."
)
@click.option("--html", type=click.Path(path_type=Path), help="Also write all as this one page.")
def report(
    directory: Path, as_json: bool, picture: Path | None, topology: Path | None, html: Path | None
) -> None:
    """Print the summary of the run in DIRECTORY, from its ledger alone; of a sweep, its runs.

    A run that is not complete, or of which segments are missing, is refused with exit code 1.
    """
    from droidloop.platform.rundir import RunDirectory
    from droidloop.scenarios.front.sweeping import Sweep
    from droidloop.scenarios.reports.summary import summarise

    if Sweep.is_at(directory):
        _report_sweep(Sweep(directory), as_json, picture, topology, html)
        return
    run = RunDirectory.open_whole(directory)
    with run.understood():
        if html is not None:
            from droidloop.scenarios.pages.write import write_run

            write_run(run, html)
        if topology is not None:  # before anything is printed: not every run has one
            from droidloop.scenarios.reports.topology_picture import draw_topology

            draw_topology(run, topology)
        print_summary(summarise(run), as_json)
        if picture is not None:
            from droidloop.scenarios.reports.picture import draw_run

            draw_run(run, picture)


def _report_sweep(
    sweep: "Sweep", as_json: bool, picture: Path | None, topology: Path | None, html: Path | None
) -> None:
    if topology is not None:
        raise UsageError(f"--topology {topology}: a sweep has many; report one of its runs")
    comparison = sweep.compare()
    if html is not None:
        comparison.html(html)
    _print_comparison(comparison, as_json, picture, sweep.path)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON list of records and nothing else."
)
@click.option("--picture", type=click.Path(path_type=Path), help="Also draw them as this PNG.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="METRIC=VALUE",
    help="Print what each had cost when its validation first got there, as hr_at_10=0.6.",
)
@click.option(
    "--varied",
    multiple=True,
    metavar="KEY",
    help="Refuse runs that differ in other keys [all but data and evaluation may differ].",
)
def compare(
    runs: tuple[Path, ...],
    as_json: bool,
    picture: Path | None,
    targets: tuple[str, ...],
    varied: tuple[str, ...],
) -> None:
    """Print RUNS, or those of sweeps, side by side; what differs in the seed alone is one row."""
    from droidloop.scenarios.front.comparing import compare as compare_runs

    comparison = compare_runs(runs, varied=varied, targets=targets)
    _print_comparison(comparison, as_json, picture, *runs)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Directory of the sweep [runs/FILE].")
@click.option(
    "--processes", type=click.IntRange(min=1), help="Runs at once, a thread each [a processor]."
)
@click.option("--ray", metavar="HOST:PORT", help="Play the runs on this Ray cluster instead.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON list of records and nothing else."
)
@track
def sweep(
    file: Path,
    out: Path | None,
    processes: int | None,
    ray: str | None,
    as_json: bool,
    track: tuple[str, ...],
) -> None:
    """Run what FILE varies, and print the runs side by side.

    What is complete is not run again, and what was cut short is gone on with: after Ctrl-C, or
    with more points in FILE, give the same line again.
    """
    from droidloop.scenarios.front.sweeping import sweep as run_sweep

    from .progress import SweepProgress

    if processes is not None and ray is not None:
        raise UsageError(f"--processes {processes}: the cluster at --ray says; leave it out")
    told = SweepProgress()
    made = run_sweep(file, out, processes=processes, ray=ray, progress=told, track=track)
    _print_comparison(made.compare(), as_json, None, made.path)
    if not as_json:
        click.echo(f"sweep directory: {made.path}")


def _print_comparison(
    comparison: "Comparison", as_json: bool, picture: Path | None, *runs: Path
) -> None:
    from droidloop.platform.rundir import understood

    with understood(*runs):
        if as_json:
            click.echo(json.dumps(comparison.records(), allow_nan=False))
        else:
            console = _console()
            with console.capture() as whole:
                for table in comparison.tables():
                    console.print(table)
            click.echo(whole.get(), nl=False)
        if picture is not None:
            from droidloop.scenarios.reports.canvas import save

            save(comparison.picture(), picture)


def print_summary(answer: dict[str, Any], as_json: bool) -> None:
    """Print the summary *answer* of a run, as tables or as JSON."""
    if as_json:
        from droidloop.scenarios.reports.summary import records

        click.echo(json.dumps(records(answer), allow_nan=False))
        return
    from droidloop.scenarios.reports.report import show as show_report

    console = _console()
    with console.capture() as whole:  # an answer that cannot be shown is not shown in part
        show_report(answer, console)
    click.echo(whole.get(), nl=False)


def _console() -> "Console":
    from rich.console import Console

    class Told(Console):
        def on_broken_pipe(self) -> None:  # as for all that is printed, not exit code 1
            raise BrokenPipeError

    return Told(width=None if sys.stdout.isatty() else 160)
