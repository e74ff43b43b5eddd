import os
import threading
import time
from pathlib import Path

import pytest

from droidloop.devices.android.adb import transfer
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.adb.sync import stat_file
from droidloop.devices.android.adb.transfer import free_bytes, pull, push, remote_hash
from droidloop.devices.android.errors import (
    AccessError,
    AndroidError,
    CommandError,
    DeviceTimeoutError,
    DisconnectedError,
    NoSuchFileError,
    OfflineError,
    OutputTooLongError,
    StorageFullError,
    TransferError,
    VerificationError,
)
from droidloop.platform.jobs import Outcome
from tests.devices.android.fake_adb import FakeAdb, FakeDevice

REMOTE = "/data/local/tmp/model.tflite"
NO_SPACE = "write failed: No space left on device"
NO_ACCESS = "couldn't create file: Permission denied"
HOSTILE = "/data/local/tmp/it's $(reboot); \"\n -rf ü.tflite"


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


def df(free_kib: int) -> tuple[str, str, int]:
    head = "Filesystem 1K-blocks Used Available Use% Mounted on\n"
    return f"{head}/dev/x 9000 {9000 - free_kib} {free_kib} 50% /data\n", "", 0


def test_pushed_file_is_whole_and_under_its_name_alone(
    connection: Connection, device: FakeDevice, local: Path
) -> None:
    done = push(connection, local, REMOTE, timeout_s=20)
    assert device.files == {REMOTE: local.read_bytes()}
    assert done.size_bytes == 256_000
    assert done.transfer_us > 0
    assert done.verify_us > 0


def test_copy_is_compared_before_it_takes_its_name(
    connection: Connection, device: FakeDevice, local: Path
) -> None:
    push(connection, local, REMOTE, timeout_s=20, mode=0o755)
    names = [argv[0] for argv in device.commands]
    assert names == ["df", "sha256sum", "chmod", "mv"]
    assert device.commands[2][1] == "755"


@pytest.mark.parametrize(
    ("fault", "error", "outcome"),
    [
        (NO_SPACE, StorageFullError, Outcome.FAILED_STORAGE),
        ("No space left on device", StorageFullError, Outcome.FAILED_STORAGE),
        (NO_ACCESS, AccessError, Outcome.FAILED_STORAGE),
        ("couldn't create file: Is a directory", TransferError, Outcome.FAILED_LINK),
        ("something that no adbd says", TransferError, Outcome.FAILED_LINK),
        ("close", DisconnectedError, Outcome.FAILED_LINK),
        ("corrupt", VerificationError, Outcome.FAILED_LINK),
    ],
)
def test_reason_of_a_failed_push_is_named(
    connection: Connection,
    device: FakeDevice,
    local: Path,
    fault: str,
    error: type[AndroidError],
    outcome: Outcome,
) -> None:
    """adbutils' own push says only 'FAIL', or nothing."""
    device.files[REMOTE] = b"the old version"
    device.push_fault = fault
    with pytest.raises(error, match="phone: ") as caught:
        push(connection, local, REMOTE, timeout_s=20)
    assert type(caught.value) is error
    assert caught.value.outcome is outcome
    assert device.files == {REMOTE: b"the old version"}


def test_push_that_does_not_end_is_given_up(
    connection: Connection, device: FakeDevice, local: Path
) -> None:
    device.push_fault = "hang"
    start_s = time.monotonic()
    with pytest.raises(DeviceTimeoutError, match=r"a push did not end within 0\.5 s"):
        push(connection, local, REMOTE, timeout_s=0.5)
    assert time.monotonic() - start_s < 5


def test_push_to_an_offline_device(connection: Connection, device: FakeDevice, local: Path) -> None:
    connection.shell(["echo", "hi"])
    device.state = "offline"
    with pytest.raises(OfflineError, match="offline"):
        push(connection, local, REMOTE, timeout_s=20)


def test_file_that_cannot_fit_is_not_even_begun(
    connection: Connection, fake: FakeAdb, device: FakeDevice, local: Path
) -> None:
    device.answers["df /data/local/tmp"] = df(free_kib=249)
    with pytest.raises(StorageFullError, match="256000 bytes do not fit into the 254976"):
        push(connection, local, REMOTE, timeout_s=20)
    assert "sync:" not in fake.requests


def test_unknown_df_does_not_stop_a_push(
    connection: Connection, device: FakeDevice, local: Path
) -> None:
    device.answers["df /data/local/tmp"] = ("room: plenty\n", "", 0)
    push(connection, local, REMOTE, timeout_s=20)
    assert REMOTE in device.files


