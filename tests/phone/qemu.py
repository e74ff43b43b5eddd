"""One QEMU phone: a small machine with a kernel, memory, disk, battery and link of its own.

The host sets its battery and its link, takes memory away, or kills it. adb reaches it at
``127.0.0.1:PORT``; the port is never one of 5555-5585, which every adb server takes for emulators.
"""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from .image import PhoneError, image, locked

BATTERY_ADDRESS = 0x8000000  # the page that battery.asl maps and the kernel leaves alone
BOOT_S = 600.0  # a host with ten times as much to do as it has cores takes minutes
MONITOR_S = 60.0


@dataclass(frozen=True)
class Battery:
    """What the phone's ACPI battery reports.

    Attributes:
        charging: True: charging, False: discharging.
        rate_ma: current into or out of it, mA.
        remaining_mah: charge left of 4,000 mAh.
        voltage_mv: its voltage, mV.
        plugged: whether the charger is connected.
    """

    charging: bool = False
    rate_ma: int = 500
    remaining_mah: int = 3200
    voltage_mv: int = 3900
    plugged: bool = False

    def registers(self) -> bytes:
        """Return the five 32-bit registers that battery.asl reads."""
        state = 2 if self.charging else 1
        return struct.pack(
            "<5I", state, self.rate_ma, self.remaining_mah, self.voltage_mv, self.plugged
        )


@dataclass(frozen=True)
class Phone:
    """A running QEMU phone; see ``start``.

    Attributes:
        name: of the machine; its ``ro.boot.serialno``.
        port: of adb on 127.0.0.1.
        memory_mib: of the guest.
        folder: holds its disk, log and monitor socket while it runs.
        pid: of its QEMU process.
    """

    name: str
    port: int
    memory_mib: int
    folder: Path
    pid: int

    @property
    def serial(self) -> str:
        """What adb calls the phone once it is connected."""
        return f"127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether its process runs; a pid that was taken over by another program does not count."""
        try:
            command = Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return False
        return f"phone-{self.name}".encode() in command.split(b"\0")

    def kill(self) -> None:
        """End the phone at once, as when its battery is pulled, and remove its files."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            self._reap()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _reap(self) -> None:
        """Wait until the process is gone, whether it is a child of this one or not."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                ended = os.waitpid(self.pid, os.WNOHANG)[0] != 0
            except ChildProcessError:
                ended = not self.alive
            if ended:
                return
            time.sleep(0.02)

    def set_link(self, on: bool) -> None:
        """Cut the phone's network, or mend it; adb goes on calling a cut-off phone a device."""
        self.monitor(f"set_link nic0 {'on' if on else 'off'}")

    def set_memory(self, mib: int) -> None:
        """Take memory away from the guest, or give it back, until it has *mib* MiB."""
        self.monitor(f"balloon {mib}")

    def set_battery(self, battery: Battery) -> None:
        """Make the battery report *battery*; the kernel asks it about once a second.

        Raises:
            PhoneError: the phone has ended.
        """
        # The guest's memory is an unnamed file that its QEMU process holds open.
        for handle in Path(f"/proc/{self.pid}/fd").glob("*"):
            if handle.is_symlink() and os.readlink(handle).startswith("/memfd:memory-backend"):
                with handle.open("r+b") as memory:
                    memory.seek(BATTERY_ADDRESS)
                    memory.write(battery.registers())
                return
        raise PhoneError(f"phone {self.name}: its memory is gone")

    def monitor(self, command: str) -> str:
        """Give QEMU's monitor one *command*; return what it prints.

        Raises:
            PhoneError: QEMU does not answer, or refuses the command.
        """
        try:
            answer = _ask(self.folder, command)
        except OSError as error:
            raise PhoneError(f"phone {self.name}: the monitor does not answer: {error}") from error
        if answer.startswith(("Error", "unknown command")):
            raise PhoneError(f"phone {self.name}: {command}: {answer}")
        return answer

    def save(self, path: Path) -> None:
        """Write to *path* what another process needs to find this phone: see ``load``."""
        path.write_text(json.dumps(asdict(self) | {"folder": str(self.folder)}))


def load(path: Path) -> Phone:
    """Return the phone that ``Phone.save`` wrote to *path*; it may have ended since."""
    fields = json.loads(path.read_text())
    return Phone(**(fields | {"folder": Path(fields["folder"])}))


def start(
    name: str, port: int, *, memory_mib: int = 512, outlive: bool = False, reboots: bool = False
) -> Phone:
    """Start a phone from its booted snapshot, which is made first if there is none.

    The phone ends with the thread that calls this, unless it is to *outlive* its process; where it
    starts anew it ends, too, unless it *reboots*.

    Raises:
        PhoneError: it cannot be built or does not come up.
        ValueError: *port* is one that adb servers take for an emulator's.
    """
    if not 1024 <= port <= 65535 or 5555 <= port <= 5585:
        raise ValueError(f"port {port}: choose one outside 5555-5585")
    base, ready = image(), prepare(name, memory_mib)
    folder = _fresh_folder(base, name)
    shutil.copyfile(ready, folder / "disk.qcow2")
    extra = ["-loadvm", "up", *([] if reboots else ["-no-reboot"])]
    phone = _launch(base, folder, name, port, memory_mib, outlive, extra)
    try:
        _until_running(phone)
        phone.set_battery(Battery())
    except PhoneError:
        phone.kill()
        raise
    return phone


