"""Options that all commands on real devices share, and what a scenario says of a device."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from droidloop.platform.errors import DroidloopError

if TYPE_CHECKING:
    from droidloop.devices.android.fleet.setup import Setup
    from droidloop.scenarios.schema.schema import AndroidSection


class FailedDevicesError(DroidloopError):
    """What was asked of several devices did not succeed on all of them."""


adb_server = click.option(
    "--adb-server",
    metavar="HOST:PORT",
    help="Use this adb server and leave it be [$ANDROID_ADB_SERVER_PORT, else one of its own].",
)
bundle_files = click.option(
    "--bundle",
    "bundles",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A bundle that was built elsewhere (`droidloop devices bundle --out`).",
)


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
