"""Who takes which phone's place, and which addresses are looked at."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.conditions.claim import claimed, identity_of
from droidloop.devices.android.emulator.finding import addresses, forget, remember
from droidloop.devices.android.errors import StorageFullError, UnusableStateError
from droidloop.devices.android.fleet import attaching
from droidloop.devices.android.fleet.attached import AttachedDevice
from droidloop.devices.android.fleet.attaching import (
    Ready,
    Seat,
    Way,
    all_ready,
    attached,
    distinct,
    seats_of,
)
from droidloop.platform.errors import DeviceError, UsageError
from tests.devices.android.fake_adb import FakeAdb, FakeDevice


def test_devices_take_their_own_phone_or_the_first_that_is_free() -> None:
    wanted = [Seat("a"), Seat("b", 0), Seat("c", 2), Seat("d")]
    assert seats_of(wanted, []) == [("b", 0), ("c", 2), ("a", 1), ("d", 3)]


def test_all_are_those_present_and_those_named() -> None:
    assert seats_of([Seat("b", 5), Seat("all")], ["c", "b", "a"]) == [("b", 5), ("a", 0), ("c", 1)]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ([Seat("all")], "--attach all: no device is there"),
        ([Seat("a", 1), Seat("b", 1)], "phone 1 is wanted twice"),
        ([Seat("a"), Seat("a")], "device a is wanted twice"),
        ([Seat("")], "--attach '': name a device"),
    ],
)
def test_what_cannot_be_is_said(wanted: list[Seat], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        seats_of(wanted, [])


def test_addresses_are_remembered_until_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROIDLOOP_STATE", str(tmp_path))
    for address in ("127.0.0.1:15577", "[fe80::1]:5555"):
        remember(address)
    assert addresses() == ["127.0.0.1:15577", "[fe80::1]:5555"]
    forget("127.0.0.1:15577")
    forget("never seen:1")
    assert addresses() == ["[fe80::1]:5555"]
    for wrong in ("../up:1", "nothing"):
        with pytest.raises(ValueError, match="is no HOST:PORT"):
            remember(wrong)


def test_a_device_is_worked_with_by_one_at_a_time_whatever_its_address(
    adb: Adb, fake: FakeAdb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROIDLOOP_STATE", str(tmp_path))
    fake.devices |= {"a": phone("1"), "b": phone("2"), "192.168.1.20:5555": phone("1")}
    one, other, again = (Connection(adb, s) for s in ("a", "b", "192.168.1.20:5555"))
    with claimed(one):
        for same in (one, again):
            with (
                pytest.raises(UnusableStateError, match="droidloop works with it already"),
                claimed(same),
            ):
                pass
        with claimed(other):
            pass
    with claimed(one):
        pass


def phone(number: str, boot: str = "b7e2") -> FakeDevice:
    """Return a phone of the serial *number*; all are containers on one kernel."""
    return FakeDevice(
        answers={
            "cat /proc/sys/kernel/random/boot_id": (f"{boot}\n", "", 0),
            "getprop ro.serialno": (f"{number}\n", "", 0),
            "getprop ro.boot.serialno": ("\n", "", 0),
        }
    )


def test_a_phone_that_tells_nothing_is_what_adb_calls_it(adb: Adb, fake: FakeAdb) -> None:
    fake.devices |= {"a": FakeDevice(), "b": FakeDevice()}
    assert [identity_of(Connection(adb, serial)) for serial in ("a", "b")] == ["a", "b"]


def test_a_phone_under_two_addresses_counts_once(adb: Adb, fake: FakeAdb) -> None:
    fake.devices |= {
        "a": phone("1"),
        "c": phone("1"),
        "d": phone("1", boot="c3"),
        "e": FakeDevice(),
    }
    fake.devices["e"].shell_fault = "close"
    said: list[str] = []
    assert distinct(adb, ["c", "a", "d", "e"], said.append) == ["c", "d", "e"]
    assert said == ["a is c under another address"]


class Full:
    """Stands in for the runner of a device; one whose serial is *full* has no room."""

    full = frozenset({"b"})

    def __init__(self, device: AttachedDevice, bundle: object) -> None:
        self.serial = device.serial

    def install(self) -> None:
        if self.serial in self.full:
            raise StorageFullError(self.serial, "no room")

    def clean(self) -> None:
        pass


@pytest.fixture
def three(fake: FakeAdb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeDevice]:
    """Three phones on the server that the variable names; a runner that no device is needed for."""
    monkeypatch.setenv("DROIDLOOP_STATE", str(tmp_path))
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(fake.port))
    monkeypatch.setattr(attaching, "BundleRunner", Full)
    monkeypatch.setattr(attaching, "bundle_for", lambda abi, given: None)
    fake.devices.clear()
    fake.devices |= {serial: phone(serial) for serial in "abc"}
    for one in fake.devices.values():
        one.answers["getprop ro.product.cpu.abi"] = ("x86_64\n", "", 0)
        one.answers["getprop ro.kernel.qemu"] = ("1\n", "", 0)
    return fake.devices


def test_a_full_phone_is_left_out_of_all(three: dict[str, FakeDevice]) -> None:
    said: list[str] = []
    with attached([Seat("all")], said.append, Way()) as devices:
        assert [(one.serial, one.phone) for one in devices] == [("a", 0), ("c", 2)]
    assert [line for line in said if "no room" in line] == [
        "left out: b: no room; free space on it"
    ]


def test_a_full_phone_that_was_named_ends_the_run(three: dict[str, FakeDevice]) -> None:
    with (
        pytest.raises(StorageFullError, match="b: no room"),
        attached([Seat("all"), Seat("b")], print, Way()),
    ):
        pass


def test_all_need_one_that_can_be_made_ready(
    three: dict[str, FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Full, "full", frozenset("abc"))
    with (
        pytest.raises(DeviceError, match="--attach all: no device could be made ready"),
        attached([Seat("all")], lambda _: None, Way()),
    ):
        pass


def test_devices_are_prepared_and_cleaned_at_the_same_time_and_one_that_fails_alone_is_missing(
    adb: Adb, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = threading.Barrier(3, timeout=60), threading.Barrier(2, timeout=60)
    nothing: Any = None

    @contextmanager
    def one(adb: Adb, serial: str, bundles: object, say: object) -> Iterator[Ready]:
        begun.wait()  # none would get here if each waited for another
        if serial == "b":
            raise DeviceError("b: its storage is full")
        yield Ready(nothing, nothing, nothing, True)
        ended.wait()

    monkeypatch.setattr(attaching, "made_ready", one)
    with all_ready(adb, ["a", "b", "c"], (), print) as found:
        assert list(found) == ["a", "b", "c"]
        assert [isinstance(one, Ready) for one in found.values()] == [True, False, True]
        assert str(found["b"]) == "b: its storage is full"
    assert not ended.broken


def test_what_was_prepared_is_cleaned_where_the_block_fails(
    adb: Adb, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, nothing = [], None

    @contextmanager
    def one(adb: Adb, serial: str, bundles: object, say: object) -> Iterator[Any]:
        yield nothing
        left.append(serial)

    monkeypatch.setattr(attaching, "made_ready", one)
    with pytest.raises(KeyError), all_ready(adb, ["a", "b"], (), print):
        raise KeyError
    assert sorted(left) == ["a", "b"]
