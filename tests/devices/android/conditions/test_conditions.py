import signal
import subprocess
import sys
import threading

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.conditions.conditions import (
    BatteryCondition,
    LinkCondition,
    Restored,
    impose,
    restore_pending,
)
from droidloop.devices.android.conditions.journal import Journal, pending_serials
from droidloop.devices.android.conditions.undo import (
    ResetBattery,
)
from droidloop.devices.android.errors import (
    AbsentError,
    ConditionError,
    OfflineError,
    RestoreError,
)
from tests.devices.android.fake_adb import FakeAdb, FakeDevice
from tests.devices.android.fake_phone import FakePhone

LOW = BatteryCondition(level_percent=7, charging=False)
GAP = LinkCondition(covered=False)
SLOW = LinkCondition(up_bps=40_000, down_bps=80_000, min_delay_ms=150, max_delay_ms=550)


def test_phone_shows_the_nodes_battery_and_gets_its_own_back(
    connection: Connection, phone: FakePhone
) -> None:
    with impose(connection, battery=LOW) as imposed:
        assert phone.frozen == {"level": "7", "ac": "0", "status": "3"}
        assert imposed.battery
        assert pending_serials() == ("phone",)
    assert phone.untouched
    assert pending_serials() == ()


def test_charging_battery(connection: Connection, phone: FakePhone) -> None:
    with impose(connection, battery=BatteryCondition(100, charging=True)):
        assert phone.frozen == {"level": "100", "ac": "1", "status": "2"}


def test_old_phone_takes_its_battery_from_dumpsys(connection: Connection, phone: FakePhone) -> None:
    phone.old = True
    with impose(connection, battery=LOW) as imposed:
        assert imposed.battery
        assert phone.frozen is not None
    assert phone.untouched


def test_gap_in_coverage_cuts_both_radios(connection: Connection, phone: FakePhone) -> None:
    with impose(connection, link=GAP) as imposed:
        assert (phone.wifi, phone.data) == (False, False)
        assert imposed.coverage
    assert phone.untouched


def test_radio_that_was_off_stays_off(connection: Connection, phone: FakePhone) -> None:
    phone.wifi = False
    with impose(connection, link=GAP):
        assert phone.data is False
    assert (phone.wifi, phone.data) == (False, True)


def test_phone_without_a_modem(connection: Connection, phone: FakePhone) -> None:
    phone.data = None
    with impose(connection, link=GAP) as imposed:
        assert imposed.coverage
        assert not phone.wifi
    assert phone.untouched


def test_rate_cannot_be_imposed_on_a_phone(connection: Connection, device: FakeDevice) -> None:
    with impose(connection, link=SLOW) as imposed:
        assert not imposed.rate
        assert imposed.coverage
        assert imposed.reasons == {"rate": "a rate needs the console of an emulator"}
    assert device.commands == []


def test_link_that_carries_adb_is_never_cut(fake: FakeAdb, adb: Adb) -> None:
    phone = FakePhone()
    fake.devices["192.0.2.1:5000"] = phone.device()
    with impose(Connection(adb, "192.0.2.1:5000"), link=GAP) as imposed:
        assert phone.untouched
        assert not imposed.coverage
        assert "adb reaches it over the link" in next(iter(imposed.reasons.values()))


@pytest.mark.parametrize("command", ["cmd battery", "svc data", "settings get"])
def test_what_a_phone_forbids_is_not_claimed(
    connection: Connection, phone: FakePhone, command: str
) -> None:
    phone.forbidden.add(command)
    with impose(connection, link=GAP, battery=LOW) as imposed:
        assert imposed.battery is (command != "cmd battery")
        assert imposed.coverage is (command == "cmd battery")
        assert len(imposed.reasons) == 1
        phone.forbidden.clear()
    assert phone.untouched


@pytest.mark.parametrize("command", ["svc wifi", "cmd battery"])
def test_silence_is_not_taken_for_success(
    connection: Connection, phone: FakePhone, command: str
) -> None:
    phone.deaf.add(command)
    with impose(connection, link=GAP, battery=LOW) as imposed:
        assert [imposed.battery, imposed.coverage].count(True) == 1
        assert "waited in vain" in next(iter(imposed.reasons.values()))
    assert phone.untouched


def test_half_a_change_is_taken_back_at_once(connection: Connection, phone: FakePhone) -> None:
    phone.deaf.add("svc data")
    with impose(connection, link=GAP) as imposed:
        assert not imposed.coverage
        assert phone.wifi
    assert phone.untouched


