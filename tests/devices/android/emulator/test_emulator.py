import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.emulator.avd import (
    Hardware,
    avd_folder,
    avd_home,
    configure,
    unconfigure,
)
from droidloop.devices.android.emulator.emulator import (
    Emulator,
    EmulatorConfig,
    emulator_path,
    start_all,
)
from droidloop.devices.android.emulator.emulator_ports import FIRST_PORT, LAST_PORT, free_ports
from droidloop.devices.android.emulator.running import running_emulators, stop_by_serial
from droidloop.devices.android.errors import DeviceTimeoutError, EmulatorError
from tests.devices.android.fake_adb import Answer, FakeAdb, FakeDevice

CONFIG = "hw.ramSize=1536\nhw.cpu.ncore = 2\nimage.sysdir.1=x\n"


class Booting:
    """A device that goes through what a booting emulator shows, one command after the other."""

    def __init__(self) -> None:
        self.left = [
            ("", "error: closed\n", 1),
            ("\n", "", 0),
            ("1\n", "", 0),
            ("running\n", "", 0),
            ("1\n", "", 0),
            ("stopped\n", "", 0),
            ("", "cmd: Can't find service: package\n", 20),
        ]

    def __call__(self, argv: list[str]) -> Answer:
        if self.left:
            return self.left.pop(0)
        answers = {"sys.boot_completed": "1\n", "init.svc.bootanim": "stopped\n"}
        return answers.get(argv[-1], "package:/system/framework/framework-res.apk\n"), "", 0


