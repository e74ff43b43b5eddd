"""This host in the place of a device: for the bundle's runner without a phone."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from droidloop.devices.android.errors import DeviceTimeoutError


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    stdout: str
    stderr: str
    exit_code: int

    @property
    def last_words(self) -> str:
        """The last line of what it said, errors first."""
        return ((self.stderr or self.stdout).strip().splitlines() or [""])[-1]


class LocalDevice:
    """Runs commands here; words that end in a key of *instead* are preceded by its value.

    With *kills_late* a command that is not over in time is ended then, as Android's adbd does it
    when the stream closes; else it goes on until ``close``.
    """

    serial = "local"

    def __init__(
        self,
        instead: Mapping[str, str] | None = None,
        *,
        kills_late: bool = False,
        **environment: str,
    ) -> None:
        self._instead = instead or {}
        self._kills_late = kills_late
        self._environment = os.environ | environment
        self._late: list[subprocess.Popen[str]] = []
        self.pushed: list[str] = []

    def shell(self, argv: Sequence[str], *, timeout_s: float) -> Answer:
        words: list[str] = []
        for word in argv:
            words += [value for end, value in self._instead.items() if word.endswith(end)]
            words.append(word)
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            self._late.append(process)
            if self._kills_late:
                self.close()
            raise DeviceTimeoutError(self.serial, f"{argv[0]} did not end in time") from error
        return Answer(stdout, stderr, process.returncode)

    def close(self) -> None:
        """End what did not end in time, as adbd does when the connection is closed."""
        for process in self._late:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self._late.clear()

    def push(self, local: Path, remote: str) -> None:
        shutil.copyfile(local, remote)
        self.pushed.append(remote)

    def pull(self, remote: str, local: Path, *, limit_bytes: int) -> None:
        assert Path(remote).stat().st_size <= limit_bytes
        shutil.copyfile(remote, local)
