"""Who takes which phone's place, and which addresses are looked at."""

from pathlib import Path

import pytest

from droidloop.devices.android.conditions.claim import claimed
from droidloop.devices.android.emulator.finding import addresses, forget, remember
from droidloop.devices.android.errors import UnusableStateError
from droidloop.devices.android.fleet.attaching import Seat, seats_of
from droidloop.platform.errors import UsageError


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


def test_a_device_is_worked_with_by_one_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROIDLOOP_STATE", str(tmp_path))
    with claimed("a"):
        with (
            pytest.raises(UnusableStateError, match="a: another command of droidloop"),
            claimed("a"),
        ):
            pass
        with claimed("b"):
            pass
    with claimed("a"):
        pass
