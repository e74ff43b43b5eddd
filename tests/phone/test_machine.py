"""The QEMU phone is a machine of its own, and the host holds its strings."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.transfer import pull, push
from droidloop.devices.android.errors import AndroidError, DeviceTimeoutError
from droidloop.devices.android.parsers.battery import parse_battery
from droidloop.devices.android.parsers.proc_meminfo import parse_proc_meminfo
from tests.devices.android.adb.test_quoting import HOSTILE

from .__main__ import main
from .conftest import MEMORY_MIB, Attached, Phones, healthy
from .image import PhoneError
from .qemu import Battery, load, start

pytestmark = pytest.mark.phone

NAME = "it's $(reboot); `reboot` -rf \"&"


def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until *holds*, at most *seconds*."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def test_two_run_at_once_and_are_not_the_same(phone: Attached, other: Attached) -> None:
    names = [
        attached.connection.run(["getprop", "ro.boot.serialno"]).strip()
        for attached in (phone, other)
    ]
    assert names == ["t1", "t2"]
    phone.connection.run(["touch", "/data/local/tmp/mine"])
    assert "mine" not in other.listing()
    phone.connection.run(["rm", "/data/local/tmp/mine"])


def test_its_memory_is_its_own(phone: Attached) -> None:
    info = parse_proc_meminfo(phone.connection.run(["cat", "/proc/meminfo"]))
    assert 0.85 * MEMORY_MIB < info.total_bytes / (1 << 20) < MEMORY_MIB


def test_the_host_takes_memory_away(phone: Attached) -> None:
    def total_mib() -> float:
        text = phone.connection.run(["cat", "/proc/meminfo"])
        return parse_proc_meminfo(text).total_bytes / (1 << 20)

    before = total_mib()
    phone.phone.set_memory(400)
    until(lambda: total_mib() < before - 100, 30)


def test_the_host_sets_battery_and_charger(phone: Attached) -> None:
    def battery() -> tuple[object, ...]:
        found = parse_battery(phone.connection.run(["dumpsys", "battery"]))
        return found.level, found.voltage_mv, found.ac_powered

    phone.phone.set_battery(Battery(True, 700, 1000, 4000, True))
    until(lambda: battery() == (25, 4000, True), 10)
    phone.phone.set_battery(Battery(False, 700, 2000, 3800, False))
    until(lambda: battery() == (50, 3800, False), 10)


def test_a_cut_link_is_seen_by_the_time_limit_alone_and_can_be_mended(phone: Attached) -> None:
    phone.phone.set_link(False)
    with pytest.raises(DeviceTimeoutError, match="echo did not end within 1 s"):
        phone.connection.shell(["echo", "here"], timeout_s=1.0)
    phone.mend()
    assert phone.connection.run(["echo", "here"], timeout_s=30.0) == "here\n"


def test_hostile_words_and_names_are_only_that(phone: Attached, tmp_path: Path) -> None:
    words = phone.connection.run(["printf", "%s\\0", *HOSTILE])
    assert words.split("\0")[:-1] == HOSTILE
    local, back, remote = tmp_path / "-rf $(reboot)", tmp_path / "back", f"/data/local/tmp/{NAME}"
    local.write_bytes(b"data")
    push(phone.connection, local, remote, timeout_s=20)
    listed = phone.connection.run(["ls", "-A", "/data/local/tmp"])
    assert listed == f"{NAME}\n"
    pull(phone.connection, remote, back, timeout_s=20, limit_bytes=10)
    assert back.read_bytes() == b"data"
    phone.connection.run(["rm", remote])
    assert phone.listing() == []


def test_a_program_that_eats_all_memory_is_killed_and_the_phone_stays_well(phone: Attached) -> None:
    phone.connection.run(["sh", "-c", "echo 1 >/proc/sys/vm/overcommit_memory"])
    ended = phone.connection.shell(["tail", "-n1", "/dev/zero"], timeout_s=60.0)
    assert ended.exit_code == 137  # the kernel's SIGKILL
    phone.connection.run(["sh", "-c", "echo 0 >/proc/sys/vm/overcommit_memory"])
    assert healthy(phone)


def test_a_phone_that_is_not_well_is_replaced(phones: Phones, adb: Adb) -> None:
    assert phones, "its image is prepared"
    own = Phones(adb)
    try:
        first = own.well("t1")
        assert own.well("t1") is first
        first.connection.run(["sh", "-c", "echo 1 >/proc/sys/vm/overcommit_memory"])
        second = own.well("t1")
        assert second.phone.pid != first.phone.pid
        assert not first.phone.alive
        assert healthy(second)
    finally:
        own.close()


def test_a_killed_phone_takes_no_commands_and_leaves_no_files(spare: Attached) -> None:
    spare.phone.kill()
    assert not spare.phone.alive
    assert not spare.phone.folder.exists()
    with pytest.raises(AndroidError):
        spare.connection.shell(["true"], timeout_s=5.0)


def test_what_was_saved_of_a_phone_finds_it_again(phone: Attached) -> None:
    note = phone.phone.folder / "note.json"
    phone.phone.save(note)
    assert load(note) == phone.phone
    assert load(note).alive


def test_the_monitors_refusal_is_an_error(phone: Attached) -> None:
    with pytest.raises(PhoneError, match="phone t1: nonsense: unknown command"):
        phone.phone.monitor("nonsense")


@pytest.mark.parametrize("port", [5555, 5585, 80])
def test_ports_that_adb_takes_for_emulators_are_refused(port: int) -> None:
    with pytest.raises(ValueError, match=f"port {port}: choose one outside 5555-5585"):
        start("t1", port)


def test_wrong_use_of_the_command_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["begin"]) == 2
    assert capsys.readouterr().err == "usage: python -m tests.phone start | stop\n"
