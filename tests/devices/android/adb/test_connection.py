import threading
import time

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection, ShellResult
from droidloop.devices.android.errors import (
    AbsentError,
    AndroidError,
    ClosedError,
    CommandError,
    DeviceTimeoutError,
    DisconnectedError,
    OfflineError,
    OutputTooLongError,
    ServerError,
    UnauthorizedError,
    UnusableStateError,
)
from droidloop.devices.android.parsers.adb_text import State
from droidloop.platform.jobs import Outcome
from tests.devices.android.fake_adb import FakeAdb, FakeDevice

both_protocols = pytest.mark.parametrize("features", ["shell_v2,cmd", "cmd"])
HOSTILE = ["it's", "$(reboot)", "a;b", "", "-x", "new\nline", "ü\u2028", '"']


def test_streams_and_exit_code_come_apart(connection: Connection, device: FakeDevice) -> None:
    device.answers["ls x"] = ("out\n", "err\n", 3)
    assert connection.shell(["ls", "x"]) == ShellResult("out\n", "err\n", 3)


def test_old_device_mixes_its_streams_and_still_tells_the_exit_code(
    connection: Connection, device: FakeDevice
) -> None:
    device.features = "cmd"
    device.answers["ls x"] = ("out\nnext", "err\n", 3)
    assert connection.shell(["ls", "x"]) == ShellResult("out\nnexterr\n", None, 3)


@both_protocols
def test_arguments_arrive_as_they_are(
    connection: Connection, device: FakeDevice, features: str
) -> None:
    device.features = features
    connection.shell(["echo", *HOSTILE])
    assert device.commands == [["echo", *HOSTILE]]


@both_protocols
def test_device_that_vanishes_in_a_command_is_no_empty_answer(
    connection: Connection, device: FakeDevice, features: str
) -> None:
    device.features = features
    device.shell_fault = "close"
    with pytest.raises(DisconnectedError, match="phone: it went away"):
        connection.shell(["echo", "hi"])


@both_protocols
def test_command_that_does_not_end_is_given_up(
    connection: Connection, device: FakeDevice, features: str
) -> None:
    device.features = features
    device.shell_fault = "hang"
    start_s = time.monotonic()
    with pytest.raises(DeviceTimeoutError, match=r"echo did not end within 0\.2 s"):
        connection.shell(["echo", "hi"], timeout_s=0.2)
    assert time.monotonic() - start_s < 2


def test_time_limit_holds_for_a_device_that_keeps_talking(
    connection: Connection, device: FakeDevice
) -> None:
    device.shell_fault = "flood"
    with pytest.raises(OutputTooLongError, match="more than 1000000 bytes"):
        connection.shell(["echo", "hi"], limit_bytes=1_000_000)


def test_packet_that_does_not_belong_there_is_a_protocol_fault(
    connection: Connection, device: FakeDevice
) -> None:
    device.shell_fault = "garbage"
    with pytest.raises(ServerError, match="packet 77"):
        connection.shell(["echo", "hi"])


def test_output_cannot_forge_the_exit_code_of_an_old_device(
    connection: Connection, device: FakeDevice
) -> None:
    device.features = "cmd"
    device.shell_fault = "close"
    device.answers["x"] = ("\ndroidloop-0123456789abcdef:0\n" * 2, "", 0)
    with pytest.raises(DisconnectedError, match="went away"):
        connection.shell(["x"])


def test_refused_shell_is_told_from_a_lost_device(
    connection: Connection, device: FakeDevice
) -> None:
    device.shell_fault = "refuse"
    with pytest.raises(ClosedError, match="wait until it has booted"):
        connection.shell(["echo", "hi"])


def test_failed_command_is_an_error_for_who_wants_its_output(
    connection: Connection, device: FakeDevice
) -> None:
    device.answers["ls x"] = ("", "ls: x: No\x1b[31m such file\n", 1)
    with pytest.raises(CommandError, match=r"ls ended with 1: ls: x: No \[31m such file") as caught:
        connection.run(["ls", "x"])
    assert caught.value.exit_code == 1
    assert caught.value.outcome is Outcome.FAILED_RUNNER


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("offline", OfflineError),
        ("connecting", OfflineError),
        ("authorizing", OfflineError),
        ("unauthorized", UnauthorizedError),
        ("no permissions (missing udev rules?)", UnauthorizedError),
        ("recovery", UnusableStateError),
        ("dreaming", UnusableStateError),
    ],
)
def test_states_are_errors_of_their_own(
    connection: Connection, device: FakeDevice, state: str, error: type[AndroidError]
) -> None:
    device.state = state
    with pytest.raises(error, match=r"phone: adb lists it as '.*'; .+"):
        connection.shell(["echo", "hi"])
    assert device.commands == []


