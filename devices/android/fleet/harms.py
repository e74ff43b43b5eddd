"""What a plan of faults does to real devices: each deed, and how it is taken back.

They are for the kinds ``adb-server-gone``, ``device-reboots`` and ``storage-full`` of a plan.
What stands between a job and its device then is found out by the job, as with any other fault.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.adb.wire import notify
from droidloop.devices.android.errors import AndroidError
from droidloop.devices.android.runners.bundle import ROOT

FILLER = f"{ROOT}/filler"
"""Lies where all that is ours lies, so that it goes with it."""
LEFT_KIB = 1000
"""Storage that is left: less, and a system says so to its owner."""
_FILL = """mkdir -p "$1" && free=$(df -k "$1" | awk 'NR == 2 { print $4 }') &&
[ "$free" -gt "$3" ] && fallocate -l $((free - $3))k "$2" """
_TIMEOUT_S = 10.0
Deed = Callable[[], None]


def _nothing() -> None:
    """Take nothing back."""


@dataclass(frozen=True)
class Harm:
    """What is done to a device when a fault begins, and when it ends."""

    begin: Deed
    end: Deed = _nothing

    @property
    def lasts(self) -> bool:
        """Whether it has to be taken back, so that who goes on in between has to do it again."""
        return self.end is not _nothing


def harms_of(connection: Connection) -> Mapping[str, Harm]:
    """Return what can be done to the device of *connection*, by the kind of the fault."""
    return {
        "adb-server-gone": Harm(lambda: end_server(connection)),
        "device-reboots": Harm(lambda: reboot(connection)),
        "storage-full": Harm(lambda: fill(connection), lambda: empty(connection)),
    }


def end_server(connection: Connection) -> None:
    """End the adb server, if it is our own; whoever needs it next starts it again."""
    adb = connection.adb
    if adb.server_pid is not None:
        with suppress(AndroidError):  # it has ended already
            notify(adb.port, "host:kill", _TIMEOUT_S)


def reboot(connection: Connection) -> None:
    """Have the device start anew; it does not answer to that."""
    with suppress(AndroidError):
        connection.shell(["reboot"], timeout_s=_TIMEOUT_S)


def fill(connection: Connection) -> None:
    """Have hardly any storage be left."""
    with suppress(AndroidError):  # it is out of reach, which is a fault of its own
        connection.shell(
            ["sh", "-c", _FILL, "sh", ROOT, FILLER, str(LEFT_KIB)], timeout_s=_TIMEOUT_S
        )


def empty(connection: Connection) -> None:
    """Take back ``fill``."""
    with suppress(AndroidError):  # what is left goes when the device is cleaned
        connection.shell(["rm", "-f", FILLER], timeout_s=_TIMEOUT_S)
