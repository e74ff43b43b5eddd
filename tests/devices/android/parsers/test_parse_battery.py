import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.battery import BatteryHealth, BatteryStatus, parse_battery

KITKAT = """Current Battery Service state:
  AC powered: true
  USB powered: false
  Wireless powered: false
  status: 3
  health: 7
  present: true
  level: 41
  scale: 100
  voltage: 3701
  temperature: -35
  technology: Li-poly
"""

FROZEN_15 = """Current Battery Service state:
  (UPDATES STOPPED -- use 'reset' to restart)
  AC powered: false
  USB powered: false
  Wireless powered: false
  Dock powered: true
  Max charging current: 0
  Max charging voltage: 0
  Charge counter: 1234567
  status: 2
  health: 2
  present: true
  level: 7
  scale: 100
  voltage: 3999
  temperature: 251
  technology: Li-ion
  Charging state: 1
  Charging policy: 1
  Capacity level: -1
"""


def without(text: str, key: str) -> str:
    return "".join(line for line in text.splitlines(True) if not line.startswith(f"  {key}:"))


def test_old_dump_leaves_unknown_what_it_does_not_say() -> None:
    battery = parse_battery(KITKAT)
    assert (battery.level, battery.voltage_mv, battery.temperature_dc) == (41, 3701, -35)
    assert battery.status is BatteryStatus.DISCHARGING
    assert battery.health is BatteryHealth.COLD
    assert battery.plugged
    assert battery.charge_counter_uah is None
    assert battery.dock_powered is None
    assert not battery.updates_stopped


def test_frozen_values_are_marked() -> None:
    battery = parse_battery(FROZEN_15)
    assert battery.updates_stopped
    assert battery.dock_powered
    assert battery.plugged
    assert battery.charge_counter_uah == 1234567


def test_a_charge_of_zero_is_unknown() -> None:
    """Emulators print it."""
    assert parse_battery(FROZEN_15.replace("1234567", "0")).charge_counter_uah is None


def test_vendor_block_before_the_services_own_does_not_count() -> None:
    vendor = "Current OPLUS Battery Service state:\n  level: 99\n  voltage: 1\n  PhoneTemp: 301\n"
    assert parse_battery(vendor + KITKAT) == parse_battery(KITKAT)


def test_prose_inside_the_block_is_skipped() -> None:
    prose = "  Max charging current: as asked for voltage 9\nMax voltage negotiated 5\n"
    head, tail = KITKAT.split("  status")
    assert parse_battery(head + prose + "  status" + tail) == parse_battery(KITKAT)


def test_log_after_the_block_does_not_count() -> None:
    log = "[log]\n  Charge counter: 5\n  level: 3\n"
    assert parse_battery(KITKAT + log) == parse_battery(KITKAT)


def test_first_line_of_a_key_wins() -> None:
    assert parse_battery(KITKAT + "  level: 3\n").level == 41


@pytest.mark.parametrize("key", ["level", "scale", "status", "present", "USB powered"])
def test_missing_line_is_an_error(key: str) -> None:
    with pytest.raises(ParseError, match=key):
        parse_battery(without(KITKAT, key))


def test_what_a_shorter_dump_leaves_out_is_unknown() -> None:
    text = without(without(without(KITKAT, "health"), "voltage"), "temperature")
    battery = parse_battery(text)
    assert (battery.health, battery.voltage_mv, battery.temperature_dc) == (None, None, None)
    assert battery.level == 41


def test_value_is_not_taken_from_a_block_further_down() -> None:
    with pytest.raises(ParseError, match="level"):
        parse_battery(without(KITKAT, "level") + "Current OPLUS state:\n  level: 3\n")


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("voltage: 3701", "voltage: 4"),
        ("voltage: 3701", "voltage: 3701000"),
        ("level: 41", "level: 141"),
        ("status: 3", "status: 6"),
        ("scale: 100", "scale: 0"),
        ("temperature: -35", "temperature: 9999"),
    ],
)
def test_impossible_value_is_an_error(line: str, other: str) -> None:
    with pytest.raises(ParseError, match="dumpsys battery"):
        parse_battery(KITKAT.replace(line, other))


def test_current_in_an_unlikely_unit_is_unknown() -> None:
    assert parse_battery(KITKAT + "  current now: -512\n").current_now_ma == -512
    assert parse_battery(KITKAT + "  current now: -512000\n").current_now_ma is None


def test_other_output_is_an_error() -> None:
    with pytest.raises(ParseError, match="no line 'Current Battery Service state:'"):
        parse_battery("Can't find service: battery\n")
