"""Devices made ready for a run, and left clean after it."""

import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.conditions.claim import claimed
from droidloop.devices.android.conditions.conditions import restore_pending
from droidloop.devices.android.conditions.imposing import holder_of
from droidloop.devices.android.emulator.finding import look
from droidloop.devices.android.errors import AndroidError, ParseError
from droidloop.devices.android.parsers.adb_text import State
from droidloop.devices.android.parsers.power_supply import parse_uevent
from droidloop.devices.android.runners.bundle import abi_of
from droidloop.devices.android.runners.bundle_cache import kept_bundle
from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.platform.errors import DeviceError, UsageError

from .attached import AttachedDevice
from .fleet import Attachment, Meter

ALL = "all"
READY_S = 30.0
CLEAN_S = 15.0
_UEVENT = "/sys/class/power_supply/battery/uevent"
_EMULATED = ("ro.kernel.qemu", "ro.boot.qemu")


Say = Callable[[str], object]
"""Takes one line for people."""


@dataclass(frozen=True)
class Seat:
    """A device that is wanted, and the phone that it stands for; None: the first one free."""

    serial: str
    phone: int | None = None


def seats_of(wanted: Sequence[Seat], present: Sequence[str]) -> list[tuple[str, int]]:
    """Return serial and phone of each device: those with a phone of their own, then the others.

    Args:
        wanted: the devices; the serial ``all`` stands for those *present* that are not named.
        present: serials of the devices that take commands.

    Raises:
        UsageError: ``all`` are wanted and there is none, or a device or phone is taken twice.

    >>> seats_of([Seat("b", 0), Seat("all")], ["a", "b", "c"])
    [('b', 0), ('a', 1), ('c', 2)]
    """
    if any(not seat.serial for seat in wanted):
        raise UsageError("--attach '': name a device that `droidloop devices list` shows")
    named = [seat for seat in wanted if seat.serial != ALL]
    if len(named) < len(wanted):
        if not present:
            raise UsageError("--attach all: no device is there; see `droidloop devices list`")
        known = {seat.serial for seat in named}
        named += [Seat(serial) for serial in sorted(present) if serial not in known]
    taken = [seat.phone for seat in named if seat.phone is not None]
    free = (phone for phone in range(len(named) + len(taken)) if phone not in taken)
    placed = sorted(named, key=lambda seat: seat.phone is None)  # stable: those with a phone first
    seats = [(s.serial, next(free) if s.phone is None else s.phone) for s in placed]
    for column, what in ((0, "device"), (1, "phone")):
        values = [seat[column] for seat in seats]
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise UsageError(f"{what} {twice[0]} is wanted twice; name it once")
    return seats


@contextmanager
def attached(
    wanted: Sequence[Seat], say: Say, *, impose: bool = False
) -> Iterator[list[Attachment]]:
    """Have the devices *wanted* ready with their bundle during the block, and clean after it.

    With *impose* they show link and battery of their rows while they work.

    Raises:
        UsageError: see ``seats_of``.
        DeviceError: a device is not there, cannot take the bundle, or is used by another run.
        BundleError: there is no bundle for a device.
    """
    with ExitStack() as stack:
        adb = stack.enter_context(Adb.start())
        _restore(adb, say)
        stack.callback(_restore, adb, say)
        there = [one.serial for one in look(adb) if one.state is State.DEVICE]
        devices = []
        for serial, phone in seats_of(wanted, there):
            say(f"preparing {serial} as phone {phone}")
            stack.enter_context(claimed(serial))
            connection = Connection(adb, serial)
            runner, same = _prepare(connection)
            stack.callback(_clean, runner, connection, say)
            runner.install()
            hold = holder_of(connection) if impose else None
            meter = meter_of(connection)
            devices.append(Attachment(serial, phone, runner, same, meter, connection.wait, hold))
        yield devices


def _restore(adb: Adb, say: Say) -> None:
    """Take back what could not be taken back when it should have been: by this run or another."""
    for restored in restore_pending(adb):
        if restored.error is not None:
            say(f"left as a run has changed it: {restored.error}")


def _prepare(connection: Connection) -> tuple[BundleRunner, bool]:
    """Return a runner for the device, and whether it computes with this host's instructions."""
    connection.adb.attach(connection.serial)
    connection.wait(READY_S)
    abi = abi_of(property_of(connection, "ro.product.cpu.abi"))
    here = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return BundleRunner(AttachedDevice(connection), kept_bundle(abi)), abi == here


def property_of(connection: Connection, name: str) -> str:
    """Return the system property *name*, '' where it is not set."""
    return connection.run(["getprop", name]).strip()


def meter_of(connection: Connection) -> Meter | None:
    """Return what reads the power that leaves the battery; None where no driver tells it.

    An emulator's battery is made up, so it has no meter.
    """
    if any(property_of(connection, name) == "1" for name in _EMULATED):
        return None

    def drain_uw() -> int | None:
        try:
            return parse_uevent(connection.run(["cat", _UEVENT], timeout_s=5.0)).drain_uw
        except (AndroidError, ParseError):
            return None

    return drain_uw if drain_uw() is not None else None


def _clean(runner: BundleRunner, connection: Connection, say: Say) -> None:
    """Remove our files; a device that is gone keeps them until it is used again."""
    try:
        connection.wait(CLEAN_S)
        runner.clean()
    except DeviceError as error:
        say(f"not cleaned: {error}")
