"""The command line. Heavy imports wait inside the commands, so that ``--help`` answers at once."""

import atexit
import gc
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from droidloop.platform.errors import DroidloopError, UsageError
from droidloop.platform.stopping import interruptible, patient

from .catalogue import keys, methods
from .device_options import adb_server, bundle_files
from .devices import devices
from .package import package
from .results import compare, print_summary, report, sweep
from .system import CLOSED, nobody_listens, require_room, system_error, unloaded
from .together import together
from .track_option import track


class _Group(click.Group):
    """Shows an error of ours, or of the system, as one line; a traceback is a bug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with interruptible():
                require_room()
                return super().invoke(ctx)
        except DroidloopError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:  # whoever read the answer has read enough
            nobody_listens()
            ctx.exit(CLOSED)
        except (OSError, MemoryError) as error:
            click.echo(f"Error: {system_error(error)}", err=True)
            ctx.exit(DroidloopError.exit_code)
        except ImportError as error:
            line = unloaded(error)
            if line is None:
                raise
            click.echo(f"Error: {line}", err=True)
            ctx.exit(DroidloopError.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="droidloop")
def main() -> None:
    """A laboratory for on-device recommender systems."""
    atexit.register(gc.freeze)  # the end looks for no garbage in all that has been loaded


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
@together(
    "attached",
    click.option(
        "--attach",
        multiple=True,
        metavar="SERIAL|all",
        help="Have this device take part, in the place of the first phone that is free.",
    ),
    click.option(
        "--testbed",
        type=click.Path(path_type=Path),
        help="A TOML file with [[devices.android]] tables: devices, and how each of them works.",
    ),
    adb_server,
    bundle_files,
)
@together(
    "how",
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        help="Threads for phones and training [one a processor].",
    ),
    click.option("--ray", metavar="HOST:PORT", help="Play and train cohorts on this Ray cluster."),
    track,
)
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
    attached: dict[str, Any],
    how: dict[str, Any],
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
    from .progress import BarProgress

    how |= {"progress": BarProgress(quiet=as_json)}
    devices = Devices(**attached, notice=partial(click.echo, err=True))
    if killed is not None:
        begun = (scenario, settings, out, replay, attached["attach"], attached["testbed"])
        if any(begun) or seed is not None:
            raise UsageError(
                f"--resume {killed}: the run goes on as it was begun; "
                "leave the scenario out, and all options but --workers, --ray, --track, --json, "
                "--adb-server and --bundle"
            )
        with patient(partial(click.echo, err=True)):
            result = resume(killed, devices=devices, **how)
        print_summary(result.summary, as_json)
        return
    if scenario is None:
        raise UsageError("run: give SCENARIO, a name of `droidloop scenarios list` or a file")
    path = find(scenario)
    chosen = Scenario(content_of(path, settings), str(path))
    with nullcontext() if as_json else compiling_told(), patient(partial(click.echo, err=True)):
        result = run_scenario(chosen, out, seed=seed, replay=replay, devices=devices, **how)
    print_summary(result.summary, as_json)
    if not as_json:
        click.echo(f"run directory: {result.path}")


main.add_command(report)
main.add_command(compare)
main.add_command(sweep)
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
