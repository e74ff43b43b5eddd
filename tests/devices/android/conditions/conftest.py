from collections.abc import Iterator
from pathlib import Path

import pytest

from droidloop.devices.android.conditions import undo
from droidloop.devices.android.emulator.console import Console
from tests.devices.android.fake_adb import FakeDevice
from tests.devices.android.fake_console import FakeConsole
from tests.devices.android.fake_phone import FakePhone


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DROIDLOOP_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(undo, "POLL_TIMEOUT_S", 0.3)
    return tmp_path / "state"


@pytest.fixture
def phone() -> FakePhone:
    return FakePhone()


@pytest.fixture
def device(phone: FakePhone) -> FakeDevice:
    return phone.device()


@pytest.fixture
def console_server() -> Iterator[FakeConsole]:
    with FakeConsole(token="") as server:
        yield server


@pytest.fixture
def console(console_server: FakeConsole) -> Iterator[Console]:
    with Console(console_server.port, timeout_s=1.0) as console:
        yield console
