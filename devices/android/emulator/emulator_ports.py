"""The local ports of emulators, chosen so that no other adb server finds them by itself."""

import socket

from droidloop.devices.android.errors import EmulatorError

FIRST_PORT, LAST_PORT = 5586, 5680
"""Console ports: even, within what the emulator takes, and with an adb port (the next one) above
those that every adb server on the machine scans (5555 to 5585)."""


def free_ports(count: int) -> list[int]:
    """Return *count* console ports that are free now, together with the port after each.

    Raises:
        EmulatorError: there are fewer.
    """
    ports = [
        port for port in range(FIRST_PORT, LAST_PORT + 1, 2) if is_free(port) and is_free(port + 1)
    ]
    if len(ports) < count:
        what = f"only {len(ports)} of {count} ports from {FIRST_PORT} on are free"
        raise EmulatorError("emulator", what, "stop other emulators")
    return ports[:count]


def is_free(port: int) -> bool:
    """Return whether nothing listens on *port* of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
