"""Versions on one device: proved by its own runtime, switched to at once, kept, returned to."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.android.runners.host_runner import HostRunner
from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Result
from droidloop.devices.installing.here import Here
from droidloop.devices.installing.installer import STATE, Change, Installer
from droidloop.devices.installing.place import FolderPlace
from droidloop.models.packages.package import Package
from droidloop.models.updates.choice import Limits
from droidloop.models.updates.signing import Keys
from droidloop.models.updates.slots import Event
from droidloop.models.updates.transport import pack
from droidloop.platform.errors import PackageError
from droidloop.platform.jobs import Outcome
from tests.models.updates.conftest import versioned

FREE = Limits.of_one()


class Answers:
    """A runtime that gives the golden outputs, but for models that it spoils or fails at."""

    def __init__(self, package: Package, *, wrong: tuple[str, ...] = (), slow_us: int = 5) -> None:
        self.package, self.wrong, self.slow_us = package, wrong, slow_us
        self.dies = False

    def run(self, job: ModelJob) -> Result:
        assert isinstance(job.model, Path)
        if self.dies:
            raise KeyboardInterrupt
        name = job.model.stem
        if name in self.wrong:
            return Failed(Outcome.FAILED_MEMORY, "the runner had no memory left")
        outputs = {
            one: values.reshape(2, 1, 3)
            for one, values in self.package.golden_outputs(name).items()
        }
        return Ran(outputs, 1, np.array([self.slow_us] * 2), 1, 1, 1)

    def clean(self) -> None:
        """Do nothing."""


def on(folder: Path, package: Package, **how: object) -> tuple[Installer, list[Change]]:
    told: list[Change] = []
    runner = Answers(package, **how)  # type: ignore[arg-type]
    return Installer(FolderPlace(folder), runner, "mf", told.append), told


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "versions").iterdir()}


def test_a_version_that_is_right_works_and_stays_between_sessions(tmp_path: Path) -> None:
    installer, told = on(tmp_path, versioned(1))
    assert installer.install(versioned(1), FREE).event is Event.SWITCHED
    assert [one.event for one in told] == [Event.PROVEN, Event.SWITCHED]
    again, _ = on(tmp_path, versioned(1))
    assert (again.installed, again.previous) == ((1, "float32"), None)


def test_the_version_before_is_kept_and_older_ones_are_not(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        installer, _ = on(tmp_path, versioned(version))
        installer.install(versioned(version), FREE, ["int8"])
    assert (installer.installed, installer.previous) == ((3, "int8"), (2, "int8"))
    assert names(tmp_path) == {"mf-3-int8", "mf-2-int8"}


def test_a_return_works_without_fetching_anything(tmp_path: Path) -> None:
    for version in (1, 2):
        installer, told = on(tmp_path, versioned(version))
        installer.install(versioned(version), FREE, ["int8"])
    change = installer.come_back("health")
    assert (change.event, change.version, change.sent_bytes) == (Event.RETURNED, 1, 0)
    assert (installer.installed, installer.previous) == ((1, "int8"), None)
    assert names(tmp_path) == {"mf-1-int8"}
    assert told[-1].why == "health (2 int8 left)"
    with pytest.raises(PackageError, match="no version before the one that works is kept here"):
        installer.come_back("again")


def test_a_variant_that_fails_gives_way_to_the_next(tmp_path: Path) -> None:
    installer, told = on(tmp_path, versioned(1), wrong=("float32",))
    assert installer.install(versioned(1), FREE).variant == "int8"
    assert (told[0].event, told[0].variant) == (Event.REFUSED, "float32")
    assert told[0].why == "does not run: the runner had no memory left"
    assert names(tmp_path) == {"mf-1-int8"}


def test_wrong_answers_leave_the_old_version_at_work(tmp_path: Path) -> None:
    on(tmp_path, versioned(1))[0].install(versioned(1), FREE)
    installer, told = on(tmp_path, versioned(1))  # the runtime answers as version 1 did
    change = installer.install(versioned(2), FREE)
    assert change.event is Event.REFUSED
    assert "gives scores[0, 0] = 1 on this runtime where 2 is right" in change.why
    assert installer.installed == (1, "float32")
    assert names(tmp_path) == {"mf-1-float32"}
    assert len(told) == 2


def test_a_variant_that_is_measured_to_be_too_slow_is_refused(tmp_path: Path) -> None:
    installer, _ = on(tmp_path, versioned(1), slow_us=80)
    change = installer.install(versioned(1), Limits.of_one(latency_us=79))
    assert (change.event, installer.installed) == (Event.REFUSED, None)
    assert change.why == "takes 80 us an answer where 79 are the most"


def test_a_device_without_room_or_runtime_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    installer, _ = on(tmp_path, versioned(1))
    change = installer.install(versioned(1), Limits.of_one(ram_bytes=9))
    assert change.why == "int8 needs 10 bytes of RAM, it has 9; bring a smaller variant"
    assert not (tmp_path / "versions").exists()


def test_a_device_that_died_in_the_middle_has_the_old_version(tmp_path: Path) -> None:
    on(tmp_path, versioned(1))[0].install(versioned(1), FREE)
    installer, _ = on(tmp_path, versioned(2))
    installer.runner.dies = True  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        installer.install(versioned(2), FREE)
    again, told = on(tmp_path, versioned(2))
    assert again.installed == (1, "float32")
    assert [(one.event, one.version) for one in told] == [(Event.REFUSED, 2)]
    assert again.install(versioned(2), FREE).event is Event.SWITCHED


def test_what_was_sent_before_a_break_is_not_sent_again(tmp_path: Path) -> None:
    class Cut(FolderPlace):
        def put(self, folder: str, files: Mapping[str, bytes]) -> int:
            super().put(folder, dict(list(files.items())[:1]))
            raise PackageError("the link was cut")

    installer, _ = on(tmp_path, versioned(1))
    with pytest.raises(PackageError, match="the link was cut"):
        replace(installer, place=Cut(tmp_path)).install(versioned(1), FREE)
    change = on(tmp_path, versioned(1))[0].install(versioned(1), FREE)
    part = versioned(1).part("float32")
    assert change.sent_bytes == part.delivery_bytes("float32") - len(part.model("float32"))


def test_an_older_version_and_another_package_are_refused(tmp_path: Path) -> None:
    installer, _ = on(tmp_path, versioned(2))
    installer.install(versioned(2), FREE)
    with pytest.raises(PackageError, match="mf 2 works here; older ones come back by returning"):
        installer.install(versioned(1), FREE)
    with pytest.raises(PackageError, match="package other 3: is not mf; name that one's file"):
        installer.install(versioned(3, "other"), FREE)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "variants": 3}'])
def test_a_state_that_somebody_broke_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / f"mf.{STATE}").write_text(text)
    with pytest.raises(PackageError, match=r"mf.installed.json: not what was kept"):
        on(tmp_path, versioned(1))


def test_a_state_that_names_what_it_does_not_list_is_refused(tmp_path: Path) -> None:
    installer, _ = on(tmp_path, versioned(1))
    installer.install(versioned(1), FREE)
    path = tmp_path / f"mf.{STATE}"
    path.write_text(json.dumps({**json.loads(path.read_text()), "variant": 7}))
    with pytest.raises(PackageError, match="names a variant that it does not list"):
        on(tmp_path, versioned(1))


@pytest.mark.parametrize("variant", ["float32", "float16", "int8", "int8-dynamic", "int4"])
def test_every_variant_is_right_on_the_runtime_of_this_host(
    tmp_path: Path, versions: list[Package], variant: str
) -> None:
    installer = Installer(FolderPlace(tmp_path), HostRunner(), "mf")
    change = installer.install(versions[0], FREE, [variant])
    assert (change.event, change.variant) == (Event.SWITCHED, variant)


def test_a_patch_is_installed_on_what_it_was_made_for(
    tmp_path: Path, versions: list[Package], keys: Keys
) -> None:
    one, two = versions
    whole, patch = tmp_path / "1.pkg", tmp_path / "2.patch"
    pack(one, keys.sign(one), whole)
    base = one.part("int8")
    size = pack(two, keys.sign(two), patch, variants=["int8"], base=base).size_bytes
    here = Here(tmp_path / "phone", keys.root)
    with pytest.raises(PackageError, match=r"2.patch: .*fetch"):
        Here(tmp_path / "other", keys.root).install(patch)
    here.install(whole, "int8")
    assert here.install(patch)[-1].event is Event.SWITCHED
    installed = here.installed()
    assert installed is not None
    assert installed.model("int8") == two.model("int8")
    assert size < two.delivery_bytes("int8")
    assert here.come_back("asked to").version == 1
