"""Releases to real devices, here this host behind the same scripts: stages, pieces, returns."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from droidloop.devices.android.runners.host_runner import HostRunner
from droidloop.devices.fleets.model_job import ModelJob, OnDevice, Result
from droidloop.devices.installing import device_place
from droidloop.devices.installing.device_place import DevicePlace
from droidloop.devices.installing.installer import Installer
from droidloop.devices.installing.rollout import Target, roll_out
from droidloop.models.packages.package import Package
from droidloop.models.updates.choice import Limits
from droidloop.models.updates.slots import Event
from droidloop.platform.errors import DeviceError
from droidloop.platform.ledger import read, texts
from droidloop.scenarios.delivery.installs import noting
from tests.contracts.local_device import LocalDevice
from tests.devices.installing.test_installer import Answers
from tests.models.updates.conftest import versioned


class OnPath:
    """Answers for a path of the device, as for one of this host."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    def run(self, job: ModelJob) -> Result:
        assert isinstance(job.model, OnDevice)
        from dataclasses import replace

        return self.answers.run(replace(job, model=Path(job.model.path)))

    def clean(self) -> None:
        """Do nothing."""


class Cut(LocalDevice):
    """A link that is cut after some pushes."""

    left = 10**9

    def push(self, local: Path, remote: str) -> None:
        if self.left == 0:
            raise DeviceError("local: the link was cut; attach it again")
        self.left -= 1
        super().push(local, remote)


def targets(
    folder: Path, package: Package, count: int, *, wrong: Sequence[int] = ()
) -> list[Target]:
    found = []
    for k in range(count):
        failing = ("float32", "int8") if k in wrong else ()
        place = DevicePlace(LocalDevice(), str(folder / f"device-{k}"))
        runner = OnPath(Answers(package, wrong=failing))
        found.append(Target(f"d{k}", Installer(place, runner, "mf"), Limits.of_one()))
    return found


def works(found: list[Target]) -> list[int]:
    return [-1 if one.installer.installed is None else one.installer.installed[0] for one in found]


def test_a_release_goes_from_stage_to_stage(tmp_path: Path) -> None:
    found, told = targets(tmp_path, versioned(1), 4), []
    rollout = roll_out(
        found, versioned(1), stages=(0.25, 1.0), tell=lambda serial, one: told.append(serial)
    )
    assert (rollout.stopped, works(found)) == ("", [1, 1, 1, 1])
    assert told[0] == "d0"


def test_a_bad_release_stops_at_its_first_stage_and_all_return(tmp_path: Path) -> None:
    roll_out(targets(tmp_path, versioned(1), 4), versioned(1))
    found = targets(tmp_path, versioned(2), 4, wrong=[1])
    rollout = roll_out(found, versioned(2), stages=(0.5, 1.0))
    assert rollout.stopped.startswith("1 of 2 devices refused it: does not run")
    assert works(found) == [1, 1, 1, 1]
    assert rollout.changes["d0"].event is Event.RETURNED
    assert set(rollout.changes) == {"d0", "d1"}


def test_what_is_installed_stays_on_the_device_between_commands(tmp_path: Path) -> None:
    roll_out(targets(tmp_path, versioned(1), 1), versioned(1), variants=["int8"])
    [again] = targets(tmp_path, versioned(2), 1)
    assert again.installer.installed == (1, "int8")
    roll_out([again], versioned(2), variants=["int8"])
    [later] = targets(tmp_path, versioned(2), 1)
    assert (later.installer.installed, later.installer.previous) == ((2, "int8"), (1, "int8"))
    kept = {path.name for path in (tmp_path / "device-0/versions").iterdir()}
    assert kept == {"mf-1-int8", "mf-2-int8"}