@pytest.fixture
def avd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an AVD in a home of its own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DROIDLOOP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("FAKE_EMULATOR_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("ANDROID_AVD_HOME", str(tmp_path / "avds"))
    folder = tmp_path / "avds" / "Test_AVD.avd"
    folder.mkdir(parents=True)
    (folder / "config.ini").write_text(CONFIG)
    return folder


@pytest.fixture
def executable(tmp_path: Path) -> Path:
    path = tmp_path / "emulator"
    script = Path(__file__).parents[1] / "fake_emulator.py"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def server(avd: Path) -> Iterator[FakeAdb]:
    with FakeAdb() as server:
        for port in range(FIRST_PORT, LAST_PORT + 1, 2):
            server.emulators[port + 1] = f"emulator-{port}"
        server.new_emulator = lambda: FakeDevice(handler=Booting())
        yield server


@pytest.fixture
def adb(server: FakeAdb) -> Adb:
    return Adb(server.port, timeout_s=2.0)


def started(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


@contextmanager
def emulators(adb: Adb, configs: list[EmulatorConfig], **options: Any) -> Iterator[list[Emulator]]:
    """What a test starts, ended with it."""
    running = start_all(adb, configs, **options)
    try:
        yield running
    finally:
        for one in running:
            one.stop()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_emulators_boot_side_by_side_and_end(adb: Adb, executable: Path, tmp_path: Path) -> None:
    configs = [EmulatorConfig("Test_AVD", read_only=True)] * 2
    with emulators(adb, configs, executable=executable, timeout_s=30, poll_s=0.05) as running:
        serials = [one.serial for one in running]
        assert len(set(serials)) == 2
        assert {listed.serial for listed in adb.devices()} == set(serials)
        with running[0].console() as console:
            assert console.avd_name() == "Test_AVD"
    facts = started(tmp_path)
    assert {one["adb"] for one in facts} == {str(adb.port)}
    assert all("-read-only" in one["argv"] and "-no-window" in one["argv"] for one in facts)
    assert all(gone(one["pid"]) for one in facts)
    assert adb.devices() == ()


def test_emulators_end_when_their_user_fails(adb: Adb, executable: Path, tmp_path: Path) -> None:
    def fail() -> None:
        with emulators(
            adb, [EmulatorConfig("Test_AVD")], executable=executable, timeout_s=30, poll_s=0.05
        ):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert gone(started(tmp_path)[0]["pid"])


def test_nobody_waits_for_the_others_when_one_fails(
    server: FakeAdb, adb: Adb, avd: Path, executable: Path, tmp_path: Path
) -> None:
    server.new_emulator = lambda: FakeDevice(handler=lambda argv: ("0\n", "", 0))
    broken = avd.with_name("Broken_AVD.avd")
    broken.mkdir()
    (broken / "config.ini").write_text(CONFIG)
    configs = [EmulatorConfig("Test_AVD"), EmulatorConfig("Broken_AVD")]
    start_s = time.monotonic()
    with (
        pytest.raises(EmulatorError, match="ended with 7"),
        emulators(adb, configs, executable=executable, timeout_s=60, poll_s=0.2),
    ):
        pass
    assert time.monotonic() - start_s < 20
    assert all(gone(one["pid"]) for one in started(tmp_path))


def test_running_emulators_are_listed_for_who_starts_later(
    adb: Adb, executable: Path, tmp_path: Path
) -> None:
    assert running_emulators() == ()
    with emulators(
        adb, [EmulatorConfig("Test_AVD")], executable=executable, timeout_s=30, poll_s=0.05
    ) as running:
        assert running_emulators() == ((running[0].serial, "Test_AVD"),)
    assert running_emulators() == ()


def test_emulator_that_dies_says_its_last_words(
    adb: Adb, executable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_EMULATOR", "die")
    emulator = Emulator.start(adb, EmulatorConfig("Test_AVD"), executable=executable)
    adb_answers = adb.devices()
    assert adb_answers == ()
    with pytest.raises(EmulatorError, match="ended with 7: PANIC: cannot find AVD system path"):
        emulator.wait_booted(10, poll_s=0.05)
    emulator.stop()


def test_emulator_that_does_not_boot_in_time(adb: Adb, executable: Path, tmp_path: Path) -> None:
    emulator = Emulator.start(adb, EmulatorConfig("Test_AVD"), executable=executable)
    try:
        with pytest.raises(DeviceTimeoutError, match=r"not booted within 0\.1 s: \w+"):
            emulator.wait_booted(0.1, poll_s=0.05)
    finally:
        emulator.stop()
    assert gone(emulator.pid)


def test_emulator_that_ignores_everything_is_killed(
    adb: Adb, executable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_EMULATOR", "deaf")
    emulator = Emulator.start(adb, EmulatorConfig("Test_AVD"), executable=executable)
    end_s = time.monotonic() + 10
    while not (tmp_path / "log").exists() and time.monotonic() < end_s:
        time.sleep(0.02)
    emulator.stop(timeout_s=0.3)
    assert gone(emulator.pid)


def test_emulator_is_ended_by_its_serial(
    adb: Adb, avd: Path, executable: Path, tmp_path: Path
) -> None:
    config = EmulatorConfig("Test_AVD", Hardware(ram_bytes=2**30))
    emulator = Emulator.start(adb, config, executable=executable)
    emulator.wait_booted(30, poll_s=0.05)
    stop_by_serial(emulator.serial, timeout_s=10)
    emulator.stop()
    assert gone(emulator.pid)
    assert (avd / "config.ini").read_text() == CONFIG


@pytest.mark.parametrize("serial", ["R58M1234", "emulator-x", "emulator-", "127.0.0.1:5"])
def test_only_emulators_are_ended(serial: str) -> None:
    with pytest.raises(EmulatorError, match="not the serial of an emulator"):
        stop_by_serial(serial)


def test_row_of_the_population_is_written_while_it_runs(
    adb: Adb, avd: Path, executable: Path
) -> None:
    hardware = Hardware(ram_bytes=3 * 2**30, cores=4, storage_bytes=5 * 2**30)
    emulator = Emulator.start(
        adb, EmulatorConfig("Test_AVD", hardware, wipe_data=True), executable=executable
    )
    text = (avd / "config.ini").read_text()
    emulator.stop()
    assert text == (
        "hw.ramSize=3072\nhw.cpu.ncore=4\nimage.sysdir.1=x\ndisk.dataPartition.size=5120M\n"
    )
    assert (avd / "config.ini").read_text() == CONFIG


def test_configuration_of_a_crashed_run_is_not_taken_for_the_own_one(avd: Path) -> None:
    configure(avd, Hardware(ram_bytes=2**30))
    configure(avd, Hardware(cores=8))
    assert "hw.ramSize=1536" in (avd / "config.ini").read_text()
    unconfigure(avd)
    unconfigure(avd)
    assert (avd / "config.ini").read_text() == CONFIG
    assert [path.name for path in avd.iterdir()] == ["config.ini"]


def test_avd_may_lie_where_its_ini_says(avd: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    avd.rename(other)
    (tmp_path / "avds" / "Test_AVD.ini").write_text(f"avd.ini.encoding=UTF-8\npath={other}\n")
    assert avd_folder("Test_AVD") == other


@pytest.mark.parametrize("name", ["../x", "-wipe-data", "a b", "", "absent"])
def test_unknown_avd(avd: Path, name: str) -> None:
    with pytest.raises(EmulatorError, match="no AVD"):
        avd_folder(name)


def test_arguments_without_acceleration() -> None:
    argv = EmulatorConfig("A", acceleration=False).arguments(5600)
    assert argv[:4] == ["-avd", "A", "-port", "5600"]
    assert argv[-2:] == ["-accel", "off"]


def test_ports_are_pairs_outside_those_that_every_server_scans() -> None:
    ports = free_ports(3)
    assert all(port % 2 == 0 and port > 5585 for port in ports)
    with socket.socket() as other:
        other.bind(("127.0.0.1", ports[0] + 1))
        assert ports[0] not in free_ports(3)
    with pytest.raises(EmulatorError, match="of 1000 ports"):
        free_ports(1000)


def test_sdk_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ANDROID_SDK_ROOT", raising=False)
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path))
    with pytest.raises(EmulatorError, match="install the Android SDK"):
        emulator_path()
    (tmp_path / "emulator").mkdir()
    (tmp_path / "emulator" / "emulator").touch()
    assert emulator_path() == tmp_path / "emulator" / "emulator"


@pytest.mark.emulator
def test_real_avd_boots_and_ends() -> None:
    name = os.environ.get("DROIDLOOP_TEST_AVD")
    if not name:
        pytest.skip("needs the name of an AVD in DROIDLOOP_TEST_AVD")
    with Adb.start(usb=False) as adb, emulators(adb, [EmulatorConfig(name)]) as running:
        assert running[0].connection.run(["echo", "it's up"]) == "it's up\n"
        with running[0].console() as console:
            console.set_network_speed(up_kbps=128, down_kbps=1920)
            console.command("network", "speed", "full")
            assert console.avd_name() == name


@pytest.mark.parametrize("made_in", ["config", "home", "user"])
def test_an_avd_is_found_where_the_sdk_has_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_in: str
) -> None:
    """avdmanager minds XDG_CONFIG_HOME, which hosted runners set; the emulator does not."""
    homes = {
        "config": tmp_path / "config" / ".android",
        "home": tmp_path / ".android",
        "user": tmp_path / "user",
    }
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ANDROID_AVD_HOME", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("ANDROID_USER_HOME", str(homes["user"]))
    folder = homes[made_in] / "avd" / "ci.avd"
    folder.mkdir(parents=True)
    (folder / "config.ini").write_text(CONFIG)
    (folder.parent / "ci.ini").write_text("target=android-34\n")
    assert avd_folder("ci") == folder
    assert avd_home("ci") == folder.parent
    monkeypatch.setenv("ANDROID_AVD_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(EmulatorError, match=r"ci: no AVD in .*elsewhere"):
        avd_folder("ci")
