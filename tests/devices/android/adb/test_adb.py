"""The server: lists, attaching, and the ways in which adbutils and adb mislead."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.adb_process import AdbProcess, adb_path, free_port
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.errors import (
    AbsentError,
    AndroidError,
    DeviceTimeoutError,
    ParseError,
    ServerError,
    UnauthorizedError,
)
from droidloop.devices.android.parsers.adb_text import Listed, State
from tests.devices.android.fake_adb import FakeAdb, FakeDevice


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Adb]:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Adb.start(usb=False) as server:
        yield server


def listening_at(port: int) -> set[str]:
    """Return the addresses of this machine at which somebody listens on *port*, in hexadecimal."""
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path("/proc/net", name).read_text().splitlines()[1:]
    ]
    there = [words[1].rpartition(":") for words in lines if words[3] == "0A"]
    return {address for address, _, found in there if int(found, 16) == port}


def test_a_server_of_our_own_listens_to_this_machine_alone(server: Adb) -> None:
    loopback = {"0100007F", "00000000000000000000000001000000"}
    assert listening_at(server.port)
    assert listening_at(server.port) <= loopback


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def listening_on_odd_port() -> socket.socket:
    """Return a listener a little above the ports that every adb server on this machine scans."""
    for port in range(5601, 5681, 2):
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
        else:
            listener.listen()
            return listener
    pytest.skip("no free port for a foreign emulator")


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    assert not is_alive(pid)


def test_list_shows_devices_in_every_state(adb: Adb, fake: FakeAdb) -> None:
    fake.devices["x y"] = FakeDevice(state="unauthorized")
    assert adb.devices() == (
        Listed("phone", State.DEVICE, "device"),
        Listed("x y", State.UNAUTHORIZED, "unauthorized"),
    )


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("failed to connect to '{}': Connection refused", AbsentError),
        ("failed to connect to {}", AbsentError),
        ("unable to connect to {}", AbsentError),
        ("failed to authenticate to {}", UnauthorizedError),
        ("cannot connect to {}: Operation timed out", AbsentError),
        ("something that no adb says", AbsentError),
        ("connected to 198.51.100.9:1", AbsentError),
    ],
)
def test_failure_to_attach_is_not_taken_for_success(
    adb: Adb, fake: FakeAdb, answer: str, error: type[AndroidError]
) -> None:
    fake.connect_answer = answer.format
    with pytest.raises(error, match=r"192\.0\.2\.1:9"):
        adb.connect("192.0.2.1:9")


@pytest.mark.parametrize("answer", ["connected to {}", "already connected to {}"])
def test_attached_device_keeps_its_address_as_serial(adb: Adb, fake: FakeAdb, answer: str) -> None:
    fake.connect_answer = answer.format
    assert adb.connect("192.0.2.1:9") == "192.0.2.1:9"


def test_emulator_is_attached_by_its_port(adb: Adb, fake: FakeAdb) -> None:
    fake.emulators[5601] = "emulator-5600"
    assert adb.attach_emulator(5600) == "emulator-5600"
    with pytest.raises(AbsentError, match="no emulator on port 5701"):
        adb.attach_emulator(5700, timeout_s=0.2)


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("garbage", ServerError, "protocol fault"),
        ("close", ServerError, "the stream ended"),
        ("hang", DeviceTimeoutError, "no answer within 0.2 s"),
    ],
)
def test_faults_of_the_server(
    fake: FakeAdb, fault: str, error: type[AndroidError], words: str
) -> None:
    fake.host_fault = fault
    with pytest.raises(error, match=words):
        Adb(fake.port, timeout_s=0.2).devices()


def test_unreadable_list_is_not_an_empty_one(adb: Adb, fake: FakeAdb) -> None:
    fake.devices = {"a\nb": FakeDevice()}
    with pytest.raises(ParseError, match="not a line of a device"):
        adb.devices()


def test_no_server_is_started_where_none_listens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """adbutils would start one, on the default port, and talk to whatever it finds there."""
    client = tmp_path / "adb"
    client.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    client.chmod(0o755)
    monkeypatch.setenv("ADBUTILS_ADB_PATH", str(client))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ServerError, match="adb server"):
        Adb(free_port()).devices()
    assert not (tmp_path / "started").exists()


def test_variables_of_other_adbs_are_ignored(
    monkeypatch: pytest.MonkeyPatch, fake: FakeAdb, adb: Adb
) -> None:
    monkeypatch.setenv("ANDROID_SERIAL", "other")
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    monkeypatch.setenv("ADB_SERVER_SOCKET", "tcp:localhost:1")
    assert Connection(adb, "phone").shell(["echo", "hi"]).stdout == "hi\n"


def test_private_server_starts_with_no_device_and_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Adb.start(usb=False) as server:
        assert server.devices() == ()
        assert not 5554 <= server.port <= 5585
        assert server.port != 5037
        pid = server.server_pid
    assert pid is not None
    wait_until_gone(pid)


def test_two_servers_do_not_meet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with Adb.start(usb=False) as one, Adb.start(usb=False) as other:
        assert one.port != other.port
        assert one.server_pid != other.server_pid


def test_killed_server_is_started_again_on_its_port(server: Adb) -> None:
    first = server.server_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until_gone(first)
    assert server.devices() == ()
    assert server.server_pid != first


def test_server_told_to_end_is_started_again(server: Adb) -> None:
    client = [str(adb_path()), "-L", f"tcp:localhost:{server.port}", "kill-server"]
    first = server.server_pid
    assert first is not None
    subprocess.run(client, check=True, timeout=10)
    wait_until_gone(first)
    assert server.devices() == ()


def test_server_that_a_client_has_started_in_between_is_replaced(server: Adb) -> None:
    first = server.server_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until_gone(first)
    client = [str(adb_path()), "-L", f"tcp:localhost:{server.port}", "start-server"]
    subprocess.run(client, check=True, timeout=20, capture_output=True)
    server.revive()
    second = server.server_pid
    assert second is not None
    assert is_alive(second)
    assert server.devices() == ()


def test_real_server_says_why_it_cannot_attach(server: Adb) -> None:
    with pytest.raises(AbsentError, match="Connection refused"):
        server.connect("127.0.0.1:1")
    with pytest.raises(AbsentError, match="not attached"):
        Connection(server, "emulator-5600").shell(["echo", "hi"])


def test_foreign_emulators_are_not_picked_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An adb server scans local ports every second, by itself."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with listening_on_odd_port() as emulator:
        emulator.settimeout(1.5)
        monkeypatch.setenv("ADB_LOCAL_TRANSPORT_MAX_PORT", str(emulator.getsockname()[1]))
        with Adb.start(usb=False) as server:
            with pytest.raises(TimeoutError):
                emulator.accept()
            assert server.devices() == ()


def test_own_emulator_is_attached_by_a_real_server(server: Adb) -> None:
    with socket.socket() as emulator:
        emulator.bind(("127.0.0.1", 0))
        emulator.listen()
        emulator.settimeout(5)
        console_port = emulator.getsockname()[1] - 1
        answered = threading.Event()

        def answer() -> None:
            stream, _ = emulator.accept()
            answered.wait(10)
            stream.close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert server.attach_emulator(console_port) == f"emulator-{console_port}"
        assert server.devices()[0].state is State.OFFLINE
        answered.set()
        thread.join()


def test_server_does_not_outlive_its_process(tmp_path: Path) -> None:
    """It would hold USB devices for ever."""
    code = (
        "import time; from droidloop.devices.android.adb.adb import Adb;"
        "print(Adb.start(usb=False).server_pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=os.environ | {"HOME": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert is_alive(pid)
        process.kill()
    wait_until_gone(pid)


def test_server_that_cannot_listen_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        with pytest.raises(ServerError, match="did not start on port"):
            AdbProcess.start(port=other.getsockname()[1], usb=False)
