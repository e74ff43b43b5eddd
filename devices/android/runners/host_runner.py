"""The runner that needs no device: LiteRT of this machine's own Python, in a process of its own.

It is the fake beside the real runners, and says what a model gives on the host.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import final

from droidloop.devices.fleets.model_job import Failed, ModelJob, OnDevice, Result
from droidloop.platform.jobs import Outcome

from .job_files import FILES, conclude, script, write_job

GRACE_S = 10.0
PROGRAM = Path(__file__).with_name("host_job.py")


@final
class HostRunner:
    """Runs jobs on this host with LiteRT of *python*; ``OnDevice`` paths are paths of this host.

    The Python may have tflite-runtime in its place, as old apps do.
    """

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python

    def run(self, job: ModelJob) -> Result:
        """Do *job*; see ``Runner.run``."""
        model = job.model.path if isinstance(job.model, OnDevice) else str(job.model.resolve())
        with tempfile.TemporaryDirectory(prefix="droidloop-job-") as folder:
            write_job(job, Path(folder) / FILES[0], model)
            return _run(job, Path(folder), self._python)

    def clean(self) -> None:
        """Do nothing: a job's folder ends with the job."""


def _run(job: ModelJob, folder: Path, python: str) -> Result:
    # -I: neither this folder nor the environment decides what the program imports.
    argv = script(str(folder), job, [python, "-I", str(PROGRAM), *FILES])
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        stdout, _ = process.communicate(timeout=job.timeout_s + GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        message = f"the runner did not finish in {job.timeout_s} s and was ended"
        return Failed(Outcome.FAILED_TIMEOUT, message)
    except BaseException:  # Ctrl-C, which its session does not hear
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    log = (folder / "log").read_text(errors="replace")
    outputs = folder / FILES[1]
    return conclude(
        job,
        process.returncode,
        stdout.decode(errors="replace"),
        log,
        lambda _: outputs.read_bytes(),
    )
