import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from droidloop.devices.android.emulator.console import Console
from droidloop.devices.android.errors import (
    AndroidError,
    ConsoleError,
    DeviceTimeoutError,
    DisconnectedError,
    ParseError,
)
from droidloop.devices.android.parsers.console_text import NetworkStatus, PowerDisplay
from tests.devices.android.fake_console import FakeConsole


@pytest.fixture
def fake() -> Iterator[FakeConsole]:
    with FakeConsole() as fake:
        yield fake


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    return path


@pytest.fixture
def console(fake: FakeConsole, token_file: Path) -> Iterator[Console]:
    with Console(fake.port, token_file=token_file, timeout_s=0.5) as console:
        yield console


def test_session_begins_with_the_secret(console: Console, fake: FakeConsole) -> None:
    console.ping()
    assert fake.commands == ["auth s3cret", "ping"]


def test_secret_lies_in_the_home_of_the_user(
    fake: FakeConsole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".emulator_console_auth_token").write_text("s3cret")
    with Console(fake.port) as console:
        console.ping()
    assert fake.commands == ["auth s3cret", "ping"]


def test_file_that_the_listener_names_is_never_sent(fake: FakeConsole, tmp_path: Path) -> None:
    with pytest.raises(ConsoleError, match="asks for the secret in /etc/passwd"):
        Console(fake.port, token_file=tmp_path / "absent")
    assert fake.commands == []


def test_wrong_secret_is_not_repeated(fake: FakeConsole, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("wr0ng")
    with pytest.raises(ConsoleError, match="refuses the secret") as caught:
        Console(fake.port, token_file=tmp_path / "token")
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "two words", "a\nkill"])
def test_file_without_a_secret(fake: FakeConsole, tmp_path: Path, token: str) -> None:
    (tmp_path / "token").write_text(token)
    with pytest.raises(ConsoleError, match="holds no secret"):
        Console(fake.port, token_file=tmp_path / "token")


def test_console_without_a_secret(tmp_path: Path) -> None:
    with FakeConsole(token="") as fake, Console(fake.port, token_file=tmp_path / "x") as console:
        console.ping()
        assert fake.commands == ["ping"]


def test_link_is_set_and_read_back(console: Console) -> None:
    console.set_network_speed(up_kbps=14.4, down_kbps=80)
    console.set_network_delay(min_ms=150, max_ms=550)
    assert console.network_status() == NetworkStatus(80_000, 14_400, 150, 550)


def test_named_speeds_are_those_of_the_emulator(console: Console) -> None:
    console.command("network", "speed", "umts")
    status = console.network_status()
    assert (status.download_bps, status.upload_bps) == (1_920_000, 128_000)


def test_battery_is_set_and_read_back(console: Console) -> None:
    console.set_power(capacity_percent=7, ac=False, status="not-charging")
    assert console.power() == PowerDisplay(False, "not-charging", "good", True, 7)


def test_modem_is_set_and_read_back(console: Console) -> None:
    assert console.gsm_data() == "home"
    console.set_gsm_data("off")
    assert console.gsm_data() == "off"
    with pytest.raises(ValueError, match="is none of"):
        console.set_gsm_data("gone")


def test_what_the_console_ignores_is_an_error(console: Console, fake: FakeConsole) -> None:
    fake.fault = "deaf"
    with pytest.raises(ConsoleError, match="bit/s up and down"):
        console.set_network_speed(up_kbps=1, down_kbps=1)
    with pytest.raises(ConsoleError, match="asked for a delay"):
        console.set_network_delay(min_ms=1, max_ms=2)
    with pytest.raises(ConsoleError, match="not taken the battery"):
        console.set_power(capacity_percent=7, ac=True, status="full")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("power", "capacity", "101"), 'power capacity: Usage: "capacity'),
        (("network", "fly"), "network fly: bad sub-command"),
        (("nonsense",), "nonsense: unknown command"),
    ],
)
def test_refusals_are_errors_and_the_session_goes_on(
    console: Console, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConsoleError, match=said):
        console.command(*words)
    console.ping()


@pytest.mark.parametrize(
    "words", [(), ("",), ("ping\nkill",), ("avd snapshot",), ("a\rb",), ("x\u2028y",)]
)
def test_a_word_is_never_another_command(
    console: Console, fake: FakeConsole, words: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="not one command"):
        console.command(*words)
    assert fake.commands == ["auth s3cret"]


def test_silent_console_is_given_up_for_good(console: Console, fake: FakeConsole) -> None:
    fake.fault = "hang"
    start_s = time.monotonic()
    with pytest.raises(DeviceTimeoutError, match=r"no end of avd name within 0\.5 s"):
        console.avd_name()
    assert time.monotonic() - start_s < 3
    fake.fault = None
    with pytest.raises(DisconnectedError, match="its console ended"):
        console.ping()


def test_console_that_ends_in_an_answer(console: Console, fake: FakeConsole) -> None:
    fake.fault = "close"
    with pytest.raises(DisconnectedError, match="during ping"):
        console.ping()


def test_answer_without_an_end_is_cut(console: Console, fake: FakeConsole) -> None:
    fake.fault = "endless"
    with pytest.raises(ConsoleError, match="a line without an end"):
        console.ping()


def test_emulator_ends_on_request(console: Console, fake: FakeConsole) -> None:
    console.kill()
    assert fake.killed.wait(2)


def test_nothing_on_the_port() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(ConsoleError, match="no console on port"):
            Console(reserved.getsockname()[1])


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"KO: Forbidden HTTP request. Aborting\r\n", ConsoleError),
        (b"220 mail.example.org\r\nOK\r\n", ParseError),
        (b"\xff\xfe\r\n", DisconnectedError),
        (b"", DisconnectedError),
    ],
)
def test_other_listeners_are_no_consoles(said: bytes, error: type[AndroidError]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            stream, _ = listener.accept()
            stream.sendall(said)
            stream.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(error, match=r"console|emulator"):
            Console(listener.getsockname()[1], timeout_s=1.0)
        thread.join()
