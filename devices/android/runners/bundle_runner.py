"""The runner for real devices: the bundle's program, driven through adb."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import final

from droidloop.devices.fleets.model_job import Device, Failed, ModelJob, OnDevice, Result
from droidloop.platform.jobs import Outcome

from .bundle import ROOT, Bundle
from .device_jobs import GRACE_S, DeviceJobs, us_since
from .job_files import FILES, MAX_RESULT_BYTES, conclude, write_job

_NO_PROGRAM = (126, 127)
"""Exit codes of a shell that finds no program, or none that it can start."""


@final
class BundleRunner:
    """Runs jobs on *device* with *bundle*, which is put there with the first job.

    It keeps the bundle and the models under *root* on the device for the next job, and nothing of
    a job itself. ``clean`` removes them too.
    """

    def __init__(
        self, device: Device, bundle: Bundle, *, root: str = ROOT, grace_s: float = GRACE_S
    ) -> None:
        self._bundle = bundle
        self._jobs = DeviceJobs(device, root, grace_s)

    def install(self) -> None:
        """Have the bundle on the device, so that the first job does not pay for it.

        What a command that was killed has left at work there is ended.

        Raises:
            AndroidError: the device cannot take it.
        """
        self._jobs.end_all()
        self._jobs.store.put_bundle(self._bundle)

    def run(self, job: ModelJob) -> Result:
        """Do *job*; see ``Runner.run``. What is already on the device is not sent again.

        A device may have lost it since, as one that has started anew: then the job is done over.
        """
        store = self._jobs.store
        trusting = store.trusting
        result = self._jobs.within(lambda folder: self._run(job, folder))
        if isinstance(result, Failed) and trusting and not (store.trusting or self._jobs.lost):
            return self._jobs.within(lambda folder: self._run(job, folder))
        return result

    def clean(self) -> None:
        """End all jobs; remove them, the bundle and the models from the device.

        Raises:
            AndroidError: it does not answer.
        """
        self._jobs.clean()

    def _run(self, job: ModelJob, folder: str) -> Result:
        store = self._jobs.store
        begin, before = time.monotonic_ns(), store.sent_bytes
        bundle = store.put_bundle(self._bundle)
        model = job.model.path if isinstance(job.model, OnDevice) else store.put_file(job.model)
        job_bytes = self._send(job, folder, model)
        sent_us = us_since(begin)
        command = [_inside(bundle, word) for word in self._bundle.entry]
        answer = self._jobs.execute(folder, job, [*command, *FILES])
        if isinstance(answer, Failed):
            return answer
        if len(answer.stdout) > MAX_RESULT_BYTES:
            return Failed(Outcome.FAILED_OUTPUT, "the runner's result is larger than any can be")
        log = "" if answer.exit_code == 0 else self._jobs.log(folder)
        begin = time.monotonic_ns()
        result = conclude(
            job, answer.exit_code, answer.stdout, log, lambda size: self._fetch(folder, size)
        )
        if isinstance(result, Failed):
            if answer.exit_code in _NO_PROGRAM or result.outcome is Outcome.REFUSED_RUNTIME:
                store.forget()
            return replace(result, log=log)
        return replace(
            result,
            sent_bytes=store.sent_bytes - before + job_bytes,
            sent_us=sent_us,
            received_us=us_since(begin),
        )

    def _send(self, job: ModelJob, folder: str, model: str) -> int:
        with tempfile.TemporaryDirectory(prefix="droidloop-job-") as scratch:
            local = Path(scratch) / FILES[0]
            size = write_job(job, local, model)
            self._jobs.device.push(local, f"{folder}/{FILES[0]}")
        return size

    def _fetch(self, folder: str, size: int) -> bytes:
        if size == 0:
            return b""
        with tempfile.TemporaryDirectory(prefix="droidloop-job-") as scratch:
            local = Path(scratch) / FILES[1]
            self._jobs.device.pull(f"{folder}/{FILES[1]}", local, limit_bytes=size)
            return local.read_bytes()


def _inside(folder: str, word: str) -> str:
    """Return *word* of a bundle's command, made absolute where it names a file of the bundle."""
    return word if word.startswith("-") else f"{folder}/{word}"