def prepare(name: str, memory_mib: int = 512) -> Path:
    """Boot the phone *name* once and keep it as it is then; return that disk.

    Raises:
        PhoneError: it cannot be built or does not boot.
    """
    base = image()
    ready = base / f"ready-{name}-{memory_mib}.qcow2"
    with locked(f"ready-{name}-{memory_mib}"):
        if not ready.exists():
            _make_snapshot(base, name, free_port(), memory_mib, ready)
    return ready


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now, outside adb's range."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if not 5555 <= port <= 5585:
            return port


def _fresh_folder(base: Path, name: str) -> Path:
    """Make the folder of a run; two levels above it lies the disk that its overlay names."""
    folder = base / "run" / f"{name}-{os.getpid()}-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    return folder


def _make_snapshot(base: Path, name: str, port: int, memory_mib: int, ready: Path) -> None:
    """Boot the phone once and keep it as it is when adbd has started."""
    folder = _fresh_folder(base, name)
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", "../../disk.img", "-F", "raw"]
    subprocess.run([*create, str(folder / "disk.qcow2")], check=True)
    phone = _launch(base, folder, name, port, memory_mib, False, ["-no-reboot"])
    try:
        _until_booted(phone)
        phone.monitor("savevm up")
        phone.monitor("stop")
        os.kill(phone.pid, signal.SIGTERM)  # QEMU closes its disk file properly
        phone._reap()
        (folder / "disk.qcow2").rename(ready)
    finally:
        phone.kill()


def _launch(
    base: Path, folder: Path, name: str, port: int, memory_mib: int, outlive: bool, extra: list[str]
) -> Phone:
    # On a busy host the kernel's test of its timer fails, and it would panic.
    kernel_arguments = (
        f"console=ttyS0 quiet loglevel=5 panic=-1 no_timer_check memmap=4K${BATTERY_ADDRESS:#x} "
        f"androidboot.serialno={name}"
    )
    command = [
        *([] if outlive else ["setpriv", "--pdeathsig", "KILL"]),
        *("qemu-system-x86_64", "-name", f"phone-{name}", "-display", "none"),
        *("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", str(memory_mib)),
        *("-object", f"memory-backend-memfd,id=ram,size={memory_mib}M,share=on"),
        *("-machine", "q35,memory-backend=ram", "-acpitable", f"file={base}/battery.aml"),
        *("-kernel", f"{base}/kernel", "-initrd", f"{base}/initrd.gz"),
        *("-append", kernel_arguments),
        *("-drive", "file=disk.qcow2,if=virtio,format=qcow2,cache=unsafe"),
        *("-netdev", f"user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:5555"),
        *("-device", "virtio-net-pci,netdev=net0,id=nic0", "-device", "virtio-balloon-pci"),
        *("-monitor", "unix:monitor,server,nowait", "-serial", "file:log"),
        *extra,
    ]
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            start_new_session=outlive,
        )
    phone = Phone(name, port, memory_mib, folder, process.pid)
    process.returncode = 0  # Phone ends and reaps it by pid, not this object
    return phone


def _until_booted(phone: Phone) -> None:
    deadline = time.monotonic() + BOOT_S
    while "adbd started" not in _read(phone.folder / "log"):
        _expect_alive(phone, deadline, "boot")
        time.sleep(0.1)
    time.sleep(1)  # let the kernel finish what it does in the background


def _until_running(phone: Phone) -> None:
    deadline = time.monotonic() + BOOT_S
    while True:
        _expect_alive(phone, deadline, "come up")
        try:
            if "running" in _ask(phone.folder, "info status"):
                return
        except OSError:
            time.sleep(0.05)


def _expect_alive(phone: Phone, deadline: float, what: str) -> None:
    if os.waitid(os.P_PID, phone.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
        lines = _read(phone.folder / "errors").strip().splitlines()
        raise PhoneError(f"phone {phone.name} ended: {lines[-1] if lines else 'no message'}")
    if time.monotonic() > deadline:
        raise PhoneError(f"phone {phone.name} did not {what} in {BOOT_S:.0f} s")


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _ask(folder: Path, command: str) -> str:
    """Send *command* to the monitor socket in *folder*; raise OSError where it fails."""
    # A socket's path may hold 108 characters only: reach it through the open folder.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(MONITOR_S)
            monitor.connect(f"/proc/self/fd/{handle}/monitor")
            _until_prompt(monitor)
            monitor.sendall(command.encode() + b"\n")
            answer = _until_prompt(monitor)
    finally:
        os.close(handle)
    # The monitor echoes every key with terminal codes; the answer follows the first line.
    return re.sub(r"\x1b\[[KD]", "", answer).replace("\r", "").partition("\n")[2].strip()


def _until_prompt(monitor: socket.socket) -> str:
    heard = b""
    while not heard.rstrip().endswith(b"(qemu)"):
        part = monitor.recv(65536)
        if not part:
            raise OSError("it closed the connection")
        heard += part
    return heard.decode(errors="replace").rstrip().removesuffix("(qemu)")
