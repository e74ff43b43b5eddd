import pytest

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.errors import DisconnectedError
from droidloop.devices.android.probing.probe import probe
from tests.devices.android.fake_adb import Answer, FakeDevice

PROPERTIES = """[ro.product.model]: [Phone '; reboot]
[ro.product.manufacturer]: [Example]
[ro.build.version.release]: [14]
[ro.build.version.sdk]: [34]
[ro.product.cpu.abilist]: [arm64-v8a,armeabi-v7a]
[ro.soc.model]: [EX9000]
[ro.hardware]: [example]
"""
UEVENT = "/sys/class/power_supply/battery/uevent"
ANSWERS: dict[str, Answer] = {
    "getprop": (PROPERTIES, "", 0),
    "cat /proc/cpuinfo": ("processor : 0\nprocessor : 1\nHardware : Old name\n", "", 0),
    "cat /proc/meminfo": ("MemTotal: 4000000 kB\nMemAvailable: 1000000 kB\n", "", 0),
    f"cat {UEVENT}": ("", f"cat: {UEVENT}: Permission denied\n", 1),
    "dumpsys thermalservice": ("Can't find service: thermalservice\n", "", 0),
    "dumpsys battery": ("Current Battery Service state:\n  level: x\n", "", 0),
}


def test_device_describes_itself(connection: Connection, device: FakeDevice) -> None:
    device.answers |= ANSWERS
    found = probe(connection)
    assert (found.model, found.release, found.sdk) == ("Phone '; reboot", "14", 34)
    assert found.abis == ("arm64-v8a", "armeabi-v7a")
    assert found.chip == "EX9000"
    assert not found.emulated
    assert found.cpu is not None
    assert found.cpu.cores == 2
    assert found.memory is not None
    assert found.memory.total_bytes == 4_096_000_000
    assert found.storage is not None
    assert found.storage.path == "/data"


def test_what_it_does_not_tell_has_a_reason(connection: Connection, device: FakeDevice) -> None:
    device.answers |= ANSWERS
    found = probe(connection)
    assert (found.battery, found.supply, found.thermal) == (None, None, None)
    assert set(found.unknown) == {"battery", "supply", "thermal"}
    assert "Permission denied" in found.unknown["supply"]
    assert "dumpsys battery" in found.unknown["battery"]


def test_device_that_tells_nothing(connection: Connection) -> None:
    found = probe(connection)
    assert (found.model, found.sdk, found.abis, found.chip) == (None, None, (), None)
    assert found.unknown.keys() >= {"properties", "cpu", "memory"}


def test_chip_of_an_old_phone_is_the_kernels_word(
    connection: Connection, device: FakeDevice
) -> None:
    device.answers |= ANSWERS | {"getprop": ("[ro.hardware]: [ranchu]\n", "", 0)}
    found = probe(connection)
    assert found.chip == "Old name"
    assert found.emulated


def test_device_lost_meanwhile_is_an_error(connection: Connection, device: FakeDevice) -> None:
    device.shell_fault = "close"
    with pytest.raises(DisconnectedError, match="went away"):
        probe(connection)


def test_nothing_it_says_becomes_a_command(connection: Connection, device: FakeDevice) -> None:
    device.answers |= ANSWERS
    probe(connection)
    assert {argv[0] for argv in device.commands} == {"getprop", "cat", "df", "dumpsys"}
    assert not any("reboot" in word for argv in device.commands for word in argv)