def test_hostile_names_are_only_names(
    connection: Connection, device: FakeDevice, tmp_path: Path
) -> None:
    local = tmp_path / "-x' to 'y': remote No space left on device"
    local.write_bytes(b"data")
    push(connection, local, HOSTILE, timeout_s=20)
    assert device.files == {HOSTILE: b"data"}
    assert {argv[0] for argv in device.commands} == {"df", "sha256sum", "mv"}
    pull(connection, HOSTILE, tmp_path / "back", timeout_s=20, limit_bytes=10)
    assert (tmp_path / "back").read_bytes() == b"data"


def test_old_device_compares_by_md5(
    connection: Connection, device: FakeDevice, local: Path
) -> None:
    device.handler = lambda argv: ("", "not found", 127) if argv[0] == "sha256sum" else None
    push(connection, local, REMOTE, timeout_s=20)
    assert remote_hash(connection, REMOTE, timeout_s=5)[0] == "md5"


def test_device_without_any_hash_is_an_error(
    connection: Connection, device: FakeDevice, local: Path
) -> None:
    device.handler = lambda argv: ("", "not found", 127) if argv[0].endswith("sum") else None
    with pytest.raises(TransferError, match="neither sha256sum nor md5sum"):
        push(connection, local, REMOTE, timeout_s=20)
    assert device.files == {}


def test_hash_that_is_none_is_an_error(connection: Connection, device: FakeDevice) -> None:
    device.answers["sha256sum /x"] = ("deadbeef  /x\n", "", 0)
    with pytest.raises(CommandError, match="sha256sum of /x failed"):
        remote_hash(connection, "/x", timeout_s=5)


def test_interrupted_push_leaves_nothing(
    connection: Connection, device: FakeDevice, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "verify", interrupt)
    with pytest.raises(KeyboardInterrupt):
        push(connection, local, REMOTE, timeout_s=20)
    assert device.files == {}


def test_part_on_a_lost_device_is_removed_when_it_is_back(
    connection: Connection, device: FakeDevice, local: Path
) -> None:
    def lose(argv: list[str]) -> None:
        if argv[0] == "sha256sum":
            device.state = "offline"
            device.shell_fault = "close"

    device.handler = lose
    with pytest.raises(DisconnectedError, match="went away"):
        push(connection, local, REMOTE, timeout_s=20)
    assert len(device.files) == 1
    device.state, device.shell_fault, device.handler = "device", None, None
    connection.wait(5)
    assert device.files == {}


def test_two_pushes_run_at_once(fake: FakeAdb, connection: Connection, local: Path) -> None:
    fake.devices["other"] = FakeDevice()
    other = Connection(connection.adb, "other")
    threads = [
        threading.Thread(target=push, args=(one, local, REMOTE), kwargs={"timeout_s": 20})
        for one in (connection, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [list(one.files) for one in fake.devices.values()] == [[REMOTE], [REMOTE]]


def test_pulled_file_is_whole(connection: Connection, device: FakeDevice, tmp_path: Path) -> None:
    device.files[REMOTE] = os.urandom(200_000)
    done = pull(connection, REMOTE, tmp_path / "x", timeout_s=20, limit_bytes=200_000)
    assert (tmp_path / "x").read_bytes() == device.files[REMOTE]
    assert done.size_bytes == 200_000
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_missing_file(connection: Connection, tmp_path: Path) -> None:
    with pytest.raises(NoSuchFileError, match="nothing at /nowhere"):
        pull(connection, "/nowhere", tmp_path / "x", timeout_s=20, limit_bytes=10)
    assert stat_file(connection, "/nowhere") is None


def test_longer_file_than_agreed_is_not_taken(
    connection: Connection, device: FakeDevice, tmp_path: Path
) -> None:
    device.files[REMOTE] = bytes(200_001)
    with pytest.raises(OutputTooLongError, match="longer than 200000"):
        pull(connection, REMOTE, tmp_path / "x", timeout_s=20, limit_bytes=200_000)
    assert list(tmp_path.iterdir()) == []


def test_pulled_file_that_changed_on_its_way_is_not_taken(
    connection: Connection, device: FakeDevice, tmp_path: Path
) -> None:
    device.files[REMOTE] = b"data"
    (tmp_path / "x").write_bytes(b"old")
    device.answers[f"sha256sum {REMOTE}"] = (f"{'0' * 64}  x\n", "", 0)
    with pytest.raises(VerificationError, match="sha256"):
        pull(connection, REMOTE, tmp_path / "x", timeout_s=20, limit_bytes=10)
    assert (tmp_path / "x").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_paths_of_devices_are_absolute_and_bounded(connection: Connection) -> None:
    for path in ("x", "", "/a\0b", "/" + "x" * 1024):
        with pytest.raises(ValueError, match="not an absolute path"):
            stat_file(connection, path)


def test_free_room(connection: Connection, device: FakeDevice) -> None:
    device.answers["df /data/local/tmp"] = df(free_kib=7)
    assert free_bytes(connection, "/data/local/tmp") == 7168