def test_a_cut_link_is_gone_on_with_and_not_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_place, "PIECE_BYTES", 1000)
    device, part = Cut(), versioned(1).part("float32")
    place = DevicePlace(device, str(tmp_path))
    device.left = 9
    with pytest.raises(DeviceError, match="the link was cut"):
        place.put("mf-1-float32", part.files)
    first, device.left = len(device.pushed), 10**9
    sent = place.put("mf-1-float32", part.files)
    assert first == 9
    assert sent == sum(map(len, part.files.values())) - 9 * 1000
    assert (tmp_path / "versions/mf-1-float32/float32.tflite").read_bytes() == part.model("float32")
    assert not list(tmp_path.rglob("*.piece"))
    assert place.put("mf-1-float32", part.files) == 0


def test_a_piece_that_was_damaged_on_the_way_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_place, "PIECE_BYTES", 1000)
    device, part = Cut(), versioned(1).part("float32")
    place = DevicePlace(device, str(tmp_path))
    device.left = 9
    with pytest.raises(DeviceError):
        place.put("mf-1-float32", part.files)
    piece = next(tmp_path.rglob("*.3.piece"))
    piece.write_bytes(b"?" * 1000)
    device.left = 10**9
    assert place.put("mf-1-float32", part.files) == sum(map(len, part.files.values())) - 8 * 1000
    assert (tmp_path / "versions/mf-1-float32/float32.tflite").read_bytes() == part.model("float32")


def test_what_another_version_has_at_the_same_place_is_copied_there_and_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_place, "PIECE_BYTES", 1000)
    place = DevicePlace(LocalDevice(), str(tmp_path))
    one = bytes(k * 7 % 251 for k in range(5500))
    two = one[:2000] + b"?" * 1000 + one[3000:]
    files = {"model": one, "golden/in.npy": b"same"}
    assert place.put("mf-1-int8", files) == 5504
    assert place.put("mf-2-int8", {**files, "model": two}) == 1000
    assert (tmp_path / "versions/mf-2-int8/model").read_bytes() == two
    assert (tmp_path / "versions/mf-2-int8/golden/in.npy").read_bytes() == b"same"
    assert (tmp_path / "versions/mf-1-int8/model").read_bytes() == one
    assert place.put("mf-3-int8", {"model": two[::-1]}) == 5500
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".piece", ".part")]


def test_a_device_that_goes_away_counts_as_failed_and_has_its_old_version(tmp_path: Path) -> None:
    roll_out(targets(tmp_path, versioned(1), 2), versioned(1))
    found = targets(tmp_path, versioned(2), 2)
    device = Cut()
    device.left = 2
    place = DevicePlace(device, str(tmp_path / "device-0"))
    runner = OnPath(Answers(versioned(2)))
    found[0] = Target("d0", Installer(place, runner, "mf"), Limits.of_one())
    rollout = roll_out(found, versioned(2), stages=(0.5, 1.0))
    assert "the link was cut" in rollout.stopped
    again = targets(tmp_path, versioned(2), 2)
    assert works(again) == [1, 1]
    assert roll_out(again, versioned(2)).stopped == ""
    assert works(again) == [2, 2]


def test_the_ledger_tells_every_change(tmp_path: Path) -> None:
    found = targets(tmp_path, versioned(1), 2)
    with noting(tmp_path / "ledger", found):
        roll_out(found, versioned(1), variants=["int8"])
    rows = read(tmp_path / "ledger", "installs")
    assert sorted(set(zip(rows["phone"].tolist(), texts(rows["event"]), strict=True))) == [
        *((0, "proven"), (0, "switched"), (1, "proven"), (1, "switched")),
    ]


def test_a_real_model_is_proved_where_it_lies_on_the_device(
    tmp_path: Path, versions: list[Package]
) -> None:
    installer = Installer(DevicePlace(LocalDevice(), str(tmp_path)), HostRunner(), "mf")
    found = [Target("d0", installer, Limits.of_one())]
    assert roll_out(found, versions[0], variants=["int8"]).stopped == ""
    assert works(found) == [1]
