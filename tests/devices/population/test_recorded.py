"""Recordings of a user's own: charging windows in local time, links both ways."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.population.recorded import charging_windows, rate_traces
from droidloop.network.trace import Series
from droidloop.platform.errors import DataError
from droidloop.platform.units import DAY_US, HOUR_US, SECOND_US


def plugged_us(series: Series) -> int:
    """Return how long *series* is 1 in a lap."""
    lengths = np.diff(np.append(series.times_us, series.span_us))
    return int((lengths * series.values).sum())


def test_windows_keep_their_local_time_in_a_loop_over_the_days_that_a_phone_was_seen(
    tmp_path: Path,
) -> None:
    file = tmp_path / "windows.csv"
    day = 86_400
    file.write_text(
        "device,start_s,end_s\n"
        f"a,{3 * day + 3600},{3 * day + 7200}\n"
        f"b,{-day + 60},{-day + 120}\n"
        f"a,{4 * day + 100},{4 * day + 200}\n"
    )
    first, second = charging_windows(file)
    assert first.span_us == 2 * DAY_US
    edges_us = [0, HOUR_US, 2 * HOUR_US, DAY_US + 100 * SECOND_US, DAY_US + 200 * SECOND_US]
    assert first.times_us.tolist() == edges_us
    assert first.values.tolist() == [0, 1, 0, 1, 0]
    assert (second.span_us, plugged_us(second)) == (DAY_US, 60 * SECOND_US)


def test_only_windows_of_kind_charging_count_and_files_may_be_compressed(tmp_path: Path) -> None:
    file = tmp_path / "windows.csv.gz"
    text = "device,kind,start_s,end_s\na,charging,10,20\na,charging_or_battery_okay,0,9000\n"
    file.write_bytes(gzip.compress(text.encode()))
    (only,) = charging_windows(file)
    assert plugged_us(only) == 10 * SECOND_US


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device,start_s\na,1\n", "not a CSV with the columns device,start_s,end_s"),
        ("device,start_s,end_s\n", "at least one charging window"),
        ("device,start_s,end_s\na,5,4\n", "must not end before its start"),
        ("device,start_s,end_s\na,5,5\n", "needs a charging window that lasts"),
        ("device,start_s,end_s\na,nan,5\n", "numbers in its columns"),
        ("device,kind,start_s,end_s\na,other,1,5\n", "at least one charging window"),
    ],
)
def test_what_is_no_recording_of_charging_is_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "windows.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        charging_windows(file)
    assert "\n" not in str(caught.value)


def test_the_recorded_phones_are_on_charge_for_hours(shared: Path) -> None:
    """2,886 phones, median 3.3 h on charge; thirteen have windows of no length alone."""
    series = charging_windows(shared / "data/devices/flash_charging_windows.csv.gz")
    assert len(series) == 2873
    assert all(one.span_us % DAY_US == 0 for one in series)
    hours = np.array([plugged_us(one) for one in series]) / HOUR_US
    assert abs(np.median(hours) - 3.3) < 0.1


def test_an_uplink_is_a_share_of_the_downlink_or_what_was_recorded(tmp_path: Path) -> None:
    (tmp_path / "drive.down").write_text("0\n1\n500\n999\n")
    (tmp_path / "drive.up").write_text("0\n999\n")
    (down,), (up,) = rate_traces(tmp_path / "drive.down", 0.25)
    assert (down.values.tolist(), up.values.tolist()) == ([6000], [1500])
    _, (up,) = rate_traces(tmp_path / "drive.down", None)
    assert up.values.tolist() == [3000]
    with pytest.raises(DataError, match="has no recorded uplink; give an uplink_share"):
        rate_traces(tmp_path / "drive.up", None)


@pytest.mark.parametrize("name", ["norway-3g", "ghent-4g", "mahimahi"])
def test_folders_of_published_traces_are_read(shared: Path, name: str) -> None:
    downs, ups = rate_traces(shared / "data/network" / name, 0.3)
    assert len(downs) == len(ups) >= 7
    assert all(one.span_us % SECOND_US == 0 for one in downs)
