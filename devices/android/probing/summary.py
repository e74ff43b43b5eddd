"""What a list says of each device, beside its serial and state."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.errors import AndroidError, ParseError, one_line
from droidloop.devices.android.parsers.adb_text import Listed, State
from droidloop.devices.android.parsers.getprop import parse_getprop

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Summary:
    """A device in a list; None where it does not tell.

    Attributes:
        serial: what adb calls it.
        state: in adb's words.
        model: such as ``Pixel 3``.
        android: its version, such as ``11``.
        abi: of its programs, such as ``arm64-v8a``.
    """

    serial: str
    state: str
    model: str | None = None
    android: str | None = None
    abi: str | None = None

    @property
    def line(self) -> str:
        """The device in one line for people."""
        told = (self.serial, self.state, self.model, self.android, self.abi)
        serial, state, model, android, abi = (one_line(word or "-") for word in told)
        if self.model is None and self.android is None and self.abi is None:
            return f"{serial:24} {state}"
        return f"{serial:24} {state:12} {model:24} Android {android:10} {abi}"


def summaries(adb: Adb, listed: Sequence[Listed]) -> list[Summary]:
    """Return a summary of each device *listed*; those that take commands are asked, all at once."""
    with ThreadPoolExecutor(max(1, len(listed)), "droidloop-list") as pool:
        return list(pool.map(lambda one: _summary(adb, one), listed))


def _summary(adb: Adb, one: Listed) -> Summary:
    if one.state is not State.DEVICE:
        return Summary(one.serial, one.detail)
    try:
        told = parse_getprop(Connection(adb, one.serial).run(["getprop"], timeout_s=TIMEOUT_S))
    except (AndroidError, ParseError):  # the list goes on; `devices probe` says why
        return Summary(one.serial, one.detail)
    names = ("ro.product.model", "ro.build.version.release", "ro.product.cpu.abi")
    return Summary(one.serial, one.detail, *(told.get(name) or None for name in names))