def test_battery_that_somebody_else_froze_is_left_alone(
    connection: Connection, phone: FakePhone
) -> None:
    phone.frozen = {"level": "1"}
    with impose(connection, battery=LOW) as imposed:
        assert not imposed.battery
        assert "somebody else has frozen" in next(iter(imposed.reasons.values()))
    assert phone.frozen == {"level": "1"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_conditions_end_with_the_block_however_it_ends(
    connection: Connection, phone: FakePhone, error: type[BaseException]
) -> None:
    def fail() -> None:
        with impose(connection, link=GAP, battery=LOW):
            assert not phone.untouched
            raise error

    with pytest.raises(error):
        fail()
    assert phone.untouched
    assert pending_serials() == ()


def test_phone_lost_meanwhile_is_restored_when_it_comes_back(
    connection: Connection, fake: FakeAdb, adb: Adb, phone: FakePhone
) -> None:
    def lose() -> None:
        with impose(connection, battery=LOW):
            fake.devices["phone"].state = "offline"

    with pytest.raises(RestoreError, match=r"still has 1 imposed conditions.*offline"):
        lose()
    assert pending_serials() == ("phone",)
    failed = restore_pending(adb)
    assert [(one.serial, type(one.error)) for one in failed] == [("phone", RestoreError)]
    fake.devices["phone"].state = "device"
    assert restore_pending(adb) == (Restored("phone", None),)
    assert phone.untouched
    assert restore_pending(adb) == ()


def test_first_error_is_not_hidden_by_a_failed_restore(
    connection: Connection, fake: FakeAdb
) -> None:
    def lose() -> None:
        with impose(connection, battery=LOW):
            fake.devices["phone"].state = "offline"
            connection.run(["echo", "hi"])

    with pytest.raises(OfflineError) as caught:
        lose()
    assert "still has 1 imposed conditions" in caught.value.__notes__[0]
    assert pending_serials() == ("phone",)


def test_phone_that_is_gone_stays_written_down(
    connection: Connection, fake: FakeAdb, adb: Adb
) -> None:
    with Journal("phone") as journal:
        journal.write([ResetBattery()])
    del fake.devices["phone"]
    (left,) = restore_pending(adb)
    assert isinstance(left.error, RestoreError)
    assert isinstance(left.error.__cause__, AbsentError)
    assert pending_serials() == ("phone",)


def test_what_a_crash_left_is_taken_back_before_new_conditions(
    connection: Connection, phone: FakePhone
) -> None:
    phone.frozen = {"level": "1"}
    with Journal("phone") as journal:
        journal.write([ResetBattery()])
    with impose(connection, battery=LOW) as imposed:
        assert imposed.battery
    assert phone.untouched


def test_killed_run_is_repaired_and_a_live_one_left_alone(
    fake: FakeAdb, adb: Adb, phone: FakePhone
) -> None:
    code = (
        "import time\n"
        "from droidloop.devices.android.adb.adb import Adb\n"
        "from droidloop.devices.android.conditions.conditions import *\n"
        "from droidloop.devices.android.adb.connection import Connection\n"
        f"connection = Connection(Adb({adb.port}), 'phone')\n"
        "with impose(connection, link=LinkCondition(covered=False),\n"
        "            battery=BatteryCondition(7, False)):\n"
        "    print('imposed', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"imposed\n"
        assert restore_pending(adb) == ()
        assert not phone.untouched
        with pytest.raises(ConditionError, match="another run"), impose(Connection(adb, "phone")):
            pass
        run.kill()
    assert restore_pending(adb) == (Restored("phone", None),)
    assert phone.untouched


def test_interrupted_run_restores_by_itself(fake: FakeAdb, adb: Adb, phone: FakePhone) -> None:
    code = (
        "import time\n"
        "from droidloop.devices.android.adb.adb import Adb\n"
        "from droidloop.devices.android.conditions.conditions import *\n"
        "from droidloop.devices.android.adb.connection import Connection\n"
        f"with impose(Connection(Adb({adb.port}), 'phone'), battery=BatteryCondition(7, False)):\n"
        "    print('imposed', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"imposed\n"
        run.send_signal(signal.SIGINT)
    assert phone.untouched
    assert pending_serials() == ()


def test_journal_is_written_before_the_change(
    connection: Connection, phone: FakePhone, device: FakeDevice
) -> None:
    seen: list[tuple[str, ...]] = []

    def watch(argv: list[str]) -> tuple[str, str, int] | None:
        if argv[0] in ("svc", "cmd") and not seen:
            seen.append(pending_serials())
        return phone.answer(argv)

    device.handler = watch
    with impose(connection, link=GAP):
        assert seen == [("phone",)]


def test_only_what_could_not_be_taken_back_stays(
    connection: Connection, phone: FakePhone, adb: Adb
) -> None:
    def forbid() -> None:
        with impose(connection, link=GAP, battery=LOW):
            phone.forbidden.add("svc wifi")

    with pytest.raises(RestoreError, match="still has 1 imposed"):
        forbid()
    assert (phone.wifi, phone.data, phone.frozen) == (False, True, None)
    phone.forbidden.clear()
    restore_pending(adb)
    assert phone.untouched


def test_level_is_a_percentage() -> None:
    with pytest.raises(ValueError, match="a level of 101 %"):
        BatteryCondition(101, charging=False)


def test_two_phones_at_once(fake: FakeAdb, adb: Adb) -> None:
    phones = {serial: FakePhone() for serial in ("a", "b")}
    fake.devices |= {serial: phone.device() for serial, phone in phones.items()}
    both = threading.Barrier(2, timeout=5)

    def hold(serial: str) -> None:
        with impose(Connection(adb, serial), battery=LOW):
            both.wait()

    threads = [threading.Thread(target=hold, args=(serial,)) for serial in phones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not both.broken
    assert all(phone.untouched for phone in phones.values())
