"""``droidloop devices`` as typed: what there is, and which is meant where none is named."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from droidloop.devices.android.adb import server
from droidloop.devices.android.adb.server import VARIABLE
from droidloop.scenarios.cli.main import main
from tests.devices.android.fake_adb import FakeAdb, FakeDevice
from tests.devices.android.probing.test_summary import PIXEL

HARM = "it's $(reboot); `reboot`\x1b[31m"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeAdb]:
    """A user's adb server with a phone, and one whose serial means harm."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("DROIDLOOP_STATE", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    phone = FakeDevice(answers={"getprop": (PIXEL, "", 0)})
    with FakeAdb(phone=phone) as fake:
        fake.devices[HARM] = FakeDevice(state="unauthorized")
        yield fake


def test_a_list_is_json_for_programs_and_lines_for_people(fake: FakeAdb) -> None:
    words = ["devices", "list", "--adb-server", f"127.0.0.1:{fake.port}"]
    done = CliRunner().invoke(main, [*words, "--json"])
    told = {one["serial"]: one for one in json.loads(done.stdout)}
    assert told["phone"] == {
        "serial": "phone",
        "state": "device",
        "model": "Pixel 3\x1b[31m",
        "android": "11",
        "abi": "arm64-v8a",
    }
    assert told[HARM]["state"] == "unauthorized"
    lines = CliRunner().invoke(main, words).stdout
    assert "Pixel 3" in lines
    assert "\x1b" not in lines


def test_devices_that_another_server_holds_are_told_with_the_way_to_them(
    fake: FakeAdb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Android Studio's, which listens where nobody has asked it to: nothing is done to it."""
    monkeypatch.setattr(server, "DEFAULT_PORT", fake.port)
    monkeypatch.setattr(server.held_elsewhere, "__defaults__", (fake.port,))
    done = CliRunner().invoke(main, ["devices", "list"])
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert f"held by the adb server on port {fake.port}: " in done.stderr
    assert done.stderr.endswith(f"; use it with --adb-server 127.0.0.1:{fake.port}\n")
    assert "\x1b" not in done.stderr
    assert "host:kill" not in fake.requests


def test_the_serial_of_the_environment_is_meant_where_none_is_named(
    fake: FakeAdb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID_SERIAL", "phone")
    monkeypatch.setenv(VARIABLE, str(fake.port))
    done = CliRunner().invoke(main, ["devices", "probe", "--json"])
    assert json.loads(done.stdout)["model"] == "Pixel 3\x1b[31m"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["phone"], "phone: no such file; the model stands last, after the devices"),
        (["phone", "phone", "m.tflite"], "a device is named twice; name it once"),
        (["m.tflite"], "name a device that `droidloop devices list` shows, then the model"),
        (["phone", "m.tflite", "--profile"], "--profile is benchmark_model's; give --benchmark"),
        (["phone", "m.tflite", "--delegate", "gpu"], "--delegate is benchmark_model's; give"),
        (["phone", "m.tflite", "--cores", "1,x"], "--cores 1,x: give numbers of cores, as 4,5"),
        (["phone", "m.tflite", "--input", "user"], "--input user: give NAME=FILE.npy"),
    ],
)
def test_what_is_wrong_with_a_bench_is_one_line(
    fake: FakeAdb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.tflite").write_bytes(b"odd")
    if words == ["phone"]:
        monkeypatch.setenv("ANDROID_SERIAL", "phone")
    done = CliRunner().invoke(main, ["devices", "bench", *words])
    said = done.stderr or str(done.exception)
    assert done.exit_code != 0
    assert message in said
    assert said.strip().count("\n") == 0
