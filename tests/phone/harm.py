"""Harm that is done to a phone in the midst of one of its jobs."""

import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import final

from droidloop.devices.android.adb.adb_process import adb_environment, adb_path
from droidloop.devices.android.errors import AndroidError
from droidloop.devices.fleets.model_job import ModelJob, Result, Runner
from tests.contracts.runner import SLOW
from tests.contracts.runner_on_device import meanwhile, running, stop_runner

from .conftest import Attached

Deed = Callable[[Attached], None]


def nothing(attached: Attached) -> None:
    """Leave the phone as it is."""


@dataclass(frozen=True)
class Harm:
    """What happens to a phone in a job.

    Attributes:
        do: done before the job, or *when* it has come so far.
        when: whether the job has come so far; None: before it.
        undo: done after it.
        job: what becomes of the job: one that takes long enough, or more than there is.
    """

    do: Deed = nothing
    when: Callable[[Attached], bool] | None = None
    undo: Deed = nothing
    job: Callable[[ModelJob], ModelJob] = lambda job: job


@final
class HarmedRunner:
    """A runner whose jobs meet with *harms*, by their number on this phone."""

    def __init__(self, runner: Runner, attached: Attached, harms: Mapping[int, Harm]) -> None:
        self.results: list[Result] = []
        self._runner = runner
        self._attached = attached
        self._harms = harms

    def run(self, job: ModelJob) -> Result:
        """Do *job* and the harm that belongs to it."""
        harm = self._harms.get(len(self.results), Harm())
        changed = harm.job(job)
        if harm.when is None:
            harm.do(self._attached)
            result = self._runner.run(changed)
        else:
            when, phone = harm.when, self._attached
            result = meanwhile(
                lambda: self._runner.run(changed), lambda: when(phone), lambda: harm.do(phone)
            )
        harm.undo(self._attached)
        self.results.append(result)
        return result

    def clean(self) -> None:
        """Clean as the runner inside does."""
        self._runner.clean()


def pushing(attached: Attached) -> bool:
    """Whether some of a big file has arrived."""
    script = 'find /data/local/tmp -name "*.part" -size +2000k'
    return attached.connection.run(["sh", "-c", script]) != ""


def computing(attached: Attached) -> bool:
    """Whether the program of a job has started."""
    return running(attached.connection)


def long(job: ModelJob) -> ModelJob:
    """Return *job* with more steps than a phone makes in a minute."""
    return replace(job, steps=SLOW)


def cut_link(attached: Attached) -> None:
    """End the phone's network."""
    attached.phone.set_link(False)


def mend_link(attached: Attached) -> None:
    """Have the network back, and commands run again."""
    attached.mend()


def kill_adbd(attached: Attached) -> None:
    """End the phone's adb daemon; its init starts another."""
    with suppress(AndroidError):  # it cannot answer any more
        attached.connection.shell(["killall", "-9", "adbd"], timeout_s=10.0)


def kill_server(attached: Attached) -> None:
    """Do what ``adb kill-server`` does to the server that the phone hangs on."""
    port = attached.connection.adb.port
    command = [str(adb_path()), "-L", f"tcp:localhost:{port}", "kill-server"]
    subprocess.run(command, check=True, env=adb_environment(), timeout=20)


def kill_phone(attached: Attached) -> None:
    """Pull the phone's battery."""
    attached.phone.kill()


def stand_still(attached: Attached) -> None:
    """Have the runner stand still; the phone goes on answering."""
    stop_runner(attached.connection)


def fill_storage(attached: Attached, left_kib: int = 1000) -> None:
    """Have only *left_kib* KiB of the phone's storage free."""
    script = """free=$(df -k /data | awk 'NR == 2 { print $4 }')
fallocate -l $((free - $1))k /data/filler"""
    attached.connection.run(["sh", "-c", script, "sh", str(left_kib)])


def empty_storage(attached: Attached) -> None:
    """Take back ``fill_storage``."""
    attached.connection.run(["rm", "/data/filler"])


def promise_memory(attached: Attached) -> None:
    """Overcommit memory, as Android does: it runs out only when it is used."""
    _overcommit(attached, True)


def have_memory(attached: Attached) -> None:
    """Take back ``promise_memory``."""
    _overcommit(attached, False)


def _overcommit(attached: Attached, on: bool) -> None:
    script = 'echo "$1" >/proc/sys/vm/overcommit_memory'
    attached.connection.run(["sh", "-c", script, "sh", str(int(on))])
