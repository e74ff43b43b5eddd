"""``droidloop devices``: real phones and emulators. Heavy imports wait inside the commands."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from droidloop.platform.errors import UsageError

from .bench import bench
from .device_options import FailedDevicesError, adb_server, bundle_files

if TYPE_CHECKING:
    from droidloop.devices.android.adb.connection import Connection


@click.group()
def devices() -> None:
    """List, probe, start, stop and calibrate real devices."""


devices.add_command(bench)


@devices.command("list")
@click.option("--connect", multiple=True, metavar="HOST:PORT", help="Remember this address.")
@click.option("--forget", multiple=True, metavar="HOST:PORT", help="Do not look there any more.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list and nothing else.")
@adb_server
def list_devices(
    connect: tuple[str, ...], forget: tuple[str, ...], as_json: bool, adb_server: str | None
) -> None:
    """List the devices that droidloop finds: on USB, at remembered addresses, its emulators."""
    from dataclasses import asdict

    from droidloop.devices.android.adb.server import DEFAULT_PORT, held_elsewhere, open_adb
    from droidloop.devices.android.emulator import finding as addresses
    from droidloop.devices.android.errors import one_line
    from droidloop.devices.android.probing.summary import summaries

    for address in forget:
        addresses.forget(address)
    with open_adb(adb_server) as adb:
        for address in connect:
            try:
                addresses.remember(adb.connect(address))
            except ValueError as error:
                raise UsageError(f"--connect {error}") from error
        found = summaries(adb, addresses.look(adb))
        held = held_elsewhere(adb)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found]))
    else:
        for one in found:
            click.echo(one.line)
    if held:
        click.echo(
            f"held by the adb server on port {DEFAULT_PORT}: {', '.join(map(one_line, held))}; "
            f"use it with --adb-server 127.0.0.1:{DEFAULT_PORT}",
            err=True,
        )


@devices.command()
@click.argument("serial", envvar="ANDROID_SERIAL")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@adb_server
def probe(serial: str, as_json: bool, adb_server: str | None) -> None:
    """Print what the device SERIAL says of itself, and why it does not say the rest."""
    from dataclasses import asdict

    from droidloop.devices.android.probing.probe import probe as ask

    with _connected(serial, adb_server) as connection:
        facts = asdict(ask(connection))
    unknown = facts.pop("unknown")
    if as_json:
        click.echo(json.dumps(facts | {"unknown": dict(unknown)}, default=str))
        return
    for name, value in facts.items():
        shown = unknown.get(name, "-") if value is None else _brief(name, value)
        click.echo(f"{name:14} {shown}")


@devices.command()
@click.argument("avds", nargs=-1, required=True, metavar="AVD...")
@click.option("--ram-mib", type=click.IntRange(min=256), help="RAM of each.")
@click.option("--cores", type=click.IntRange(min=1), help="Cores of each.")
@click.option("--storage-mib", type=click.IntRange(min=512), help="Data partition; wipes it.")
@click.option("--no-acceleration", is_flag=True, help="For machines without KVM; boots slowly.")
def start(
    avds: tuple[str, ...],
    ram_mib: int | None,
    cores: int | None,
    storage_mib: int | None,
    no_acceleration: bool,
) -> None:
    """Start the emulators AVD... without a window, wait until they have booted, leave them."""
    from droidloop.devices.android.adb.adb import Adb
    from droidloop.devices.android.emulator.avd import Hardware
    from droidloop.devices.android.emulator.emulator import EmulatorConfig, start_all

    ram_bytes, storage_bytes = (None if n is None else n << 20 for n in (ram_mib, storage_mib))
    hardware = Hardware(ram_bytes, cores, storage_bytes)
    configs = [
        EmulatorConfig(
            avd,
            hardware=None if hardware == Hardware() else hardware,
            read_only=avds.count(avd) > 1,
            wipe_data=storage_mib is not None,
            acceleration=not no_acceleration,
        )
        for avd in avds
    ]
    with Adb.start(usb=False) as adb:
        for one in start_all(adb, configs):
            click.echo(one.serial)


@devices.command()
@click.argument("serial")
def stop(serial: str) -> None:
    """End the emulator SERIAL."""
    from droidloop.devices.android.emulator.running import stop_by_serial

    stop_by_serial(serial)


@devices.command()
@click.option(
    "--abi",
    type=click.Choice(["x86_64", "arm64", "arm"]),
    multiple=True,
    help="Of the devices that it is for [all].",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for a copy.")
def bundle(abi: tuple[str, ...], out: Path | None) -> None:
    """Build what runs models on a device, once for each ABI; print where it lies."""
    from shutil import copy2

    from droidloop.devices.android.runners.bundle_cache import kept_bundle

    for name in abi or ("x86_64", "arm64", "arm"):
        path = kept_bundle(name).path
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            path = Path(copy2(path, out))
        click.echo(path)


@devices.command()
@click.argument("serials", nargs=-1, required=True, metavar="SERIAL...", envvar="ANDROID_SERIAL")
@click.option("--out", type=click.Path(path_type=Path), default=Path("."), help="Folder [.].")
@click.option("--base", default="2020-6gb", help="Profile that gives what is not measured.")
@adb_server
@bundle_files
def calibrate(
    serials: tuple[str, ...],
    out: Path,
    base: str,
    adb_server: str | None,
    bundles: tuple[Path, ...],
) -> None:
    """Measure the devices SERIAL... and write a profile of each that a population can use."""
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import ExitStack

    from droidloop.devices.android.adb.server import open_adb
    from droidloop.devices.android.emulator.finding import look
    from droidloop.devices.android.fleet.attaching import Ready, all_ready
    from droidloop.devices.android.probing import calibrate as calibrating
    from droidloop.devices.android.runners.registry import BundleError
    from droidloop.devices.population.profile_files import write_profile
    from droidloop.platform.errors import DeviceError

    def say(line: str) -> None:
        click.echo(line, err=True)

    def measure(
        ready: Ready | DeviceError | BundleError,
    ) -> calibrating.Calibration | DeviceError | BundleError:
        if not isinstance(ready, Ready):
            return ready
        serial = ready.connection.serial
        try:
            return calibrating.calibrate(ready, workloads, lambda line: say(f"{serial}: {line}"))
        except DeviceError as error:
            return error

    calibrating.require_base(base)
    with ExitStack() as stack:
        adb = stack.enter_context(open_adb(adb_server))
        look(adb)
        say("preparing models (exported the first time)")
        workloads = calibrating.all_workloads()
        each = list(dict.fromkeys(serials))
        ready = stack.enter_context(all_ready(adb, each, bundles, say))
        with ThreadPoolExecutor(len(ready), "droidloop-calibrate") as pool:
            found = list(pool.map(measure, ready.values()))
    for one in found:
        if not isinstance(one, calibrating.Calibration):
            continue
        for line in one.lines():
            click.echo(line)
        click.echo(f"points: {one.save(out)}")
        click.echo(f"profile: {write_profile(one.profile(base), out)}")
    if failed := [str(one) for one in found if not isinstance(one, calibrating.Calibration)]:
        raise FailedDevicesError("; ".join(failed))


def _brief(name: str, value: object) -> str:
    """Return one line of what a probe found; ``--json`` has all of it."""
    if name == "memory" and isinstance(value, dict):
        value = {key: f"{value['kib'][key] // 1024} MiB" for key in ("MemTotal", "MemFree")}
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items() if part is not None)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


@contextmanager
def _connected(serial: str, server: str | None) -> "Iterator[Connection]":
    from droidloop.devices.android.adb.server import open_adb
    from droidloop.devices.android.emulator.finding import reach

    if not serial:
        raise UsageError("SERIAL is empty; `droidloop devices list` shows what there is")
    with open_adb(server) as adb:
        yield reach(adb, serial)
