"""The QEMU phone as fixtures: two for all tests, and spare ones to break."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.errors import AndroidError
from droidloop.devices.android.fleet.attached import AttachedDevice
from tests.contracts.runner_on_device import running

from .image import missing_tools
from .qemu import Battery, Phone, free_port, prepare, start

MEMORY_MIB = 512
NAMES = ("t1", "t2")


@dataclass(frozen=True)
class Attached:
    """A running phone and the connection to it."""

    phone: Phone
    connection: Connection

    def device(self, transfer_s: float = 30.0) -> AttachedDevice:
        """Return it as a runner's device, with copies that end after *transfer_s* or so."""
        return AttachedDevice(
            self.connection, transfer_s=transfer_s, slowest_bytes_per_s=100_000_000
        )

    def mend(self) -> None:
        """Have the link up, over a new connection: an old one may sleep on for ten seconds."""
        self.phone.set_link(True)
        with suppress(AndroidError):
            self.connection.adb.attach_again(self.phone.serial)
        self.connection.wait(60.0)

    def end_with_streams(self, on: bool = True) -> None:
        """Have a stream that closes end all that it has started, as on Android; or not any more."""
        shell = "ending_sh" if on else "dash"
        self.connection.run(["ln", "-sf", shell, "/usr/bin/sh"])

    def listing(self) -> list[str]:
        """Return the names of what lies in the folder for programs from outside."""
        return self.connection.run(["ls", "-A", "/data/local/tmp"]).split()


@pytest.fixture(scope="session")
def adb() -> Iterator[Adb]:
    """A private adb server."""
    with Adb.start(usb=False) as adb:
        yield adb


class Phones:
    """The phones that all tests share; one that is not well is replaced by a fresh one."""

    def __init__(self, adb: Adb) -> None:
        self._adb = adb
        self._held: dict[str, Attached] = {}

    def well(self, name: str) -> Attached:
        """Return the phone *name* in good health, started anew where it is not."""
        held = self._held.get(name)
        if held is None or not healthy(held):
            if held is not None:
                held.phone.kill()
                self._adb.disconnect(held.phone.serial)
            # A phone ends with the thread that starts it: not one of a pool's.
            assert threading.current_thread() is threading.main_thread()
            self._held[name] = attach(self._adb, start(name, free_port(), memory_mib=MEMORY_MIB))
        return self._held[name]

    def close(self) -> None:
        """End them."""
        for held in self._held.values():
            held.phone.kill()


@pytest.fixture(scope="session")
def phones(adb: Adb) -> Iterator[Phones]:
    """Two phones that run at once, booted and kept as they are then."""
    _need_tools()
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: prepare(name, MEMORY_MIB), NAMES))
    phones = Phones(adb)
    try:
        yield phones
    finally:
        phones.close()


@pytest.fixture(scope="module")
def pair(phones: Phones) -> tuple[Attached, Attached]:
    """Both phones, in good health when the tests of a file begin."""
    first, second = (phones.well(name) for name in NAMES)
    return first, second


@pytest.fixture
def phone(pair: tuple[Attached, Attached]) -> Iterator[Attached]:
    """The first phone, with its link, memory and battery as they were before and after."""
    yield pair[0]
    pair[0].phone.set_memory(MEMORY_MIB)
    pair[0].phone.set_battery(Battery())
    pair[0].mend()


@pytest.fixture
def other(pair: tuple[Attached, Attached]) -> Attached:
    """The second phone."""
    return pair[1]


@pytest.fixture
def spare(adb: Adb) -> Iterator[Attached]:
    """A phone that a test may destroy."""
    _need_tools()
    machine = start(NAMES[0], free_port(), memory_mib=MEMORY_MIB)
    try:
        yield attach(adb, machine)
    finally:
        machine.kill()
        adb.disconnect(machine.serial)


def attach(adb: Adb, phone: Phone) -> Attached:
    """Attach *phone* to *adb* and wait until commands run on it."""
    with suppress(AndroidError):  # it has only just come up: `wait` attaches it again
        adb.connect(phone.serial)
    connection = Connection(adb, phone.serial)
    connection.wait(60.0)
    return Attached(phone, connection)


def healthy(attached: Attached) -> bool:
    """Whether it answers within a minute, has memory and storage, runs no job and keeps nothing."""
    script = """awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo
df -k /data | awk 'NR == 2 { print $4 }'
cat /proc/sys/vm/overcommit_memory
ls -A /data/local/tmp | wc -l"""
    try:
        answer = attached.connection.run(["sh", "-c", script], timeout_s=60.0)
        busy = running(attached.connection)
    except AndroidError:
        return False
    memory_kib, storage_kib, overcommit, left = map(int, answer.split())
    room = memory_kib > MEMORY_MIB * 1024 // 2 and storage_kib > 200 * 1024
    return room and overcommit == 0 and left == 0 and not busy


def _need_tools() -> None:
    if lacking := missing_tools():
        pytest.skip(f"needs {', '.join(lacking)}: .ci/packages.sh .ci/phone-packages")
