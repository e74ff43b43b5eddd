"""The battery as its driver and as batterystats give it."""

import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.batterystats_checkin import parse_batterystats_checkin
from droidloop.devices.android.parsers.power_supply import parse_uevent

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


def test_modelled_use_of_the_later_of_two_summaries_counts() -> None:
    assert parse_batterystats_checkin(CHECKIN) == {10001: 4.25}


def test_checkin_of_an_emulator_knows_no_use() -> None:
    """Its battery is made up; it was taken for one of 0 mAh, and for a use of 0."""
    assert parse_batterystats_checkin("9,0,l,pws,0,0,0,0\n9,10001,l,pwi,uid,0,0,0,0\n") == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        CHECKIN + "8,h,1,Bl=48\n",
        CHECKIN.replace("uid,4.25", "uid,many"),
        CHECKIN.replace("pws,3000", "pws,x"),
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
