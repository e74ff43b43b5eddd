"""tflite-runtime 2.14, which old apps carry, for real: it computes a variant wrongly in silence.

Activation has to see that by the golden outputs, and to take a variant that is right there.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from droidloop.devices.android.runners.host_runner import HostRunner
from droidloop.devices.installing.installer import Change, Installer
from droidloop.devices.installing.place import FolderPlace
from droidloop.models.packages.manifest import TFLITE_RUNTIME_2_14
from droidloop.models.packages.package import Package
from droidloop.models.updates.choice import Limits
from droidloop.models.updates.slots import Event
from droidloop.platform.ledger import Ledger, read
from droidloop.scenarios.delivery.installs import note_changes

PYTHON = Path(__file__).parents[3] / ".venv-tflite" / "bin" / "python"
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"{PYTHON.parent.parent.name} is missing: run make install"
)
OLD = Limits.of_one(runtime=TFLITE_RUNTIME_2_14)


def boasting(package: Package) -> Package:
    """Return *package* as one whose maker knows nothing of old runtimes: all variants fit all."""
    variants = {
        name: one.model_copy(update={"min_runtime": TFLITE_RUNTIME_2_14})
        for name, one in package.manifest.variants.items()
    }
    return replace(package, manifest=package.manifest.model_copy(update={"variants": variants}))


def old_phone(folder: Path) -> tuple[Installer, list[Change]]:
    told: list[Change] = []
    return Installer(FolderPlace(folder), HostRunner(str(PYTHON)), "mf", told.append), told


def test_dynamic_int8_is_caught_and_a_right_variant_taken_and_the_ledger_says_so(
    tmp_path: Path, versions: list[Package]
) -> None:
    phone, told = old_phone(tmp_path / "phone")
    order = ["int8-dynamic", "int4", "int8"]
    assert phone.install(boasting(versions[0]), OLD, order).variant == "int8"
    ledger = Ledger(tmp_path / "ledger")
    note_changes(ledger, 17, 4, told)
    ledger.close()
    rows = read(tmp_path / "ledger", "installs")
    assert rows["phone"].tolist() == [4] * len(rows)
    found = {(row["event"].decode(), row["variant"].decode()): row["why"].decode() for row in rows}
    assert "on this runtime where" in found["refused", "int8-dynamic"]
    assert found["refused", "int4"].startswith("does not run: ")
    assert found["switched", "int8"] == ""
    assert phone.installed == (1, "int8")


def test_what_was_caught_leaves_the_old_version_at_work(
    tmp_path: Path, versions: list[Package]
) -> None:
    phone, _ = old_phone(tmp_path)
    phone.install(versions[0], OLD, ["int8"])
    change = phone.install(boasting(versions[1]), OLD, ["int8-dynamic"])
    assert (change.event, phone.installed) == (Event.REFUSED, (1, "int8"))


@pytest.mark.parametrize("variant", ["float32", "float16", "int8"])
def test_the_others_are_right_there(tmp_path: Path, versions: list[Package], variant: str) -> None:
    phone, _ = old_phone(tmp_path)
    assert phone.install(versions[0], OLD, [variant]).event is Event.SWITCHED


def test_a_manifest_that_knows_has_it_refused_before_it_is_sent(
    tmp_path: Path, versions: list[Package]
) -> None:
    phone, told = old_phone(tmp_path)
    phone.install(versions[0], OLD, ["int8-dynamic"])
    assert told[0].why == "int8-dynamic needs runtime 100, it has 14; update the app's LiteRT"
    assert not (tmp_path / "versions").exists()