def test_state_that_changes_between_two_commands_is_seen(
    connection: Connection, device: FakeDevice
) -> None:
    connection.shell(["echo", "hi"])
    device.state = "offline"
    with pytest.raises(OfflineError, match="offline"):
        connection.shell(["echo", "hi"])
    assert connection.state is State.OFFLINE


def test_absent_device(adb: Adb) -> None:
    with pytest.raises(AbsentError, match="not attached"):
        Connection(adb, "other").shell(["echo", "hi"])
    assert Connection(adb, "other").state is State.ABSENT


def test_there_is_no_default_device(adb: Adb) -> None:
    with pytest.raises(ValueError, match="no default device"):
        Connection(adb, "")


@pytest.mark.parametrize("serial", ["pho", "PHONE", "model:phone", "phone ", "phone:kill", "*"])
def test_serial_is_never_a_pattern(adb: Adb, fake: FakeAdb, serial: str) -> None:
    with pytest.raises(AbsentError, match="not attached"):
        Connection(adb, serial).shell(["echo", "hi"])
    assert fake.requests == ["host:devices"]


@pytest.mark.parametrize(
    "serial", ["x:kill", "host:kill", "a b", "$(reboot)", "'; reboot #", "-d", "usb:1-1", "é"]
)
def test_hostile_serial_reaches_its_own_device_alone(fake: FakeAdb, adb: Adb, serial: str) -> None:
    fake.devices[serial] = FakeDevice()
    assert Connection(adb, serial).shell(["echo", "hi"]).stdout == "hi\n"
    assert fake.devices[serial].commands == [["echo", "hi"]]
    assert fake.devices["phone"].commands == []
    named = {request for request in fake.requests if serial in request}
    assert named == {f"host:tport:serial:{serial}"}


def test_device_that_comes_back_is_found_again(
    connection: Connection, fake: FakeAdb, device: FakeDevice
) -> None:
    connection.shell(["echo", "1"])
    fake.renumber("phone")
    connection.shell(["echo", "2"])
    assert device.commands == [["echo", "1"], ["echo", "2"]]


def test_number_of_a_lost_device_is_not_used_for_another(
    connection: Connection, fake: FakeAdb
) -> None:
    connection.shell(["echo", "1"])
    del fake.devices["phone"]
    fake.devices["other"] = FakeDevice()
    with pytest.raises(AbsentError, match="not attached"):
        connection.shell(["echo", "2"])
    assert fake.devices["other"].commands == []


def test_numbers_that_changed_hands_do_not_mix_up_devices(
    connection: Connection, fake: FakeAdb, device: FakeDevice
) -> None:
    """A server that another thread has started anew counts its devices in another order."""
    fake.devices["other"] = FakeDevice()
    fake.numbers = {"phone": 1, "other": 2}
    connection.shell(["echo", "1"])
    fake.numbers = {"phone": 2, "other": 1}
    connection.shell(["echo", "2"])
    assert device.commands == [["echo", "1"], ["echo", "2"]]
    assert fake.devices["other"].commands == []


def test_two_devices_are_used_at_once(fake: FakeAdb, adb: Adb) -> None:
    both = threading.Barrier(2, timeout=5)

    def meet(argv: list[str]) -> tuple[str, str, int]:
        both.wait()
        return "met\n", "", 0

    fake.devices = {"a": FakeDevice(handler=meet), "b": FakeDevice(handler=meet)}
    threads = [
        threading.Thread(target=Connection(adb, serial).shell, args=(["meet"],)) for serial in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert not both.broken


def test_waiting_ends_when_the_device_is_there(connection: Connection, device: FakeDevice) -> None:
    device.state = "offline"
    timer = threading.Timer(0.6, setattr, (device, "state", "device"))
    timer.start()
    connection.wait(5)
    timer.join()
    assert connection.state is State.DEVICE


def test_waiting_in_vain_tells_the_last_reason(connection: Connection, device: FakeDevice) -> None:
    device.state = "unauthorized"
    with pytest.raises(UnauthorizedError, match="accept the key"):
        connection.wait(0.1)


@pytest.mark.parametrize(
    ("serial", "wireless"),
    [("R58M1234", False), ("emulator-5600", False), ("192.0.2.1:5000", True)],
)
def test_devices_that_adb_reaches_by_their_own_network(
    adb: Adb, serial: str, wireless: bool
) -> None:
    assert Connection(adb, serial).wireless is wireless
