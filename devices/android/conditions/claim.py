"""A device is worked with by one droidloop at a time: another would clean up under it."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.adb.state import state_folder
from droidloop.devices.android.errors import UnusableStateError

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_SERIAL_NUMBERS = ("ro.serialno", "ro.boot.serialno")


def identity_of(connection: Connection) -> str:
    """Return what tells a device from all others, whatever address it is attached under.

    A boot of a kernel has a number of its own; containers share it and have serial numbers. Where
    a device tells neither, it is what adb calls it.

    Raises:
        AndroidError: it does not answer.
    """
    questions = [["cat", _BOOT_ID], *(["getprop", name] for name in _SERIAL_NUMBERS)]
    answers = [connection.shell(argv) for argv in questions]
    told = [one.stdout.strip() if one.exit_code == 0 else "" for one in answers]
    return " ".join(told) if any(told) else connection.serial


@contextmanager
def claimed(connection: Connection) -> Iterator[None]:
    """Have the device of *connection* for this process alone during the block.

    The lock is one that the system takes away from a process that died.

    Raises:
        UnusableStateError: another process has it, or this one under another address.
        AndroidError: the device does not answer.
    """
    name = hashlib.sha256(identity_of(connection).encode(errors="surrogatepass")).hexdigest()[:24]
    with (state_folder("claims") / f"{name}.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            what = "droidloop works with it already, in another command or at another address"
            raise UnusableStateError(connection.serial, what, "wait for its end") from error
        yield
