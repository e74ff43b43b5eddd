"""Emulators that another process of droidloop has started and left running."""

import contextlib
import time

from droidloop.devices.android.adb.adb import emulator_port
from droidloop.devices.android.adb.state import state_folder
from droidloop.devices.android.errors import AndroidError, EmulatorError, ParseError

from .avd import avd_folder, unconfigure
from .console import Console
from .emulator import STOP_TIMEOUT_S
from .emulator_ports import is_free


def running_emulators() -> tuple[tuple[str, str], ...]:
    """Return serial and AVD of the emulators that droidloop has started and that still run."""
    found = []
    for path in sorted(state_folder("logs").glob("emulator-*.log")):
        port = emulator_port(path.stem)
        if port is None or is_free(port):
            continue
        with contextlib.suppress(AndroidError, ParseError), Console(port, timeout_s=2.0) as console:
            found.append((path.stem, console.avd_name()))  # else another program has the port
    return tuple(found)


def stop_by_serial(serial: str, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """End the emulator *serial* (``emulator-PORT``), whichever process has started it.

    Raises:
        EmulatorError: it is none, or does not end.
    """
    port = emulator_port(serial)
    if port is None:
        raise EmulatorError(serial, "not the serial of an emulator", "unplug a phone instead")
    with Console(port) as console:
        folder = avd_folder(console.avd_name())
        console.kill()
    end_s = time.monotonic() + timeout_s
    while not is_free(port):
        if time.monotonic() > end_s:
            raise EmulatorError(serial, f"it does not end within {timeout_s:g} s", "end it by hand")
        time.sleep(0.1)
    unconfigure(folder)
