"""Devices that are reached by an address: remembered, as a new adb server knows none of them."""

import time
from contextlib import suppress

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.adb.state import state_folder
from droidloop.devices.android.errors import AbsentError, AndroidError, one_line
from droidloop.devices.android.parsers.adb_text import Listed

from .running import running_emulators

CONNECT_S = 3.0
APPEAR_S = 3.0
"""How long a USB device may take to show after a server has started."""

READY_S = 30.0


def addresses() -> list[str]:
    """Return the remembered addresses, sorted."""
    return sorted(path.name for path in state_folder("addresses").iterdir())


def remember(address: str) -> None:
    """Have *address* (``HOST:PORT``) attached whenever devices are looked for.

    Raises:
        ValueError: *address* cannot be one.
    """
    if "/" in address or ":" not in address:
        raise ValueError(f"{address!r} is no HOST:PORT")
    (state_folder("addresses") / address).touch()


def forget(address: str) -> None:
    """Do not look for *address* any more."""
    if address in addresses():
        (state_folder("addresses") / address).unlink(missing_ok=True)


def look(adb: Adb) -> tuple[Listed, ...]:
    """Return all devices: on USB, at remembered addresses, and emulators that droidloop started.

    What does not answer at its address is left out.
    """
    for address in addresses():
        with suppress(AndroidError):
            adb.connect(address, CONNECT_S)
    for serial, _ in running_emulators():
        with suppress(AndroidError):
            adb.attach(serial)
    return adb.devices()


def reach(adb: Adb, serial: str, *, appear_s: float = APPEAR_S) -> Connection:
    """Return a connection to *serial* on which commands run.

    Raises:
        AbsentError: there is no such device, said within *appear_s* or so.
        AndroidError: it is there and does not become ready.
    """
    adb.attach(serial)
    end_s = time.monotonic() + appear_s
    while adb.listed(serial) is None:
        if time.monotonic() > end_s:
            there = ", ".join(one_line(one.serial) for one in adb.devices())
            raise AbsentError(serial, f"not attached; there is {there or 'no device'}")
        time.sleep(0.1)
    connection = Connection(adb, serial)
    connection.wait(READY_S)
    return connection
