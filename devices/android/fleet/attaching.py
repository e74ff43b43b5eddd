"""Devices made ready for a run, and left clean after it."""

import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.adb.server import open_adb
from droidloop.devices.android.conditions.claim import claimed, identity_of
from droidloop.devices.android.conditions.conditions import restore_pending
from droidloop.devices.android.conditions.imposing import holder_of
from droidloop.devices.android.emulator.finding import look, reach
from droidloop.devices.android.errors import AndroidError, ParseError
from droidloop.devices.android.parsers.adb_text import State
from droidloop.devices.android.parsers.power_supply import parse_uevent
from droidloop.devices.android.runners.bundle import Bundle, abi_of
from droidloop.devices.android.runners.bundle_cache import bundle_for
from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.devices.android.runners.registry import BundleError
from droidloop.platform.errors import DeviceError, UsageError

from .attached import AttachedDevice
from .fleet import Attachment, Meter
from .harms import empty, harms_of
from .setup import PLAIN, Setup, SetUpRunner

ALL = "all"
LOGCAT, LOGCAT_S = ("logcat", "-d", "-t", "500"), 10.0
CLEAN_S = 15.0
_UEVENT = "/sys/class/power_supply/battery/uevent"
_EMULATED = ("ro.kernel.qemu", "ro.boot.qemu")


Say = Callable[[str], object]
"""Takes one line for people."""


@dataclass(frozen=True)
class Seat:
    """A device that is wanted, the phone that it stands for, and how it works.

    Attributes:
        serial: what adb calls it.
        phone: the row that it stands for; None: the first one free.
        setup: how it works.
    """

    serial: str
    phone: int | None = None
    setup: Setup = PLAIN


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


@dataclass(frozen=True)
class Way:
    """How devices are reached and made ready.

    Attributes:
        server: address of the adb server; see ``open_adb``.
        bundles: files of bundles that were built elsewhere; others are built here.
        impose: whether devices show link and battery of their rows while they work.
    """

    server: str | None = None
    bundles: Sequence[Path] = ()
    impose: bool = False


@contextmanager
def attached(wanted: Sequence[Seat], say: Say, way: Way) -> Iterator[list[Attachment]]:
    """Have the devices *wanted* ready with their bundle during the block, and clean after it.

    Of ``all`` those that cannot be made ready are left out, which *say* is told.

    Raises:
        UsageError: see ``seats_of``; or two of those that are named are one device.
        DeviceError: a named device is not there, cannot take the bundle, or is used by another
            run; or none of ``all`` can.
        BundleError: there is no bundle for a named device.
    """
    with ExitStack() as stack:
        adb = stack.enter_context(open_adb(way.server))
        _restore(adb, say)
        stack.callback(_restore, adb, say)
        there = [one.serial for one in look(adb) if one.state is State.DEVICE]
        named = [seat.serial for seat in wanted if seat.serial != ALL]
        if len(named) < len(wanted):
            there = distinct(adb, [*named, *sorted(set(there) - set(named))], say)
        setups = {seat.serial: seat.setup for seat in wanted}
        seats, devices = dict(seats_of(wanted, there)), []
        for serial, phone in seats.items():
            say(f"preparing {serial} as phone {phone}")
        found = stack.enter_context(all_ready(adb, list(seats), way.bundles, say))
        for serial, ready in found.items():
            if isinstance(ready, Ready):
                setup = setups.get(serial, setups.get(ALL, PLAIN))
                devices.append(_seat(ready, seats[serial], say, setup, impose=way.impose))
            elif serial in named:
                raise ready
            else:
                say(f"left out: {ready}")
        if not devices:
            raise DeviceError("--attach all: no device could be made ready; see above")
        yield devices


def distinct(adb: Adb, serials: Sequence[str], say: Say) -> list[str]:
    """Return *serials* without those that are addresses of a device that stands before them.

    One that does not answer is left in: whoever uses it is told why.
    """
    kept: dict[str, str] = {}
    for serial in serials:
        try:
            identity = identity_of(Connection(adb, serial))
        except DeviceError:
            identity = serial
        if (first := kept.setdefault(identity, serial)) != serial:
            say(f"{serial} is {first} under another address")
    return list(kept.values())


@dataclass(frozen=True)
class Ready:
    """A device that has its bundle, and this process for itself.

    Attributes:
        connection: to the device.
        runner: runs jobs on it.
        bundle: what it runs them with.
        same_instructions: whether it computes with this host's.
    """

    connection: Connection
    runner: BundleRunner
    bundle: Bundle
    same_instructions: bool


@contextmanager
def made_ready(adb: Adb, serial: str, bundles: Sequence[Path], say: Say) -> Iterator[Ready]:
    """Have the device *serial* with a bundle during the block, and clean after it.

    Raises:
        DeviceError: it is not there, cannot take the bundle, or is used by another command.
        BundleError: there is no bundle for it.
    """
    connection = reach(adb, serial)
    with claimed(connection):
        abi = abi_of(property_of(connection, "ro.product.cpu.abi"))
        here = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
        bundle = bundle_for(abi, bundles)
        runner = BundleRunner(AttachedDevice(connection), bundle)
        empty(connection)  # a run that was killed may have filled its storage
        try:
            runner.install()
            yield Ready(connection, runner, bundle, abi == here)
        finally:
            _clean(runner, connection, say)


@contextmanager
def all_ready(
    adb: Adb, serials: Sequence[str], bundles: Sequence[Path], say: Say
) -> Iterator[dict[str, Ready | DeviceError | BundleError]]:
    """Have all of *serials* ready during the block, or know why not; see ``made_ready``.

    They are prepared at the same time, and cleaned so: most of either is waiting for them.
    """
    stacks = {serial: ExitStack() for serial in serials}

    def prepare(serial: str) -> Ready | DeviceError | BundleError:
        try:
            return stacks[serial].enter_context(made_ready(adb, serial, bundles, say))
        except (DeviceError, BundleError) as error:
            return error

    with ThreadPoolExecutor(max(1, len(stacks)), "droidloop-ready") as pool:
        begun = {serial: pool.submit(prepare, serial) for serial in stacks}
        try:
            yield {serial: one.result() for serial, one in begun.items()}
        finally:
            wait(begun.values())  # what was interrupted may still be preparing
            for ended in [pool.submit(one.close) for one in stacks.values()]:
                ended.result()


def _seat(ready: Ready, phone: int, say: Say, setup: Setup, *, impose: bool) -> Attachment:
    connection = ready.connection
    return Attachment(
        connection.serial,
        phone,
        SetUpRunner(ready.runner, setup),
        ready.same_instructions,
        meter_of(connection),
        connection.wait,
        setup.hold(holder_of(connection, say), impose=impose),
        setup=setup,
        logcat=lambda: connection.shell(list(LOGCAT), timeout_s=LOGCAT_S).stdout,
        harms=harms_of(connection),
    )


def _restore(adb: Adb, say: Say) -> None:
    """Take back what could not be taken back when it should have been: by this run or another."""
    for restored in restore_pending(adb):
        if restored.error is not None:
            say(f"left as a run has changed it: {restored.error}")


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
