"""What a device says of its heat, its clocks and its charge now: asked around a measurement."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.errors import CommandError, OutputTooLongError, ParseError
from droidloop.devices.android.parsers.battery import parse_battery
from droidloop.devices.android.parsers.batterystats_checkin import parse_batterystats_checkin
from droidloop.devices.android.parsers.thermal import parse_thermal

SHELL_UID = 2000
"""The user that adb's commands run as, AID_SHELL of Android's android_filesystem_config.h."""

_ZONES = 'for z in /sys/class/thermal/thermal_zone*; do cat "$z/temp"; done'
_CLOCKS = """for c in /sys/devices/system/cpu/cpu[0-9]*/cpufreq; do
echo "$(cat "$c/scaling_max_freq") $(cat "$c/cpuinfo_max_freq")"; done"""
_REFUSED = (CommandError, OutputTooLongError, ParseError)
_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Condition:
    """A device now; None where it does not tell, for the reason in *unknown*.

    Attributes:
        celsius: of its hottest sensor.
        throttled: whether Android says so, or a core's clock is held below its highest.
        charge_uah: left in the battery, as its gauge counts it.
        plugged: whether a charger is connected.
        shell_mah: what Android's model says that adb's user has drawn since the last charge.
    """

    celsius: float | None = None
    throttled: bool | None = None
    charge_uah: int | None = None
    plugged: bool | None = None
    shell_mah: float | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)


def heat_of(connection: Connection) -> Condition:
    """Return the heat and clocks of a device alone, which is quicker than all of its condition.

    Raises:
        AndroidError: it does not answer.
    """
    unknown: dict[str, str] = {}
    celsius, throttled = _service(connection)
    if celsius is None:
        celsius = max(_zones(connection), default=None)
    held = _held_back(connection)
    if throttled is None or held is None:
        throttled = held if throttled is None else throttled
    else:
        throttled = throttled or held
    if celsius is None:
        unknown["celsius"] = "neither its thermal service nor its kernel has a sensor"
    if throttled is None:
        unknown["throttled"] = "neither its thermal service nor its kernel's clocks tell it"
    return Condition(celsius, throttled, unknown=unknown)


def condition_of(connection: Connection) -> Condition:
    """Return heat, clocks and charge of a device.

    Raises:
        AndroidError: it does not answer.
    """
    heat = heat_of(connection)
    unknown = dict(heat.unknown)
    charge_uah = plugged = shell_mah = None
    try:
        battery = parse_battery(connection.run(["dumpsys", "battery"], timeout_s=_TIMEOUT_S))
    except _REFUSED as error:
        unknown["charge_uah"] = unknown["plugged"] = str(error)
    else:
        plugged, charge_uah = battery.plugged, battery.charge_counter_uah
        if battery.updates_stopped:
            charge_uah = None
        if charge_uah is None:
            unknown["charge_uah"] = "its battery has no charge counter that counts"
    try:
        text = connection.run(["dumpsys", "batterystats", "--checkin"], timeout_s=_TIMEOUT_S)
        shell_mah = parse_batterystats_checkin(text).get(SHELL_UID)
        if shell_mah is None:
            unknown["shell_mah"] = "batterystats has no use of power by adb's user"
    except _REFUSED as error:
        unknown["shell_mah"] = str(error)
    return Condition(heat.celsius, heat.throttled, charge_uah, plugged, shell_mah, unknown)


def _service(connection: Connection) -> tuple[float | None, bool | None]:
    """Return the highest temperature and whether there is throttling, by Android's service."""
    argv = ["dumpsys", "thermalservice"]
    try:
        thermal = parse_thermal(connection.run(argv, timeout_s=_TIMEOUT_S))
    except _REFUSED:
        return None, None
    return max((t.celsius for t in thermal.temperatures), default=None), thermal.status > 0


def _zones(connection: Connection) -> Sequence[float]:
    """Return what the kernel's thermal zones show that can be the heat of a phone, degrees."""
    text = connection.shell(["sh", "-c", _ZONES], timeout_s=_TIMEOUT_S).stdout
    values = [int(word) / 1000 for word in text.split() if re.fullmatch(r"-?[0-9]{1,6}", word)]
    return [value for value in values if 0 < value <= 150]


def _held_back(connection: Connection) -> bool | None:
    """Return whether a core's clock is held below its highest; None where none is told."""
    text = connection.shell(["sh", "-c", _CLOCKS], timeout_s=_TIMEOUT_S).stdout
    pairs = re.findall(r"^([0-9]{1,9}) ([0-9]{1,9})$", text, re.MULTILINE)
    return any(int(now) < int(most) for now, most in pairs) if pairs else None
