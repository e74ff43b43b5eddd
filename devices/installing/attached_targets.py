"""Devices on adb as targets of a release: made ready, asked what they can, left as they were."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.adb.server import open_adb
from droidloop.devices.android.adb.transfer import free_bytes
from droidloop.devices.android.emulator.finding import look
from droidloop.devices.android.errors import AndroidError, ParseError
from droidloop.devices.android.fleet.attached import AttachedDevice
from droidloop.devices.android.fleet.attaching import ALL, Ready, Say, all_ready, distinct
from droidloop.devices.android.parsers.adb_text import State
from droidloop.devices.android.parsers.proc_meminfo import parse_proc_meminfo
from droidloop.models.packages.manifest import runtime_code
from droidloop.models.updates.choice import NO_LIMIT, Limits
from droidloop.platform.errors import UsageError

from .device_place import DevicePlace
from .installer import Installer
from .rollout import Target


@contextmanager
def attached_targets(
    wanted: Sequence[str],
    name: str,
    *,
    server: str | None,
    bundles: Sequence[Path],
    latency_us: int | None,
    say: Say,
) -> Iterator[list[Target]]:
    """Have the devices *wanted* (serials, or ``all``) ready for package *name* during the block.

    Raises:
        DeviceError: one of them is not there, or cannot take the bundle.
        UsageError: none is wanted, or none is there.
    """
    with ExitStack() as stack:
        adb = stack.enter_context(open_adb(server))
        present = sorted(one.serial for one in look(adb) if one.state is State.DEVICE)
        serials = list(dict.fromkeys(present if ALL in wanted else wanted))
        if not serials:
            raise UsageError("--attach: no device is there; see `droidloop devices list`")
        targets, every = [], distinct(adb, serials, say)
        for serial, ready in stack.enter_context(all_ready(adb, every, bundles, say)).items():
            if not isinstance(ready, Ready):
                raise ready
            place = DevicePlace(AttachedDevice(ready.connection))
            installer = Installer(place, ready.runner, name)
            targets.append(Target(serial, installer, _limits(ready, latency_us)))
        yield targets


def _limits(ready: Ready, latency_us: int | None) -> Limits:
    """Return what the device says that it has; what it does not tell does not limit it."""
    connection = ready.connection
    return Limits.of_one(
        runtime=runtime_code(ready.bundle.package, ready.bundle.version),
        ram_bytes=_ram_bytes(connection),
        storage_bytes=_storage_bytes(connection),
        latency_us=NO_LIMIT if latency_us is None else latency_us,
    )


def _ram_bytes(connection: Connection) -> int:
    try:
        kib = parse_proc_meminfo(connection.run(["cat", "/proc/meminfo"])).kib
        return kib.get("MemAvailable", kib["MemFree"]) * 1024
    except (AndroidError, ParseError, KeyError):
        return NO_LIMIT


def _storage_bytes(connection: Connection) -> int:
    try:
        return free_bytes(connection, "/data/local/tmp")
    except (AndroidError, ParseError):
        return NO_LIMIT
