"""A device is worked with by one droidloop at a time: another would clean up under it."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from droidloop.devices.android.adb.state import state_folder
from droidloop.devices.android.errors import UnusableStateError


@contextmanager
def claimed(serial: str) -> Iterator[None]:
    """Have the device *serial* for this process alone during the block.

    The lock is one that the system takes away from a process that died.

    Raises:
        UnusableStateError: another process has it.
    """
    name = hashlib.sha256(serial.encode(errors="surrogatepass")).hexdigest()[:24]
    with (state_folder("claims") / f"{name}.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            what = "another command of droidloop works with it"
            raise UnusableStateError(serial, what, "wait for its end") from error
        yield
