"""The life of an emulator: started without a window, waited for until it has booted, ended."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import final

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.adb.state import state_folder
from droidloop.devices.android.errors import (
    AndroidError,
    DeviceTimeoutError,
    EmulatorError,
    OfflineError,
)

from .avd import Hardware, avd_folder, avd_home, configure, unconfigure
from .console import Console
from .emulator_ports import free_ports

BOOT_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class EmulatorConfig:
    """How to start an AVD.

    Attributes:
        avd: its name.
        hardware: written to its configuration while it runs; None leaves it as it is.
        read_only: so that one AVD can run several times.
        wipe_data: begin with empty storage, which a new size of it needs.
        acceleration: False where the machine has none; booting takes many minutes then.
    """

    avd: str
    hardware: Hardware | None = None
    read_only: bool = False
    wipe_data: bool = False
    acceleration: bool = True

    def arguments(self, console_port: int) -> list[str]:
        """Return the arguments of the ``emulator`` command."""
        argv = ["-avd", self.avd, "-port", str(console_port), "-no-window", "-noaudio"]
        argv += ["-no-boot-anim", "-gpu", "swiftshader_indirect", "-no-snapshot"]
        for wanted, flags in (
            (self.read_only, ["-read-only"]),
            (self.wipe_data, ["-wipe-data"]),
            (not self.acceleration, ["-accel", "off"]),
        ):
            argv += flags if wanted else []
        return argv


@final
class Emulator:
    """A running emulator that this process has started."""

    def __init__(
        self, adb: Adb, config: EmulatorConfig, console_port: int, process: subprocess.Popen[bytes]
    ) -> None:
        self.config = config
        self.console_port = console_port
        self.serial = f"emulator-{console_port}"
        self.connection = Connection(adb, self.serial)
        self._adb = adb
        self._process = process

    @classmethod
    def start(
        cls,
        adb: Adb,
        config: EmulatorConfig,
        *,
        console_port: int | None = None,
        executable: Path | None = None,
    ) -> "Emulator":
        """Start an emulator; it has not booted yet.

        Args:
            adb: the server that it will be attached to, and no other.
            config: what to start.
            console_port: even; None takes the first free one from 5586 on.
            executable: the ``emulator`` of an Android SDK; None looks for it.

        Raises:
            EmulatorError: there is no such AVD, no ``emulator``, or no free port.
        """
        folder = avd_folder(config.avd)
        program = executable or emulator_path()
        port = console_port if console_port is not None else free_ports(1)[0]
        if config.hardware is not None:
            configure(folder, config.hardware)
        with log_path(port).open("wb") as log:
            process = subprocess.Popen(
                [str(program), *config.arguments(port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # It announces itself to this server instead of the one on the default port, and
                # finds its AVD where we have.
                env=os.environ
                | {
                    "ANDROID_ADB_SERVER_PORT": str(adb.port),
                    "ANDROID_AVD_HOME": str(avd_home(config.avd)),
                },
                start_new_session=True,  # Ctrl-C reaches it only through stop()
            )
        return cls(adb, config, port, process)

    @property
    def pid(self) -> int:
        """Its process, which leads a group of its own."""
        return self._process.pid

    def console(self) -> Console:
        """Return a session with its console."""
        return Console(self.console_port)

    def wait_booted(self, timeout_s: float = BOOT_TIMEOUT_S, *, poll_s: float = 2.0) -> None:
        """Wait until Android has booted and its services answer.

        While it boots adb says absent, offline and closed in turn; none of that is an error yet.

        Raises:
            EmulatorError: it ended.
            DeviceTimeoutError: it has not booted within *timeout_s*; with the last reason.
        """
        end_s = time.monotonic() + timeout_s
        while True:
            try:
                self._check_booted()
                return
            except AndroidError as error:
                last = error
            if self._process.poll() is not None:
                what = f"it ended with {self._process.returncode}: {self._last_words()}"
                raise EmulatorError(self.serial, what, f"see {log_path(self.console_port)}")
            if time.monotonic() + poll_s > end_s:
                what = f"it has not booted within {timeout_s:g} s: {last.what}"
                raise DeviceTimeoutError(self.serial, what) from last
            time.sleep(poll_s)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End it: by its console, else by signals; its AVD gets its own configuration back."""
        try:
            if self._process.poll() is None:
                self._end_process(self._ask_to_end(), timeout_s)
        finally:
            with contextlib.suppress(AndroidError):
                self._adb.disconnect(self.serial)
            if self.config.hardware is not None:
                unconfigure(avd_folder(self.config.avd))

    def _ask_to_end(self) -> bool:
        """Return whether the console has taken the wish."""
        try:
            with self.console() as console:
                console.kill()
        except AndroidError:
            return False
        return True

    def _end_process(self, asked: bool, timeout_s: float) -> None:
        for number in (0, signal.SIGTERM, signal.SIGKILL):
            if number == 0 and not asked:
                continue
            if number:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, number)
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                continue
            return
        raise EmulatorError(self.serial, f"process {self.pid} does not end", "end it by hand")

    def _check_booted(self) -> None:
        self._adb.attach_emulator(self.console_port, timeout_s=1.0)
        shell = self.connection.run
        if shell(["getprop", "sys.boot_completed"], timeout_s=10.0).strip() != "1":
            raise OfflineError(self.serial, "it has not booted yet", "wait")
        if shell(["getprop", "init.svc.bootanim"], timeout_s=10.0).strip() == "running":
            raise OfflineError(self.serial, "it still shows the boot animation", "wait")
        if not shell(["pm", "path", "android"], timeout_s=20.0).startswith("package:"):
            raise OfflineError(self.serial, "its services do not answer yet", "wait")

    def _last_words(self) -> str:
        data = log_path(self.console_port).read_bytes()[-2000:]
        return " / ".join(data.decode(errors="replace").split("\n")[-4:])


