"""Conditions that an emulator takes through its console, and gets taken back."""

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.conditions import undo
from droidloop.devices.android.conditions.conditions import Restored, impose, restore_pending
from droidloop.devices.android.conditions.journal import Journal
from droidloop.devices.android.conditions.undo import SetLink, SetModem, SetPower, SetRadio
from droidloop.devices.android.emulator.console import Console
from tests.devices.android.fake_adb import FakeAdb
from tests.devices.android.fake_console import FakeConsole
from tests.devices.android.fake_phone import FakePhone

from .test_conditions import GAP, LOW, SLOW


def test_emulator_is_shaped_and_gets_its_own_link_back(
    connection: Connection, phone: FakePhone, console: Console, console_server: FakeConsole
) -> None:
    console.set_network_speed(up_kbps=58_000, down_kbps=173_000)
    console.set_network_delay(min_ms=1, max_ms=2)
    with impose(connection, link=SLOW, battery=LOW, console=console) as imposed:
        assert (imposed.rate, imposed.coverage, imposed.battery) == (True, True, True)
        assert (console_server.up_bps, console_server.down_bps) == (40_000, 80_000)
        assert console_server.delay == (150, 550)
        assert console_server.power == {
            "AC": "offline",
            "status": "Discharging",
            "capacity": "7",
        }
        assert not phone.wifi  # emulated WiFi is not shaped
        assert phone.frozen is None
    assert (console_server.up_bps, console_server.down_bps) == (58_000_000, 173_000_000)
    assert console_server.delay == (1, 2)
    assert console_server.power == {"AC": "online", "status": "Charging", "capacity": "50"}
    assert phone.untouched


def test_gap_in_the_coverage_of_an_emulator(
    connection: Connection, console: Console, console_server: FakeConsole
) -> None:
    console_server.data = "roaming"
    with impose(connection, link=GAP, console=console):
        assert console_server.data == "off"
    assert console_server.data == "roaming"


def test_emulator_that_ignores_its_console(
    connection: Connection, phone: FakePhone, console: Console, console_server: FakeConsole
) -> None:
    console_server.fault = "deaf"
    with impose(connection, link=SLOW, battery=LOW, console=console) as imposed:
        assert (imposed.rate, imposed.battery) == (False, False)
        assert len(imposed.reasons) == 2
        assert phone.wifi
    assert phone.untouched


def test_crashed_run_on_an_emulator_is_repaired_through_its_console(
    fake: FakeAdb, adb: Adb, console_server: FakeConsole
) -> None:
    serial = f"emulator-{console_server.port}"
    fake.emulators[console_server.port + 1] = serial
    fake.new_emulator = lambda: FakePhone(wifi=False).device()
    console_server.data = "off"
    undos: list[undo.Undo] = [
        SetModem("home"),
        SetLink(1000, 2000, 3, 4),
        SetPower(60, True, "full"),
    ]
    with Journal(serial) as journal:
        journal.write([*undos, SetRadio("wifi", True)])
    assert restore_pending(adb) == (Restored(serial, None),)
    assert console_server.data == "home"
    assert (console_server.up_bps, console_server.delay) == (1000, (3, 4))
    assert console_server.power["capacity"] == "60"
    assert fake.devices[serial].commands[0] == ["svc", "wifi", "enable"]
