"""Temperatures and properties: dumps of a few lines each."""

import pytest

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.getprop import parse_getprop
from droidloop.devices.android.parsers.thermal import parse_thermal

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


def test_current_temperatures_count_before_cached_ones() -> None:
    thermal = parse_thermal(THERMAL)
    assert thermal.status == 2
    seen = [(sensor.kind, sensor.celsius) for sensor in thermal.temperatures]
    assert seen == [(0, 41.5), (0, 44.0), (2, -2.5)]


def test_sensors_without_a_temperature_are_absent() -> None:
    kinds = {sensor.kind for sensor in parse_thermal(THERMAL).temperatures}
    assert not kinds & {1, 3}


def test_cached_temperatures_serve_where_the_hal_has_none() -> None:
    text = THERMAL.split("HAL Ready")[0]
    assert [sensor.celsius for sensor in parse_thermal(text).temperatures] == [99.0]


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


def test_property_may_span_lines_or_be_empty() -> None:
    text = "[a.b]: [one\n[two]: three]\r\n\n[empty]: []\n"
    assert parse_getprop(text) == {"a.b": "one\n[two]: three", "empty": ""}


@pytest.mark.parametrize("text", ["", "\n", "a=b\n", "[a]: [b\n", "[a]: [b]\nc\n"])
def test_other_properties_are_errors(text: str) -> None:
    with pytest.raises(ParseError, match="getprop"):
        parse_getprop(text)