def start_all(
    adb: Adb,
    configs: Sequence[EmulatorConfig],
    *,
    executable: Path | None = None,
    timeout_s: float = BOOT_TIMEOUT_S,
    poll_s: float = 2.0,
) -> list[Emulator]:
    """Start one emulator for each of *configs*, boot them side by side, and leave them.

    Raises:
        AndroidError: one of them does not boot; nobody waits for the others, and all are ended.
    """
    started: list[Emulator] = []
    pool = ThreadPoolExecutor(max(1, len(configs)))
    try:
        for config, port in zip(configs, free_ports(len(configs)), strict=True):
            one = Emulator.start(adb, config, console_port=port, executable=executable)
            started.append(one)
        waits = [pool.submit(one.wait_booted, timeout_s, poll_s=poll_s) for one in started]
        for wait in as_completed(waits):
            wait.result()
    except BaseException:
        for one in started:  # which ends the waiting threads
            with contextlib.suppress(AndroidError):
                one.stop()
        raise
    finally:
        pool.shutdown()
    return started


def emulator_path() -> Path:
    """Return the ``emulator`` of the Android SDK on this machine.

    Raises:
        EmulatorError: there is none.
    """
    roots = [os.environ.get("ANDROID_HOME"), os.environ.get("ANDROID_SDK_ROOT")]
    paths = [Path(root) / "emulator" / "emulator" for root in roots if root]
    found = which("emulator")
    path = next((p for p in paths if p.is_file()), Path(found) if found else None)
    if path is None:
        what = "no emulator in $ANDROID_HOME, $ANDROID_SDK_ROOT or $PATH"
        raise EmulatorError("emulator", what, "install the Android SDK")
    return path


def log_path(console_port: int) -> Path:
    """Return where the emulator on *console_port* logs."""
    return state_folder("logs") / f"emulator-{console_port}.log"
