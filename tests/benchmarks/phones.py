"""Two QEMU phones with runners, and what they do in a benchmark."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.devices.fleets.model_job import ModelJob
from tests.contracts.runner import train_job
from tests.phone.conftest import NAMES, Attached, attach
from tests.phone.made import bundle
from tests.phone.qemu import free_port, start

STEPS = 8_000
"""Of a training job: some seconds on a phone."""


class Training:
    """The same training for every phone; what comes of it is not looked at."""

    def order(self, k: int) -> ModelJob:
        return train_job(steps=STEPS)

    def accept(self, k: int, outputs: Mapping[str, Any]) -> None:
        pass


@contextmanager
def two_machines() -> Iterator[list[Attached]]:
    """Two running phones on a private adb server."""
    with ExitStack() as stack:
        adb = stack.enter_context(Adb.start(usb=False))
        phones = []
        for name in NAMES:
            machine = start(name, free_port(), memory_mib=512)
            stack.callback(machine.kill)
            phones.append(attach(adb, machine))
        yield phones


@contextmanager
def two_phones() -> Iterator[list[BundleRunner]]:
    """Two phones that are ready to run jobs."""
    with two_machines() as phones:
        runners = [BundleRunner(one.device(), bundle("x86_64")) for one in phones]
        for runner in runners:
            runner.install()
        yield runners
