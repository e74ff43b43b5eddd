"""``droidloop package`` on devices: install, tell what is there, return to the version before."""

from pathlib import Path

import click

from droidloop.platform.errors import UsageError

from .device_options import FailedDevicesError, adb_server, bundle_files
from .package_files import package_name, received

_FILE = click.Path(path_type=Path)
_attach = click.option(
    "--attach", multiple=True, required=True, metavar="SERIAL|all", help="To this device."
)
_ledger = click.option(
    "--ledger", type=_FILE, help="Also write all changes as a ledger into this folder."
)


@click.command()
@click.argument("file", type=_FILE)
@_attach
@click.option("--root", type=_FILE, required=True, help="root.json of the maker.")
@click.option(
    "--stages", default="1.0", show_default=True, metavar="SHARE,...", help="To how many."
)
@click.option("--variant", help="The one to install [the nearest to the model that it can take].")
@click.option("--max-ms", type=click.FloatRange(min=0, min_open=True), help="An answer may take.")
@_ledger
@adb_server
@bundle_files
def deliver(
    file: Path,
    attach: tuple[str, ...],
    root: Path,
    stages: str,
    variant: str | None,
    max_ms: float | None,
    ledger: Path | None,
    adb_server: str | None,
    bundles: tuple[Path, ...],
) -> None:
    """Install the package FILE on devices, stage by stage."""
    from droidloop.devices.installing.attached_targets import attached_targets
    from droidloop.devices.installing.rollout import roll_out
    from droidloop.scenarios.delivery.installs import noting

    made = received(file, root)
    name = made.manifest.name
    shares = _shares(stages)
    limit_us = None if max_ms is None else round(1000 * max_ms)
    reach = attached_targets(
        *(attach, name), server=adb_server, bundles=bundles, latency_us=limit_us, say=_say
    )
    with reach as targets, noting(ledger, targets):
        rollout = roll_out(
            *(targets, made),
            stages=shares,
            variants=None if variant is None else [variant],
            tell=lambda serial, one: click.echo(f"{serial}: {one.line(name)}"),
        )
        if rollout.stopped:
            raise FailedDevicesError(rollout.stopped)


@click.command()
@click.argument("name")
@_attach
@click.option("--return", "back", is_flag=True, help="Return to the version before first.")
@_ledger
@adb_server
@bundle_files
def installed(
    name: str,
    attach: tuple[str, ...],
    back: bool,
    ledger: Path | None,
    adb_server: str | None,
    bundles: tuple[Path, ...],
) -> None:
    """Tell which version of package NAME works on devices, and which is kept."""
    from droidloop.devices.installing.attached_targets import attached_targets
    from droidloop.scenarios.delivery.installs import noting

    called = package_name(name, "NAME")
    reach = attached_targets(
        *(attach, called), server=adb_server, bundles=bundles, latency_us=None, say=_say
    )
    with reach as targets, noting(ledger, targets):
        for one in targets:
            if back:
                click.echo(f"{one.serial}: {one.installer.come_back('asked to').line(name)}")
            works, before = one.installer.installed, one.installer.previous
            click.echo(f"{one.serial}: {_pair(name, works)} works, {_pair(name, before)} is kept")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _shares(text: str) -> list[float]:
    try:
        shares = [float(one) for one in text.split(",")]
    except ValueError as error:
        raise UsageError(f"--stages {text!r}: give shares, as 0.1,1.0") from error
    if shares != sorted(set(shares)) or not 0 < shares[0] <= shares[-1] == 1.0:
        raise UsageError(f"--stages {text!r}: give shares that rise to 1.0, as 0.1,1.0")
    return shares


def _pair(name: str, pair: tuple[int, str] | None) -> str:
    return "nothing" if pair is None else f"{name} {pair[0]} {pair[1]}"
