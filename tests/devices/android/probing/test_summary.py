"""A list tells what each device is, and goes on where one does not tell."""

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.probing.summary import Summary, summaries
from tests.devices.android.fake_adb import FakeAdb, FakeDevice

PIXEL = """[ro.product.model]: [Pixel 3[31m]
[ro.build.version.release]: [11]
[ro.product.cpu.abi]: [arm64-v8a]
"""


def test_each_device_tells_model_android_and_abi(fake: FakeAdb) -> None:
    fake.devices |= {
        "pixel": FakeDevice(answers={"getprop": (PIXEL, "", 0)}),
        "silent": FakeDevice(shell_fault="close"),
        "locked": FakeDevice(state="unauthorized"),
    }
    patient = Adb(fake.port)  # a busy host is no silent phone
    listed = [one for one in patient.devices() if one.serial != "phone"]
    assert summaries(patient, listed) == [
        Summary("pixel", "device", "Pixel 3[31m", "11", "arm64-v8a"),
        Summary("silent", "device"),
        Summary("locked", "unauthorized"),
    ]


def test_a_line_is_for_people_and_holds_nothing_for_terminals() -> None:
    assert Summary("pixel", "device", "Pixel[31m", "11", "arm64-v8a").line.split() == [
        *("pixel", "device", "Pixel", "[31m", "Android", "11", "arm64-v8a")
    ]
    assert Summary("locked", "unauthorized").line.split() == ["locked", "unauthorized"]
