"""A release of somebody's model to two QEMU phones, from its package to what the ledger says.

    python -m tests.phone.packages

Does it with a network of MobileNet's size (4.2 million weights, at random), and prints one JSON
line: what each phone fetched over a link that was cut in the middle, how far its outputs are from
the host's, and how much longer two phones at once take than one.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.devices.fleets.model_job import ModelJob, Ran
from droidloop.devices.installing.device_place import ROOT, DevicePlace
from droidloop.devices.installing.installer import Installer, folder_of
from droidloop.devices.installing.rollout import Rollout, Target, roll_out
from droidloop.models.packages.brought import package_of
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.models.updates.choice import Limits
from droidloop.platform.errors import DroidloopError
from droidloop.scenarios.delivery.installs import noting
from droidloop.scenarios.delivery.planted import spoiled

from .conftest import MEMORY_MIB, NAMES, Attached, attach
from .made import bundle
from .qemu import free_port, start

NAME = "brought"


@dataclass
class CutDevice:
    """A phone's device whose link is cut before one of the pushes to come."""

    attached: Attached
    left: int = 10**9

    def __post_init__(self) -> None:
        self._device = self.attached.device(transfer_s=4.0)
        self.serial = self._device.serial

    def push(self, local: Path, remote: str) -> object:
        """Copy *local* there, over a link that may just have gone."""
        self.left -= 1
        if self.left == 0:
            self.attached.phone.set_link(False)
        return self._device.push(local, remote)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)


def target(attached: Attached, left: int = 10**9) -> Target:
    """Return the phone as a target whose link is cut after *left* pushes."""
    device = CutDevice(attached, left)
    runner = BundleRunner(attached.device(transfer_s=60.0), bundle("x86_64"))
    installer = Installer(DevicePlace(device), runner, NAME)
    return Target(attached.phone.serial, installer, Limits.of_one())


def cut_and_resumed(
    pair: Sequence[Attached], package: Package, ledger: Path, cut: int
) -> list[Rollout]:
    """Release *package* to both phones; the first one's link is cut before its push number *cut*.

    Returns what came of it before and after the link was mended; *ledger* has all of it.
    """
    rollouts = []
    for k, left in enumerate((cut, 10**9)):
        targets = [target(pair[0], left), target(pair[1])] if k == 0 else [target(pair[0])]
        with noting(ledger / str(k), targets):
            rollouts.append(roll_out(targets, package, max_failed=0.5))
        pair[0].mend()
    return rollouts


def return_from_bad(pair: Sequence[Attached], package: Package) -> Rollout:
    """Release a version of *package* that does not give its golden outputs on the second phone."""
    good, bad = target(pair[0]), target(pair[1])
    installing = bad.installer.install
    bad.installer.install = lambda package, *how: installing(spoiled(package), *how)  # type: ignore[method-assign]
    return roll_out([good, bad], package)


def cleaned(pair: Sequence[Attached]) -> None:
    """Remove all that was installed, and the bundle."""
    for one in pair:
        one.connection.run(["rm", "-rf", ROOT])
        with suppress(DroidloopError):
            BundleRunner(one.device(), bundle("x86_64")).clean()


def host_error(attached: Attached, package: Package, variant: str) -> float:
    """Return how far the phone's outputs for the golden inputs are from the host's at most."""
    installer, inputs = target(attached).installer, package.golden_inputs()
    job = ModelJob(
        installer.place.model(
            folder_of(NAME, package.manifest.version, variant), package.variant(variant).model
        ),
        inputs,
        list(package.golden_outputs(variant)),
        every=frozenset(package.golden_outputs(variant)),
        by_step=frozenset(inputs),
        signature=package.manifest.signature,
        steps=len(next(iter(inputs.values()))),
    )
    ran = installer.runner.run(job)
    assert isinstance(ran, Ran), ran
    here = LiteRT(package.model(variant)).run(inputs)
    return max(float(np.abs(ran.outputs[one] - here[one]).max()) for one in here)


def brought(model: Path, version: int) -> Package:
    """Return the package of the file *model* with two golden inputs by chance."""
    chance = np.random.Generator(np.random.PCG64(1))
    golden = model.with_suffix(".npz")
    details = LiteRT(model.read_bytes()).input_details
    values = {
        name: chance.normal(size=(2, *one["shape"])).astype(np.float32)
        for name, one in details.items()
    }
    np.savez(golden, **values)  # type: ignore[arg-type]
    return package_of(model, golden, name=NAME, version=version, variants=["float32"])


def install_s(pair: Sequence[Attached], package: Package) -> float:
    """Return the seconds until *package* works on all phones of *pair*, at once."""
    targets = [target(one) for one in pair]
    start = time.perf_counter()
    assert roll_out(targets, package).stopped == ""
    return time.perf_counter() - start


def times(pair: Sequence[Attached], package: Package) -> dict[str, float]:
    """Return the seconds until *package* works on one phone, and on both at once."""
    alone_s = install_s(pair[:1], package)
    pair[0].connection.run(["rm", "-rf", ROOT])
    return {"alone_s": round(alone_s, 2), "both_s": round(install_s(pair, package), 2)}


def delivered(
    pair: Sequence[Attached], two: Package, three: Package, folder: Path, *, cut: int
) -> dict[str, Any]:
    """Deliver a second version, and a bad third one, to both phones; return the figures."""
    before, after = cut_and_resumed(pair, two, folder / "ledger", cut)
    serial = pair[0].phone.serial
    resumed, whole = after.changes[serial], before.changes[pair[1].phone.serial]
    bad = return_from_bad(pair, three)
    return {
        "bytes": whole.whole_bytes,
        "first_try": before.changes[serial].why,
        "sent_whole": whole.sent_bytes,
        "sent_after_the_cut": resumed.sent_bytes,
        "works": [target(phone).installer.installed for phone in pair],
        "bad": bad.stopped,
        "error": max(host_error(phone, two, "float32") for phone in pair),
    }


def main() -> None:
    """Start two phones, deliver, and end them."""
    with tempfile.TemporaryDirectory() as scratch, Adb.start(usb=False) as adb:
        folder = Path(scratch)
        models = [folder / f"{seed}.tflite" for seed in (1, 2)]
        for seed, model in enumerate(models, 1):
            script = str(Path(__file__).with_name("export_mobilenet.py"))
            subprocess.run(
                [sys.executable, script, str(model), str(seed)], check=True, stdout=sys.stderr
            )
        machines = []
        try:
            for name in NAMES:
                machines.append(start(name, free_port(), memory_mib=MEMORY_MIB))
            pair = [attach(adb, machine) for machine in machines]
            one, two, three = (brought(file, k) for k, file in enumerate((*models, models[0]), 1))
            took = times(pair, one)
            print(json.dumps({**delivered(pair, two, three, folder, cut=6), **took}), flush=True)
        finally:
            for machine in machines:
                machine.kill()


if __name__ == "__main__":
    main()
