"""Options that all commands on real devices share."""

from pathlib import Path

import click

from droidloop.platform.errors import DroidloopError


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
