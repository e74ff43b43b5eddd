"""Recordings of a user's own: charging windows in local time, links both ways."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.population.recorded import charging_windows, rate_traces
from droidloop.network.trace import Series
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError
from droidloop.platform.units import DAY_US, HOUR_US, SECOND_US


def plugged_us(series: Series) -> int:
    """Return how long *series* is 1 in a lap."""
    lengths = np.diff(np.append(series.times_us, series.span_us))
    return int((lengths * series.values).sum())


DRAWS = Draws(4, "recorded")


def observed(tmp_path: Path, rows: str) -> Path:
    """Write *rows* with their header to a file and return its path."""
    file = tmp_path / "windows.csv"
    file.write_text("device,kind,start_s,end_s\n" + rows)
    return file


def test_a_device_observed_for_days_is_played_at_its_own_hours(tmp_path: Path) -> None:
    file = observed(tmp_path, "a,seen,0,864000\na,charging,3600,7200\na,charging,90000,93600\n")
    weeks = charging_windows(file, DRAWS)
    assert all(one.span_us == 7 * DAY_US for one in weeks)
    for one in weeks:
        starts_us = one.times_us[one.values == 1]
        assert (starts_us % DAY_US == HOUR_US).all(), "where it had a window, and nowhere else"
        assert plugged_us(one) == HOUR_US * len(starts_us)


def test_what_was_not_observed_is_taken_from_devices_that_were(tmp_path: Path) -> None:
    """Half a day of each: one charges all the time, the other never; nights belong to the one."""
    file = observed(tmp_path, "night,charging,0,43200\nday,seen,129600,172800\n")
    for one in charging_windows(file, DRAWS):
        assert one.times_us.tolist() == [k * DAY_US // 2 for k in range(14)]
        assert one.values.tolist() == [1, 0] * 7


def test_every_observed_hour_weighs_the_same(tmp_path: Path) -> None:
    """A record of nine days weighs nine times as much as one of a day."""
    file = observed(tmp_path, "always,charging,0,86400\nnever,seen,0,777600\n")
    weeks = charging_windows(file, DRAWS)
    assert abs(sum(plugged_us(one) for one in weeks) / (len(weeks) * 7 * DAY_US) - 0.1) < 0.1


def test_windows_of_a_device_that_overlap_are_one_and_files_may_be_compressed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "windows.csv.gz"
    text = "device,start_s,end_s\na,0,86400\na,10,20\na,86400,172800\n"
    file.write_bytes(gzip.compress(text.encode()))
    assert all(plugged_us(one) == 7 * DAY_US for one in charging_windows(file, DRAWS))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("device,start_s\na,1\n", "not a CSV with the columns device,start_s,end_s"),
        ("device,start_s,end_s\n", "at least one charging window"),
        ("device,start_s,end_s\na,5,4\n", "must not end before its start"),
        ("device,start_s,end_s\na,5,5\n", "needs a charging window that lasts"),
        ("device,start_s,end_s\na,nan,5\n", "numbers in its columns"),
        ("device,kind,start_s,end_s\na,other,1,5\n", "at least one charging window"),
        ("device,start_s,end_s\na,0,43200\n", "no device was observed through the hour from 12:00"),
    ],
)
def test_what_is_no_recording_of_charging_is_refused_in_one_line(
    tmp_path: Path, text: str, message: str
) -> None:
    file = tmp_path / "windows.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        charging_windows(file, DRAWS)
    assert "\n" not in str(caught.value)


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
