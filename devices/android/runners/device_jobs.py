"""What all runners on a device share: folders of jobs, limits, and the end of what does not end."""

import itertools
import os
import time
from collections.abc import Callable, Sequence
from typing import final

from droidloop.devices.android.errors import AndroidError, DeviceTimeoutError
from droidloop.devices.fleets.model_job import Device, Failed, ModelJob, Result, ShellAnswer
from droidloop.platform.jobs import Outcome

from .bundle import Store
from .job_files import script

GRACE_S = 15.0  # for the shell around a runner that ends itself at its time limit
QUICK_S = 20.0
LOG_BYTES = 65_536
# A runner's working directory is its job's folder: no other process is taken for it.
KILL_SCRIPT = """end() {
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  case $pid in ''|*[!0-9]*) return 1 ;; esac
  [ "$(readlink "/proc/$pid/cwd")" = "$1" ] && kill -9 "$pid"
}
"""
# Android's adbd kills what a stream has started when the stream closes, so that a runner may be
# gone already: what tells is whether it had begun, and whether it has answered.
END_SCRIPT = KILL_SCRIPT + '[ ! -f "$1/result.json" ] || exit 3; end "$1"; [ -f "$1/pid" ]'
_HAS_ANSWERED = 3
DISCARD_SCRIPT = KILL_SCRIPT + 'for folder; do end "$folder"; done; rm -rf -- "$@"'
END_ALL_SCRIPT = (
    KILL_SCRIPT + 'for folder in "$1"/jobs/*; do end "$folder"; done; rm -rf -- "$1/jobs"'
)
_GONE = (Outcome.FAILED_LINK, Outcome.FAILED_OFFLINE, Outcome.FAILED_TIMEOUT)
"""Errors after which there may be nobody who could remove a file."""
_numbers = itertools.count()


@final
class DeviceJobs:
    """The jobs of one runner on *device*, which keeps its files in *root* there.

    Each job has a folder while it runs, and nothing after it; what a lost device kept is removed
    before the next job.
    """

    def __init__(self, device: Device, root: str, grace_s: float) -> None:
        self.device = device
        self.store = Store(device, root)
        self.lost = False  # whether the last job ended with nobody there
        self._grace_s = grace_s
        self._left: list[str] = []

    def within(self, do: Callable[[str], Result]) -> Result:
        """Return what *do* gives for the path of a new job's folder; errors become failures."""
        if self._left:
            self._discard()
        folder = f"{self.store.root}/jobs/{os.getpid()}-{next(_numbers)}"
        self._left.append(folder)
        try:
            self.store.checked(["mkdir", "-p", folder])
            result = do(folder)
        except AndroidError as error:
            result = Failed(error.outcome, str(error))
            self.lost = error.outcome in _GONE
        else:
            self.lost = isinstance(result, Failed) and result.outcome is Outcome.FAILED_LINK
        if self.lost:
            self.store.forget()  # it may come back as another device, or an empty one
        else:
            self._discard()
        return result

    def execute(self, folder: str, job: ModelJob, command: Sequence[str]) -> ShellAnswer | Failed:
        """Run *command* in *folder* within the limits of *job*.

        Raises:
            AndroidError: the device went away.
        """
        argv = script(folder, job, command)
        try:
            return self.device.shell(argv, timeout_s=job.timeout_s + self._grace_s)
        except DeviceTimeoutError as error:
            return self._end(job, folder, error)

    def log(self, folder: str) -> str:
        """Return the end of what the runner in *folder* has printed."""
        return self.store.checked(["tail", "-c", str(LOG_BYTES), f"{folder}/log"], QUICK_S)

    def clean(self) -> None:
        """End all jobs and remove all that droidloop keeps on the device.

        Raises:
            AndroidError: it does not answer.
        """
        self.end_all()
        self.store.clean()

    def end_all(self) -> None:
        """End and remove all jobs, whoever has begun them; bundles and models stay.

        Raises:
            AndroidError: it does not answer.
        """
        self.store.checked(["sh", "-c", END_ALL_SCRIPT, "sh", self.store.root], QUICK_S)
        self._left.clear()

    def _end(self, job: ModelJob, folder: str, error: DeviceTimeoutError) -> Failed:
        """End the runner in *folder*, which did not answer in time, and say whose fault it was."""
        argv = ["sh", "-c", END_SCRIPT, "sh", folder]
        try:
            code = self.device.shell(argv, timeout_s=self._grace_s).exit_code
        except AndroidError as later:
            return Failed(Outcome.FAILED_LINK, f"no answer from the runner, nor from adb: {later}")
        if code == _HAS_ANSWERED:
            return Failed(Outcome.FAILED_LINK, f"the runner's answer did not arrive: {error}")
        if code != 0:
            return Failed(Outcome.FAILED_TIMEOUT, f"the runner did not start: {error}")
        return Failed(
            Outcome.FAILED_TIMEOUT, f"the runner did not finish in {job.timeout_s} s and was ended"
        )

    def _discard(self) -> None:
        """End and remove what is left of jobs, as far as the device lets that happen now."""
        try:
            self.store.checked(["sh", "-c", DISCARD_SCRIPT, "sh", *self._left], QUICK_S)
        except AndroidError:
            return  # before the next job, or by `clean`, when the device is back
        self._left.clear()


def us_since(begin_ns: int) -> int:
    """Return the wall time since *begin_ns* of ``time.monotonic_ns``, in us."""
    return (time.monotonic_ns() - begin_ns) // 1000
