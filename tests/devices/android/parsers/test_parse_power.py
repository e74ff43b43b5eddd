"""The battery as its driver and as batterystats give it."""

import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.batterystats import parse_batterystats
from droidloop.devices.android.parsers.batterystats_checkin import parse_batterystats_checkin
from droidloop.devices.android.parsers.power_supply import parse_uevent

HISTORY = """Battery History (1% used, 10KB used of 4096KB, 3 strings using 90):
                    0 (9) RESET:TIME: 2024-05-06-07-08-09
                    0 (2) 100 c0900020 status=discharging health=good temp=251 volt=4321 +running
                                Details: cpu=10u+20s
               +1s500ms (3) 099 volt=4300
            +1h0m0s0ms (1) SHUTDOWN

Per-PID Stats:
  PID 1 wake time: +5s (2) 050

  Estimated power use (mAh):
    Capacity: 3000, Computed drain: 12.5, actual drain: 0-30.0
    Screen: 3.0
    Uid u0a12: 4.25 ( cpu=4.25 )
    Uid 1000: 1.5
"""
CHECKIN = """9,0,i,vers,36,1005,AAA1,BBB2
9,hsp,0,10001,"a, ""quoted\\", name"
9,h,5:RESET:TIME:1000
9,h,0,Bl=50,Bs=d,Bt=-5,Bv=3700,+r
9,h,2500,Bl=49
9,h,10:TIME:9
9,0,i,uid,10001,com.example.app
9,0,l,pws,1,1.0,0,0
9,0,l,pws,3000,12.5,0,30.0
9,10001,l,pwi,uid,4.25,0,0,0
9,0,l,pwi,scrn,3.0
9,0,l,m,6000,0,0
"""


def test_history_states_only_what_is_new() -> None:
    stats = parse_batterystats(HISTORY)
    assert stats.reset_time == "2024-05-06-07-08-09"
    assert stats.levels == (100, 99)
    assert [point.time_ms for point in stats.points] == [0, 0, 1500, 3_600_000]
    assert [point.temperature_dc for point in stats.points] == [None, 251, None, None]
    assert stats.points[-1].event == "SHUTDOWN"


def test_modelled_use_is_kept_apart() -> None:
    power = parse_batterystats(HISTORY).power
    assert power is not None
    assert (power.capacity_mah, power.computed_drain_mah) == (3000.0, 12.5)
    assert power.uid_mah == {"u0a12": 4.25, "1000": 1.5}


@pytest.mark.parametrize(
    "text",
    [
        "Can't find service: batterystats\n",
        HISTORY.replace(" 099 ", " 199 "),
        HISTORY.replace("volt=4300", "volt=x"),
    ],
)
def test_other_history_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="batterystats"):
        parse_batterystats(text)


def test_checkin_times_are_sums_of_differences() -> None:
    stats = parse_batterystats_checkin(CHECKIN)
    assert [point.time_ms for point in stats.points] == [5, 5, 2505, 2515]
    assert stats.reset_time_ms == 1000
    assert (stats.points[1].temperature_dc, stats.points[1].status) == (-5, "discharging")
    assert (stats.report_version, stats.start_build, stats.end_build) == (36, "AAA1", "BBB2")


def test_checkin_sums_of_the_later_of_two_lines_count() -> None:
    stats = parse_batterystats_checkin(CHECKIN)
    assert (stats.capacity_mah, stats.computed_drain_mah) == (3000.0, 12.5)
    assert stats.uid_mah == {10001: 4.25}
    assert stats.screen_on_ms == 6000


def test_checkin_of_an_emulator_knows_no_capacity_and_no_use() -> None:
    """Its battery is made up; it was taken for one of 0 mAh, and for a use of 0."""
    stats = parse_batterystats_checkin("9,0,l,pws,0,0,0,0\n9,10001,l,pwi,uid,0,0,0,0\n")
    assert (stats.capacity_mah, stats.computed_drain_mah, stats.uid_mah) == (None, None, {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        CHECKIN + "8,h,1,Bl=48\n",
        CHECKIN.replace("Bl=49", "Bl=149"),
        CHECKIN.replace("9,h,2500", "9,h,soon"),
        CHECKIN.replace("Bs=d", "Bs=z"),
        "9,0,l,pws,1\n",
    ],
)
def test_other_checkin_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="checkin"):
        parse_batterystats_checkin(text)


def uevent(**values: object) -> str:
    given = {"STATUS": "Discharging", "VOLTAGE_NOW": 3_800_000, "CURRENT_NOW": 250_000} | values
    return "".join(f"POWER_SUPPLY_{key}={value}\n" for key, value in given.items())


def test_drain_is_voltage_times_current_whatever_the_sign() -> None:
    assert parse_uevent(uevent()).drain_uw == 950_000
    assert parse_uevent(uevent(CURRENT_NOW=-250_000)).drain_uw == 950_000


def test_drain_of_a_charging_battery_is_unknown() -> None:
    assert parse_uevent(uevent(STATUS="Charging")).drain_uw is None


def test_driver_in_millivolts_is_taken_to_give_milliamperes() -> None:
    supply = parse_uevent(uevent(VOLTAGE_NOW=3800, CURRENT_NOW=-250))
    assert (supply.voltage_uv, supply.current_ua) == (3_800_000, 250_000)


def test_current_whose_unit_cannot_be_told_is_unknown() -> None:
    assert parse_uevent(uevent(CURRENT_NOW=250)).current_ua is None
    assert parse_uevent(uevent(CURRENT_NOW=250)).drain_uw is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cat: /sys/class/power_supply/battery/uevent: Permission denied\n",
        uevent(STATUS="Sleeping"),
        uevent(VOLTAGE_NOW=38),
        uevent(CAPACITY=101),
        uevent(CURRENT_NOW="many"),
        uevent() + "POWER_SUPPLY_STATUS=Full\n",
    ],
)
def test_other_drivers_are_errors(text: str) -> None:
    with pytest.raises(ParseError, match="power_supply"):
        parse_uevent(text)
