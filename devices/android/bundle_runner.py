"""The runner for real devices: the bundle's program, driven through adb."""

import itertools
import os
import tempfile
import time
from pathlib import Path
from typing import final

from droidloop.platform.jobs import Outcome

from .bundle import ROOT, Bundle, Store
from .errors import AndroidError, DeviceTimeoutError
from .job_files import FILES, MAX_RESULT_BYTES, conclude, script, write_job
from .runner import Device, Failed, ModelJob, OnDevice, Ran, Result

GRACE_S = 15.0  # for the shell around a runner that ends itself at its time limit
QUICK_S = 20.0
# A runner's working directory is its job's folder: no other process is taken for it.
KILL_SCRIPT = """end() {
  pid=$(cat "$1/pid" 2>/dev/null) || return 1
  case $pid in ''|*[!0-9]*) return 1 ;; esac
  [ "$(readlink "/proc/$pid/cwd")" = "$1" ] && kill -9 "$pid"
}
"""
END_SCRIPT = KILL_SCRIPT + 'end "$1"'
DISCARD_SCRIPT = KILL_SCRIPT + 'for folder; do end "$folder"; done; rm -rf -- "$@"'
DISCARD_ALL_SCRIPT = KILL_SCRIPT + 'for folder in "$1"/jobs/*; do end "$folder"; done'
_numbers = itertools.count()
_GONE = (Outcome.FAILED_LINK, Outcome.FAILED_OFFLINE, Outcome.FAILED_TIMEOUT)
"""Errors after which there may be nobody who could remove a file."""


@final
class BundleRunner:
    """Runs jobs on *device* with *bundle*, which is put there with the first job.

    It keeps the bundle and the models under *root* on the device for the next job, and nothing of
    a job itself. ``clean`` removes them too.
    """

    def __init__(
        self, device: Device, bundle: Bundle, *, root: str = ROOT, grace_s: float = GRACE_S
    ) -> None:
        self._device = device
        self._bundle = bundle
        self._store = Store(device, root)
        self._grace_s = grace_s
        self._left: list[str] = []

    def install(self) -> None:
        """Have the bundle on the device, so that the first job does not pay for it.

        Raises:
            AndroidError: the device cannot take it.
        """
        self._store.put_bundle(self._bundle)

    def run(self, job: ModelJob) -> Result:
        """Do *job*; see ``Runner.run``. What is already on the device is not sent again."""
        if self._left:
            self._discard()
        folder = f"{self._store.root}/jobs/{os.getpid()}-{next(_numbers)}"
        self._left.append(folder)
        try:
            result = self._run(job, folder)
        except AndroidError as error:
            result = Failed(error.outcome, str(error))
            gone = error.outcome in _GONE
        else:
            gone = isinstance(result, Failed) and result.outcome is Outcome.FAILED_LINK
        if not gone:
            self._discard()
        return result

    def clean(self) -> None:
        """End all jobs; remove them, the bundle and the models from the device.

        Raises:
            AndroidError: it does not answer.
        """
        argv = ["sh", "-c", DISCARD_ALL_SCRIPT, "sh", self._store.root]
        self._device.shell(argv, timeout_s=QUICK_S)
        self._store.clean()
        self._left.clear()

    def _run(self, job: ModelJob, folder: str) -> Result:
        begin, before = time.monotonic_ns(), self._store.sent_bytes
        bundle = self._store.put_bundle(self._bundle)
        model = (
            job.model.path if isinstance(job.model, OnDevice) else self._store.put_file(job.model)
        )
        job_bytes = self._send_job(job, folder, model)
        sent_us = (time.monotonic_ns() - begin) // 1000
        argv = script(folder, job, [_inside(bundle, word) for word in self._bundle.entry])
        try:
            answer = self._device.shell(argv, timeout_s=job.timeout_s + self._grace_s)
        except DeviceTimeoutError as error:
            return self._end(job, folder, error)
        log = "" if answer.exit_code == 0 else self._log(folder)
        begin = time.monotonic_ns()
        if len(answer.stdout) > MAX_RESULT_BYTES:
            return Failed(Outcome.FAILED_OUTPUT, "the runner's result is larger than any can be")
        result = conclude(
            job, answer.exit_code, answer.stdout, log, lambda size: self._fetch(folder, size)
        )
        if isinstance(result, Failed):
            return result
        received_us = (time.monotonic_ns() - begin) // 1000
        sent_bytes = self._store.sent_bytes - before + job_bytes
        return _with_transfer(result, sent_bytes, sent_us, received_us)

    def _send_job(self, job: ModelJob, folder: str, model: str) -> int:
        self._store.checked(["mkdir", "-p", folder])
        with tempfile.TemporaryDirectory(prefix="droidloop-job-") as scratch:
            local = Path(scratch) / FILES[0]
            size = write_job(job, local, model)
            self._device.push(local, f"{folder}/{FILES[0]}")
        return size

    def _fetch(self, folder: str, size: int) -> bytes:
        if size == 0:
            return b""
        with tempfile.TemporaryDirectory(prefix="droidloop-job-") as scratch:
            local = Path(scratch) / FILES[1]
            self._device.pull(f"{folder}/{FILES[1]}", local, limit_bytes=size)
            return local.read_bytes()

    def _log(self, folder: str) -> str:
        return self._store.checked(["tail", "-c", "2000", f"{folder}/log"], QUICK_S)

    def _end(self, job: ModelJob, folder: str, error: DeviceTimeoutError) -> Failed:
        """End the runner in *folder*, which did not answer in time, and say whose fault it was."""
        argv = ["sh", "-c", END_SCRIPT, "sh", folder]
        try:
            ended = self._device.shell(argv, timeout_s=self._grace_s).exit_code == 0
        except AndroidError as later:
            return Failed(Outcome.FAILED_LINK, f"no answer from the runner, nor from adb: {later}")
        if not ended:
            return Failed(Outcome.FAILED_TIMEOUT, f"the runner left no answer: {error}")
        message = f"the runner did not finish in {job.timeout_s} s and was ended"
        return Failed(Outcome.FAILED_TIMEOUT, message)

    def _discard(self) -> None:
        """End and remove what is left of jobs, as far as the device lets that happen now."""
        try:
            self._store.checked(["sh", "-c", DISCARD_SCRIPT, "sh", *self._left], QUICK_S)
        except AndroidError:
            return  # with the next job, or by `clean` when the device is back
        self._left.clear()


def _inside(folder: str, word: str) -> str:
    """Return *word* of a bundle's command, made absolute where it names a file of the bundle."""
    return word if word.startswith("-") else f"{folder}/{word}"


def _with_transfer(ran: Ran, sent_bytes: int, sent_us: int, received_us: int) -> Ran:
    return Ran(
        **(vars(ran) | {"sent_bytes": sent_bytes, "sent_us": sent_us, "received_us": received_us})
    )
