"""Temperatures, doze, properties, traffic, kills: dumps of a few lines each."""

import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.deviceidle import parse_deviceidle
from droidloop.devices.android.parsers.getprop import parse_getprop
from droidloop.devices.android.parsers.lmkd import Kill, parse_lmkd
from droidloop.devices.android.parsers.net_dev import parse_net_dev
from droidloop.devices.android.parsers.text import duration_ms
from droidloop.devices.android.parsers.thermal import SensorKind, parse_thermal

THERMAL = """Thermal Status: 2
Cached temperatures:
\tTemperature{mValue=99.0, mType=0, mName=CPU0, mStatus=0}
HAL Ready: true
Current temperatures from HAL:
\tTemperature{mValue=41.5, mType=0, mName=CPU0, mStatus=0}
\tTemperature{mValue=44.0, mType=0, mName=CPU1, mStatus=2}
\tTemperature{mValue=NaN, mType=3, mName=SKIN, mStatus=0}
\tTemperature{mValue=-2.5, mType=2, mName=a, b=c, mStatus=0}
\tTemperature{mValue=-274.0, mType=1, mName=GPU, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=1, mType=2, mName=fan}
"""
NET_DEV = (
    "Inter-|   Receive   |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"
    "  lo:  10 1 0 0 0 0 0 0  11 2 0 0 0 0 0 0\n"
    "eth0:1:4294967297 3 0 0 0 0 0 0 5 4 0 0 0 0 0 0\n"
)


def test_current_temperatures_count_before_cached_ones() -> None:
    thermal = parse_thermal(THERMAL)
    assert thermal.status == 2
    assert thermal.hottest_c(SensorKind.CPU) == 44.0
    assert thermal.hottest_c(SensorKind.BATTERY) == -2.5


def test_sensors_without_a_temperature_are_absent() -> None:
    thermal = parse_thermal(THERMAL)
    assert thermal.hottest_c(SensorKind.SKIN) is None
    assert thermal.hottest_c(SensorKind.GPU) is None


def test_cached_temperatures_serve_where_the_hal_has_none() -> None:
    text = THERMAL.split("HAL Ready")[0]
    assert parse_thermal(text).hottest_c(SensorKind.CPU) == 99.0


@pytest.mark.parametrize(
    "text",
    [
        "Can't find service: thermalservice\n",
        THERMAL.replace("Status: 2", "Status: 7"),
        THERMAL.replace("mValue=41.5", "value=41.5"),
        THERMAL + "Thermal Status: 0\n",
    ],
)
def test_other_thermal_output_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="thermalservice"):
        parse_thermal(text)


def test_doze_state_on_one_line_or_two() -> None:
    joined = parse_deviceidle("  mState=IDLE_PENDING mLightState=IDLE\n  mCharging=false\n")
    apart = parse_deviceidle("  mState=IDLE_PENDING\n  mLightState=IDLE\n  mCharging=false\n")
    assert joined == apart
    assert (joined.deep, joined.light, joined.charging) == ("IDLE_PENDING", "IDLE", False)


def test_doze_settings_keep_durations_only() -> None:
    text = (
        "  Settings:\n    inactive_to=+30m0s0ms\n    idle_to=0\n    a_factor=2.0\n    far=20.0m\n"
    )
    assert parse_deviceidle(text).settings_ms == {"inactive_to": 1_800_000, "idle_to": 0}


@pytest.mark.parametrize(
    "text",
    ["", "mState=DREAMING\n", "Settings:\n    idle_to=+3x\n", "mState=IDLE\nmCharging=maybe\n"],
)
def test_other_doze_output_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="deviceidle"):
        parse_deviceidle(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+1d2h3m4s5ms", 93_784_005),
        ("-3m0s1ms", -180_001),
        ("0", 0),
        ("+7ms", 7),
        ("2h", 7_200_000),
    ],
)
def test_durations(text: str, expected: int) -> None:
    assert duration_ms(text, "test") == expected


@pytest.mark.parametrize("text", ["", "+", "5", "1m1h", "1.5s", "+1s ", "\u0661s"])
def test_what_is_no_duration_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="not a duration"):
        duration_ms(text, "test")


def test_property_may_span_lines_or_be_empty() -> None:
    text = "[a.b]: [one\n[two]: three]\r\n\n[empty]: []\n"
    assert parse_getprop(text) == {"a.b": "one\n[two]: three", "empty": ""}


@pytest.mark.parametrize("text", ["", "\n", "a=b\n", "[a]: [b\n", "[a]: [b]\nc\n"])
def test_other_properties_are_errors(text: str) -> None:
    with pytest.raises(ParseError, match="getprop"):
        parse_getprop(text)


def test_interface_names_may_hold_colons_and_touch_their_numbers() -> None:
    interfaces = parse_net_dev(NET_DEV)
    assert (interfaces["lo"].rx_bytes, interfaces["lo"].tx_bytes) == (10, 11)
    assert interfaces["eth0:1"].rx_bytes == 2**32 + 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a|b\nc|d|e\n",
        NET_DEV.replace("packets errs", "errs packets"),
        NET_DEV.replace("  lo:  10 1", "  lo:  10"),
        NET_DEV + NET_DEV.splitlines()[2],
    ],
)
def test_other_traffic_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="/proc/net/dev"):
        parse_net_dev(text)


def test_kills_are_found_among_other_lines() -> None:
    text = (
        "--------- beginning of main\n"
        "01-02 03:04:05.678   100   100 I lowmemorykiller: Kill 'it's me' (77), uid 10001, "
        "oom_score_adj -800, state 4 to free 12kB rss, 3kB swap; reason: thrashing (5%)\n"
        "01-02 03:04:05.679   100   100 I ActivityManager: Killing 77:x/u0 (adj 900): empty\n"
        "I/lowmemorykiller(  99): Killing 'b' (78), uid 10002, adj 906\n"
        "<6>[ 9.1] lowmemorykiller: Killing 'c' (79) (tgid 79), adj 15,\n"
    )
    assert parse_lmkd(text) == (
        Kill("it's me", 77, 10001, -800, 12, 3, "thrashing (5%)"),
        Kill("b", 78, 10002, 906, None, None, None),
        Kill("c", 79, None, 15, None, None, None),
    )


def test_kill_in_an_unknown_form_is_an_error() -> None:
    with pytest.raises(ParseError, match="unknown form"):
        parse_lmkd("01-02 03:04:05.678 1 1 I lowmemorykiller: Kill something (77)\n")
