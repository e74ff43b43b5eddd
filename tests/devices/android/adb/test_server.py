"""A server of the user's is used when it is named, and left as it was."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.adb_process import adb_environment, adb_path, free_port
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.adb.server import VARIABLE, held_elsewhere, open_adb
from droidloop.devices.android.adb.transfer import push
from droidloop.devices.android.errors import AbsentError, AndroidError, ServerError
from droidloop.platform.errors import UsageError
from tests.devices.android.fake_adb import FakeAdb, FakeDevice


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)


def test_the_server_that_is_named_is_used(fake: FakeAdb, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_adb(f"localhost:{fake.port}") as adb:
        assert [one.serial for one in adb.devices()] == ["phone"]
    monkeypatch.setenv(VARIABLE, str(fake.port))
    with open_adb() as adb:
        assert [one.serial for one in adb.devices()] == ["phone"]
    assert "host:kill" not in fake.requests


def test_without_a_name_it_is_a_private_one() -> None:
    with open_adb(usb=False) as adb:
        assert adb.server_pid is not None
        assert adb.port != 5037


@pytest.mark.parametrize("address", ["nowhere", "1.2.3.4", "localhost:0", "x:99999", "a b:1"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(UsageError, match=f"--adb-server '{address}': give HOST:PORT"):
        open_adb(address)


def test_no_server_is_started_where_the_named_one_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = free_port()
    monkeypatch.setenv(VARIABLE, str(port))
    with pytest.raises(UsageError, match=f"{VARIABLE} {port}: no adb server answers"):
        open_adb()
    with pytest.raises(ServerError):
        Adb(port).devices()


def test_a_server_that_our_client_would_end_is_left_alone(fake: FakeAdb) -> None:
    fake.version = "0028"
    with pytest.raises(UsageError, match="that server speaks version 40, not 41"):
        open_adb(f"localhost:{fake.port}")
    assert fake.requests == ["host:version"]


def test_what_others_have_attached_stays_attached(fake: FakeAdb) -> None:
    fake.devices |= {"1.2.3.4:5": FakeDevice(state="offline"), "1.2.3.4:6": FakeDevice()}
    fake.connect_answer = lambda address: (
        f"already connected to {address}" if address in fake.devices else f"connected to {address}"
    )
    with open_adb(f"localhost:{fake.port}") as adb:
        adb.connect("1.2.3.4:6")
        adb.connect("1.2.3.4:7")
        adb.attach_again("1.2.3.4:5")
        assert not [text for text in fake.requests if "disconnect" in text]
    assert [text for text in fake.requests if "disconnect" in text] == ["host:disconnect:1.2.3.4:7"]


def test_devices_of_another_server_are_named(fake: FakeAdb) -> None:
    with FakeAdb(own=FakeDevice()) as mine:
        assert held_elsewhere(Adb(mine.port), fake.port) == ["phone"]
        fake.devices["own"] = FakeDevice()
        assert held_elsewhere(Adb(mine.port), fake.port) == ["phone"]
        assert held_elsewhere(Adb(fake.port), fake.port) == []
        assert held_elsewhere(Adb(mine.port), free_port()) == []


def test_a_real_server_outlives_its_use_with_the_same_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is started as a user's is; listing, attaching and failing leave it as it was."""
    with Adb.start(usb=False) as users:
        before = users.server_pid
        with open_adb(f"127.0.0.1:{users.port}") as adb:
            assert adb.server_pid is None
            assert adb.devices() == ()
            with pytest.raises(AndroidError):
                adb.connect(f"127.0.0.1:{free_port()}", 2.0)
            with pytest.raises(AbsentError):
                Connection(adb, "nobody").run(["true"])
            adb.revive()
        assert users.server_pid == before
        assert before is not None
        os.kill(before, 0)
        assert users.devices() == ()
        os.kill(before, signal.SIGKILL)
        with pytest.raises(ServerError):  # one that has gone is not ours to start
            Adb(users.port).devices()


def test_files_go_over_the_named_server(fake: FakeAdb, device: FakeDevice, tmp_path: Path) -> None:
    local = tmp_path / "file"
    local.write_bytes(b"some bytes")
    with open_adb(f"localhost:{fake.port}") as adb:
        push(Connection(adb, "phone"), local, "/data/local/tmp/file", timeout_s=10)
    assert device.files == {"/data/local/tmp/file": b"some bytes"}


def test_the_client_that_is_shipped_speaks_the_version_that_is_asked_for() -> None:
    told = subprocess.run(
        [str(adb_path()), "version"], capture_output=True, text=True, env=adb_environment()
    )
    assert told.stdout.startswith("Android Debug Bridge version 1.0.41")
