"""Runs of a small scenario in which QEMU phones take part."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from droidloop.devices.android.conditions.imposing import holder_of
from droidloop.devices.android.errors import AndroidError
from droidloop.devices.android.fleet.fleet import Attachment
from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.load import load
from tests.exported_once import exported_once
from tests.scenarios.run.test_mixed import ALONE

from .conftest import Attached
from .harm import Harm, HarmedRunner
from .image import CACHE
from .made import bundle

TRANSFER_S, GRACE_S = 3.0, 3.0


@contextmanager
def kept_models() -> Iterator[None]:
    """Keep the training steps of runs, and their packages: they take long to export."""
    with exported_once(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(CACHE / "cache"))
        patch.setenv("DROIDLOOP_STATE", str(CACHE / "state"))
        yield


def play(
    folder: Path,
    attached: Sequence[Attached],
    settings: tuple[str, ...] = (),
    replay: Path | None = None,
    harms: Mapping[int, Mapping[int, Harm]] | None = None,
) -> tuple[Path, list[HarmedRunner]]:
    """Run the scenario with *attached* in the place of its first phones.

    *harms* are done to a phone in the job of that number. Returns the run directory, and the
    runner of each phone with what became of its jobs.
    """
    file = folder.with_suffix(".toml")
    file.write_text(ALONE)
    # Only who breaks a link does not wait for it as long as people do.
    limits = {"transfer_s": TRANSFER_S} if harms else {}
    bundles = [
        BundleRunner(one.device(**limits), bundle("x86_64"), grace_s=GRACE_S) for one in attached
    ]
    for runner in bundles:
        runner.install()
    runners = [
        HarmedRunner(runner, one, (harms or {}).get(k, {}))
        for k, (runner, one) in enumerate(zip(bundles, attached, strict=True))
    ]
    devices = [
        Attachment(
            one.connection.serial,
            k,
            runner,
            wait=one.connection.wait,
            hold=holder_of(one.connection),
        )
        for k, (one, runner) in enumerate(zip(attached, runners, strict=True))
    ]
    try:
        execute(
            load(file, settings), folder, replay=replay, progress=lambda *_: None, devices=devices
        )
    finally:
        for one, harmed in zip(attached, runners, strict=True):
            with suppress(AndroidError):  # that one is gone for good
                one.connection.wait(3.0)
                harmed.clean()
    return folder, runners
