"""The real devices that take part in a run."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from droidloop.platform.errors import UsageError
from droidloop.scenarios.schema.load import read_test_bed

from .scenario import Scenario

if TYPE_CHECKING:  # imported only where they are needed
    from droidloop.devices.android.fleet.fleet import Attachment
    from droidloop.devices.android.fleet.setup import Setup
    from droidloop.scenarios.schema.schema import AndroidSection


def _silent(line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Devices:
    """Which real devices take part beside those that the scenario names, and how.

    Attributes:
        attach: serial numbers, each for the first phone that is free, or ``["all"]``.
        testbed: a TOML file with ``[[devices.android]]`` tables.
        adb_server: ``HOST:PORT`` of an adb server; one of our own if not given.
        bundles: files of bundles that were built elsewhere.
        notice: told in a line what becomes of devices.
    """

    attach: Sequence[str] = ()
    testbed: str | Path | None = None
    adb_server: str | None = None
    bundles: Sequence[Path] = ()
    notice: Callable[[str], None] = _silent


def attachments(
    scenario: Scenario, devices: Devices, replay: Path | None
) -> AbstractContextManager[list["Attachment"]]:
    """Return the real devices of a run; a replay needs none of those that its scenario names.

    Raises:
        UsageError: devices are asked for in a replay.
    """
    attach, testbed, section = devices.attach, devices.testbed, scenario.checked.devices
    if replay is not None and (attach or testbed is not None):
        option = "--attach" if attach else "--testbed"
        raise UsageError(f"--replay {replay}: needs no devices; leave {option} out")
    named = [] if replay is not None else section.android
    if testbed is not None:
        named = [*named, *read_test_bed(Path(testbed))]
    if not named and not attach:
        return nullcontext([])
    from droidloop.devices.android.fleet.attaching import Seat, Way, attached

    given = {one.serial for one in named}
    seats = [Seat(one.serial, one.phone, setup_of(one)) for one in named]
    seats += [Seat(serial) for serial in attach if serial not in given]
    way = Way(devices.adb_server, devices.bundles, section.impose)
    return attached(seats, devices.notice, way)


def attachments_again(
    directory: Path, devices: Devices
) -> AbstractContextManager[list["Attachment"]]:
    """Return the real devices that the run in *directory* was begun with, made ready anew.

    Of *devices* the server, the bundles and who is told count.

    Raises:
        UsageError: *devices* name some, or there is no run that can be resumed.
        LedgerError: its manifest does not say which they were.
        DeviceError: one of them is not there, or cannot be made ready.
    """
    if devices.attach or devices.testbed is not None:
        raise UsageError(f"{directory}: the run goes on with the devices that it was begun with")
    from droidloop.platform.rundir import RunDirectory
    from droidloop.scenarios.runtime.fleets import noted_devices

    run = RunDirectory.open(directory)
    run.require_resumable()
    named = noted_devices(run)
    if not named:
        return nullcontext([])
    from droidloop.devices.android.fleet.attaching import Seat, Way, attached
    from droidloop.scenarios.schema.load import check

    seats = [Seat(one.serial, one.phone, setup_of(one)) for one in named]
    impose = check(run.manifest()["scenario"], str(directory)).devices.impose
    return attached(seats, devices.notice, Way(devices.adb_server, devices.bundles, impose))


def setup_of(section: "AndroidSection") -> "Setup":
    """Return how a device is to work by its *section*."""
    from droidloop.devices.android.conditions.conditions import BatteryCondition, LinkCondition
    from droidloop.devices.android.fleet.setup import Setup

    link = battery = None
    if section.up_mbps is not None or section.down_mbps is not None or not section.covered:
        up_bps, down_bps = (round((n or 0.0) * 1e6) for n in (section.up_mbps, section.down_mbps))
        link = LinkCondition(section.covered, up_bps, down_bps)
    if section.level_percent is not None:
        battery = BatteryCondition(section.level_percent, section.charging)
    return Setup(section.label, section.threads, tuple(section.cores), link, battery)
