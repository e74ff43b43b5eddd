"""The command line. Heavy imports wait inside the commands, so that ``--help`` answers at once."""

import json
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from droidloop.platform.errors import DroidloopError, UsageError

from .catalogue import keys, methods
from .device_options import adb_server, bundle_files
from .devices import devices
from .package import package

if TYPE_CHECKING:  # imported only where they are needed
    from rich.console import Console


class _Group(click.Group):
    """Shows an error of ours as one line; a traceback is a bug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DroidloopError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="droidloop")
def main() -> None:
    """A laboratory for on-device recommender systems."""


@main.command()
@click.argument("scenario", required=False)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a key.")
@click.option("--seed", type=click.IntRange(min=0), help="Override the scenario's seed.")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory [runs/NAME-SEED].")
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    help="Answer every job from the run recorded in this directory.",
)
@click.option(
    "--attach",
    multiple=True,
    metavar="SERIAL|all",
    help="Have this device take part, in the place of the first phone that is free.",
)
@click.option(
    "--testbed",
    type=click.Path(path_type=Path),
    help="A TOML file with [[devices.android]] tables: devices, and how each of them works.",
)
@adb_server
@bundle_files
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Threads for phones and training [one a processor].",
)
@click.option("--ray", metavar="HOST:PORT", help="Play and train cohorts on this Ray cluster.")
@click.option(
    "--resume",
    "killed",
    type=click.Path(path_type=Path),
    help="Go on with the killed run in this directory, instead of SCENARIO.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON list of records and nothing else."
)
def run(
    scenario: str | None,
    settings: tuple[str, ...],
    seed: int | None,
    out: Path | None,
    replay: Path | None,
    attach: tuple[str, ...],
    testbed: Path | None,
    adb_server: str | None,
    bundles: tuple[Path, ...],
    workers: int | None,
    ray: str | None,
    killed: Path | None,
    as_json: bool,
) -> None:
    """Run SCENARIO (a name from the library or a TOML file) and print its summary."""
    from droidloop.scenarios.front.devices import Devices
    from droidloop.scenarios.front.running import resume
    from droidloop.scenarios.front.running import run as run_scenario
    from droidloop.scenarios.front.scenario import Scenario
    from droidloop.scenarios.schema.load import content_of, find

    from .compiling import compiling_told

    progress = _Progress(quiet=as_json)
    if killed is not None:
        if scenario or settings or seed is not None or out or replay or attach or testbed:
            raise UsageError(
                f"--resume {killed}: the run goes on as it was begun; "
                "leave the scenario and all options but --workers, --ray and --json out"
            )
        result = resume(killed, workers=workers, ray=ray, progress=progress)
        _print(result.summary, as_json)
        return
    if scenario is None:
        raise UsageError("run: give SCENARIO, a name of `droidloop scenarios list` or a file")
    path = find(scenario)
    chosen = Scenario(content_of(path, settings), str(path))
    devices = Devices(attach, testbed, adb_server, bundles, partial(click.echo, err=True))
    with nullcontext() if as_json else compiling_told():
        result = run_scenario(
            chosen,
            out,
            seed=seed,
            replay=replay,
            devices=devices,
            workers=workers,
            ray=ray,
            progress=progress,
        )
    _print(result.summary, as_json)
    if not as_json:
        click.echo(f"run directory: {result.path}")


@main.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON list of records and nothing else."
)
@click.option("--picture", type=click.Path(path_type=Path), help="Also draw the run as this PNG.")
@click.option(
    "--topology", type=click.Path(path_type=Path), help="Also draw who learned from whom as a PNG."
)
def report(directory: Path, as_json: bool, picture: Path | None, topology: Path | None) -> None:
    """Print the summary of the run in DIRECTORY, from its ledger alone."""
    from droidloop.platform.rundir import RunDirectory
    from droidloop.scenarios.reports.summary import summarise

    run = RunDirectory.open(directory)
    if topology is not None:  # before anything is printed: not every run has one
        from droidloop.scenarios.reports.topology_picture import draw_topology

        draw_topology(run, topology)
    _print(summarise(run), as_json)
    if picture is not None:
        from droidloop.scenarios.reports.picture import draw_run

        draw_run(run, picture)


@main.command()
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
def compare(
    runs: tuple[Path, ...], as_json: bool, picture: Path | None, targets: tuple[str, ...]
) -> None:
    """Print RUNS side by side; those that differ in the seed alone become one row."""
    from droidloop.scenarios.reports import compare_report
    from droidloop.scenarios.reports.compare import groups_of
    from droidloop.scenarios.reports.targets import target_of

    groups = groups_of(runs)
    wanted = [target_of(text, groups) for text in targets]
    if as_json:
        records = compare_report.records(groups, wanted)
        click.echo(json.dumps(records, allow_nan=False))
    else:
        compare_report.show(groups, wanted, _console())
    if picture is not None:
        compare_report.draw(groups, picture)


main.add_command(devices)
main.add_command(methods)
main.add_command(package)


@main.group()
def scenarios() -> None:
    """List, show and check scenarios, and list their keys."""


scenarios.add_command(keys)


@scenarios.command("list")
def list_scenarios() -> None:
    """List the scenarios that ship with droidloop."""
    from droidloop.scenarios.schema.load import find, load, names

    for name in names():
        click.echo(f"{name:24} {load(find(name)).title}")


@scenarios.command()
@click.argument("name")
@click.argument("scenario", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("radio"),
    help="Where the pictures of `show radio` go [radio].",
)
@click.option("--trace", type=click.Path(path_type=Path), help="A link trace for `show radio`.")
def show(name: str, scenario: str | None, out: Path, trace: Path | None) -> None:
    """Print the file of the scenario NAME.

    `radio` draws radios, a link and batteries instead; `eligibility SCENARIO` prints how many
    phones can be asked at each hour of the day.
    """
    if (name == "eligibility") != (scenario is not None):
        raise UsageError(
            f"scenarios show {name} {scenario or ''}".rstrip()
            + ": give one scenario, or `eligibility` and the scenario to look into"
        )
    if scenario is not None:
        from droidloop.scenarios.run.eligibility import eligibility_lines
        from droidloop.scenarios.schema.load import find, load

        for line in eligibility_lines(load(find(scenario))):
            click.echo(line)
        return
    if name == "radio":
        from droidloop.scenarios.reports.radio_plots import draw_radio
        from droidloop.scenarios.run.coverage import optus_lines

        for line in [*map(str, draw_radio(out, trace=trace)), *optus_lines()]:
            click.echo(line)
        return
    from droidloop.scenarios.schema.load import find

    click.echo(find(name).read_text(), nl=False)


@scenarios.command()
@click.argument("file")
def check(file: str) -> None:
    """Check FILE; say nothing but that it is right."""
    from droidloop.scenarios.schema.load import find, load

    path = find(file)
    click.echo(f"{path}: {load(path).name} is a valid scenario")


def _print(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        from droidloop.scenarios.reports.summary import records

        click.echo(json.dumps(records(answer), allow_nan=False))
        return
    from droidloop.scenarios.reports.report import show as show_report

    show_report(answer, _console())


def _console() -> "Console":
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160)


class _Progress:
    """A bar on standard error while a run takes its time; nothing where nobody looks."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or not sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that *done* of *total* steps of *stage* are over."""
        if self._quiet:
            return
        from rich.console import Console
        from rich.progress import Progress

        if self._bar is None:
            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(stage)
        self._bar.update(self._task, description=stage, completed=done, total=total)
        if done >= total:
            self._bar.stop()
            self._bar = None
