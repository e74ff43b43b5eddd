"""Which adb server to ask: one that is there already if the user says so, else a private one."""

import os
import re

from droidloop.devices.android.errors import AndroidError
from droidloop.devices.android.parsers.adb_text import parse_host_devices
from droidloop.platform.errors import UsageError

from .adb import Adb
from .wire import LOCAL, request

DEFAULT_PORT = 5037
OPTION, VARIABLE = "--adb-server", "ANDROID_ADB_SERVER_PORT"
_ADDRESS = re.compile(r"(?:([A-Za-z0-9.-]+):)?([0-9]{1,5})")
# What the adb client that adbutils ships speaks: ADB_SERVER_VERSION of platform-tools 28 to 36. A
# client that meets another number ends the server, which is not ours to end.
_VERSION = 41
_QUICK_S = 2.0


def open_adb(told: str | None = None, *, usb: bool = True) -> Adb:
    """Return a client of the server *told* (``HOST:PORT``) or of ``$ANDROID_ADB_SERVER_PORT``.

    Where neither is given it is a private server, with the USB devices that no other holds.

    Raises:
        UsageError: what is told is no address, or no server that can be used answers there.
    """
    who, address = (OPTION, told) if told else (VARIABLE, os.environ.get(VARIABLE))
    if not address:
        return Adb.start(usb=usb)
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match[2]) < 65536:
        raise UsageError(f"{who} {address!r}: give HOST:PORT, as 127.0.0.1:{DEFAULT_PORT}")
    host, port = match[1] or LOCAL, int(match[2])
    host = LOCAL if host == "localhost" else host
    try:
        version = int(request(port, "host:version", _QUICK_S, host=host), 16)
    except (AndroidError, ValueError) as error:
        raise UsageError(
            f"{who} {address}: no adb server answers; start one (`adb start-server`), or none"
        ) from error
    if version != _VERSION:
        raise UsageError(
            f"{who} {address}: that server speaks version {version}, not {_VERSION}; "
            "update the platform-tools it comes from"
        )
    return Adb(port, host=host)


def held_elsewhere(adb: Adb, port: int = DEFAULT_PORT) -> list[str]:
    """Return the serials that the server on *port*, everybody's own, has and *adb* lacks."""
    if adb.port == port and adb.host == LOCAL:
        return []
    try:
        there = parse_host_devices(request(port, "host:devices", _QUICK_S))
    except AndroidError:  # there is none, which is the rule
        return []
    here = {one.serial for one in adb.devices()}
    return sorted(one.serial for one in there if one.serial not in here)
