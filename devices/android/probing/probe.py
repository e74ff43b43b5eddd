"""What a device is: asked once, with a reason beside each thing that it does not tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.errors import CommandError, OutputTooLongError, ParseError
from droidloop.devices.android.parsers.battery import Battery, parse_battery
from droidloop.devices.android.parsers.cpuinfo import CpuInfo, parse_cpuinfo
from droidloop.devices.android.parsers.df import Mount, mount_of, parse_df
from droidloop.devices.android.parsers.getprop import parse_getprop
from droidloop.devices.android.parsers.power_supply import PowerSupply, parse_uevent
from droidloop.devices.android.parsers.proc_meminfo import ProcMeminfo, parse_proc_meminfo
from droidloop.devices.android.parsers.thermal import Thermal, parse_thermal

WORK_FOLDER = "/data/local/tmp"
_UEVENT = "/sys/class/power_supply/battery/uevent"
T = TypeVar("T")


@dataclass(frozen=True)
class Probe:
    """A device as it describes itself; None where it does not, for a reason in *unknown*.

    Attributes:
        abis: what its processor runs, best first, such as ``arm64-v8a``.
        memory: of the kernel.
        storage: the file system of ``/data/local/tmp``.
        battery: as Android's service sees it.
        supply: as the kernel's driver sees it; most phones do not let the shell read it.
        unknown: reasons by the name of the attribute.
    """

    serial: str
    model: str | None
    manufacturer: str | None
    release: str | None
    sdk: int | None
    abis: tuple[str, ...]
    chip: str | None
    emulated: bool
    memory: ProcMeminfo | None
    cpu: CpuInfo | None
    storage: Mount | None
    battery: Battery | None
    supply: PowerSupply | None
    thermal: Thermal | None
    unknown: Mapping[str, str] = field(default_factory=dict)


def probe(connection: Connection, *, timeout_s: float = 30.0) -> Probe:
    """Ask a device what it is. Nothing on it is changed.

    Raises:
        AndroidError: it is not there or went away; what it refuses or prints in an unknown form
            is no error.
    """
    unknown: dict[str, str] = {}

    def ask(name: str, argv: list[str], parse: Callable[[str], T]) -> T | None:
        try:
            return parse(connection.run(argv, timeout_s=timeout_s))
        except (CommandError, OutputTooLongError, ParseError) as error:
            unknown[name] = str(error)
            return None

    properties = ask("properties", ["getprop"], parse_getprop) or {}
    cpu = ask("cpu", ["cat", "/proc/cpuinfo"], parse_cpuinfo)
    return Probe(
        serial=connection.serial,
        model=properties.get("ro.product.model"),
        manufacturer=properties.get("ro.product.manufacturer"),
        release=properties.get("ro.build.version.release"),
        sdk=_sdk(properties),
        abis=_abis(properties),
        chip=_chip(properties, cpu),
        emulated=_emulated(properties),
        memory=ask("memory", ["cat", "/proc/meminfo"], parse_proc_meminfo),
        cpu=cpu,
        storage=ask(
            "storage", ["df", WORK_FOLDER], lambda text: mount_of(parse_df(text), WORK_FOLDER)
        ),
        battery=ask("battery", ["dumpsys", "battery"], parse_battery),
        supply=ask("supply", ["cat", _UEVENT], parse_uevent),
        thermal=ask("thermal", ["dumpsys", "thermalservice"], parse_thermal),
        unknown=unknown,
    )


def _sdk(properties: Mapping[str, str]) -> int | None:
    text = properties.get("ro.build.version.sdk", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None


def _abis(properties: Mapping[str, str]) -> tuple[str, ...]:
    listed = properties.get("ro.product.cpu.abilist", "")
    names = listed.split(",") if listed else [properties.get("ro.product.cpu.abi", "")]
    return tuple(name.strip() for name in names if name.strip())


def _chip(properties: Mapping[str, str], cpu: CpuInfo | None) -> str | None:
    """Return the name of the chip: a property since Android 12, before it the kernel's word."""
    told = properties.get("ro.soc.model") or (cpu.hardware if cpu is not None else None)
    return told or properties.get("ro.board.platform") or None


def _emulated(properties: Mapping[str, str]) -> bool:
    return (
        properties.get("ro.kernel.qemu") == "1"
        or properties.get("ro.boot.qemu") == "1"
        or properties.get("ro.hardware") in ("goldfish", "ranchu")
    )
