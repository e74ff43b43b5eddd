"""An adb server of this process with one scripted device."""

from collections.abc import Iterator

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection

from .fake_adb import FakeAdb, FakeDevice


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice()


@pytest.fixture
def fake(device: FakeDevice) -> Iterator[FakeAdb]:
    with FakeAdb(phone=device) as fake:
        yield fake


@pytest.fixture
def adb(fake: FakeAdb) -> Adb:
    return Adb(fake.port, timeout_s=2.0)


@pytest.fixture
def connection(adb: Adb) -> Connection:
    return Connection(adb, "phone")
