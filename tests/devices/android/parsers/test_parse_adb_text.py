import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.adb_text import (
    Listed,
    Reason,
    State,
    failure_of,
    parse_host_devices,
    reason_of,
)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("error: device offline\n", Reason.OFFLINE),
        ("error: device still authorizing\n", Reason.OFFLINE),
        ("adb.exe: device 'x y' not found\n", Reason.NOT_FOUND),
        ("error: no devices/emulators found\n", Reason.NO_DEVICES),
        ("error: more than one device/emulator\n", Reason.AMBIGUOUS),
        ("adb: error: failed to copy 'a' to 'b': couldn't read from device\n", Reason.DISCONNECTED),
        ("adb: error: failed to copy 'a' to 'b': remote Permission denied\n", Reason.PERMISSION),
        (
            "adb: error: failed to copy 'a' to 'b': remote Read-only file system\n",
            Reason.PERMISSION,
        ),
        ("adb: error: failed to copy 'a' to 'b': remote Is a directory\n", Reason.NOT_A_FILE),
        ("adb: error: failed to copy 'a' to 'b': remote Something new\n", Reason.OTHER),
        ("adb: error: failed to get feature set: device offline\n", Reason.OFFLINE),
        ("error: cannot connect to daemon\n", Reason.SERVER_GONE),
        ("adb: error: cannot stat 'a': No such file or directory\n", Reason.NO_SUCH_FILE),
        ("adb: I have never said this\n", Reason.OTHER),
    ],
)
def test_reasons(output: str, reason: Reason) -> None:
    failure = failure_of(output, 1)
    assert failure is not None
    assert failure[0] is reason


def test_success_has_no_reason() -> None:
    assert failure_of("a: 1 file pushed, 0 skipped.\nadb: warning: slow\n", 0) is None


def test_file_names_do_not_pass_for_reasons() -> None:
    name = "x' to 'y': remote No space left on device"
    assert reason_of(f"failed to copy '{name}' to 'z': remote Permission denied") == (
        Reason.PERMISSION
    )
    assert failure_of("No space left on device: 1 file pushed\n", 0) is None


def test_silent_end_with_255_is_a_disconnect() -> None:
    assert failure_of("", 255) == (Reason.DISCONNECTED, "nothing")


def test_other_status_without_words_is_a_failure_too() -> None:
    assert failure_of("something\n", 3) == (Reason.OTHER, "something")


def test_states_are_read_in_adbs_words() -> None:
    answer = (
        "abc\tno permissions (user is not in the plugdev group)\n"
        "emulator-5600\tdevice\n192.0.2.1:40000\tdreaming\n"
    )
    assert parse_host_devices(answer) == (
        Listed("abc", State.NO_PERMISSIONS, "no permissions (user is not in the plugdev group)"),
        Listed("emulator-5600", State.DEVICE, "device"),
        Listed("192.0.2.1:40000", State.UNKNOWN, "dreaming"),
    )


def test_serial_may_hold_spaces_in_the_servers_answer() -> None:
    assert parse_host_devices("a b; reboot\toffline\n") == (
        Listed("a b; reboot", State.OFFLINE, "offline"),
    )


@pytest.mark.parametrize("answer", ["nonsense\n", "alone\t\n", "\tdevice\n"])
def test_a_line_without_serial_or_state_is_an_error(answer: str) -> None:
    with pytest.raises(ParseError, match="adb"):
        parse_host_devices(answer)


def test_devices_cannot_claim_to_be_absent() -> None:
    assert parse_host_devices("x\tabsent\n")[0].state is State.UNKNOWN
