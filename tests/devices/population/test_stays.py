"""Stays: from rates, from a file, and what a departure at a certain time makes of them."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.population.day_rates import DayRates
from droidloop.devices.population.stays import (
    AHEAD_US,
    ChurnSpec,
    Departure,
    Going,
    Stays,
    first_of,
    last_deaths,
    stays_of,
)
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError, ScenarioError
from droidloop.platform.units import DAY_US, HOUR_US, NEVER_US

DRAWS = Draws(3, "stays")
CLASSES = {"small": 1.0, "large": 3.0, "spare": 0.0}
RATES = ChurnSpec(
    lifetime_days=2.0,
    announced_share=0.2,
    forget_share=0.1,
    return_share=0.5,
    absence_days=1.0,
    replaced_share=0.4,
)


def made(spec: ChurnSpec, phones: int = 2000) -> Stays:
    return stays_of(spec, phones, CLASSES, DRAWS)


def test_without_rates_everybody_is_there_from_the_start_to_the_end() -> None:
    stays = made(ChurnSpec(), 5)
    assert stays["phone"].tolist() == [0, 1, 2, 3, 4]
    assert (stays["join_us"] == 0).all()
    assert (stays["leave_us"] == NEVER_US).all()


def test_shares_become_frequencies() -> None:
    stays = made(RATES)
    left = stays[stays["leave_us"] < NEVER_US]
    shares = np.bincount(left["going"], minlength=3) / len(left)
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.03)
    back = stays[np.setdiff1d(np.arange(len(stays)), first_of(stays))]
    assert len(back) / (left["going"] != Going.FORGET).sum() == pytest.approx(0.5, abs=0.03)
    assert (back["profile"] >= 0).mean() == pytest.approx(0.4, abs=0.05)
    classes = np.bincount(back["profile"][back["profile"] >= 0], minlength=3)
    assert classes / classes.sum() == pytest.approx([0.25, 0.75, 0.0], abs=0.07)


def test_stays_of_a_phone_do_not_touch_and_nobody_comes_back_who_asked_to_be_forgotten() -> None:
    stays = made(RATES)
    same = stays["phone"][1:] == stays["phone"][:-1]
    assert (stays["join_us"][1:][same] > stays["leave_us"][:-1][same]).all()
    assert not (stays["going"][:-1][same] == Going.FORGET).any()
    assert stays["join_us"].max() < AHEAD_US


def test_the_stays_of_a_phone_are_the_same_whatever_the_number_of_phones() -> None:
    many, few = made(RATES, 500), made(RATES, 20)
    assert few.tobytes() == many[many["phone"] < 20].tobytes()


def test_who_says_so_does_it_before_it_goes_and_not_before_it_came() -> None:
    spec = ChurnSpec(
        arrivals_days=1.0, lifetime_days=0.1, announced_share=1.0, notice_us=2 * HOUR_US
    )
    stays = made(spec)
    early = np.maximum(stays["leave_us"] - 2 * HOUR_US, stays["join_us"])
    assert np.array_equal(stays["told_us"], early)
    assert (made(ChurnSpec(lifetime_days=1.0))["told_us"] == NEVER_US).all()


def test_a_departure_takes_the_place_of_all_that_was_to_come() -> None:
    departure = Departure(
        DAY_US, (3,), going=Going.ANNOUNCED, return_us=2 * DAY_US, profile="spare"
    )
    stays = made(ChurnSpec(departures=(departure,)), 6)
    mine = stays[stays["phone"] == 3]
    assert mine["leave_us"].tolist() == [DAY_US, NEVER_US]
    assert mine["join_us"].tolist() == [0, 2 * DAY_US]
    assert mine["profile"].tolist() == [-1, 2]
    assert len(stays) == 7


def test_who_is_away_then_does_not_depart() -> None:
    early = Departure(HOUR_US, (3,))
    stays = made(ChurnSpec(departures=(early, Departure(DAY_US, (3,), going=Going.FORGET))), 6)
    assert stays[stays["phone"] == 3]["going"].tolist() == [Going.SILENT]


def test_a_share_departs() -> None:
    stays = made(ChurnSpec(departures=(Departure(HOUR_US, share=0.25),)), 100)
    assert (stays["leave_us"] == HOUR_US).sum() == 25


@pytest.mark.parametrize(
    ("departure", "words"),
    [
        (Departure(0, (9,)), "there is no phone 9; choose from 0 to 5"),
        (Departure(0, (1,), return_us=5, profile="huge"), "'huge' is not in population.profiles"),
    ],
)
def test_a_departure_of_what_does_not_exist_is_refused(departure: Departure, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        made(ChurnSpec(departures=(departure,)), 6)


def test_a_file_says_who_is_there_when(tmp_path: Path) -> None:
    path = tmp_path / "stays.csv"
    path.write_text("phone,from_h,until_h,how,profile\n1,0,5,announced,\n1,7.5,,,large\n")
    stays = made(ChurnSpec(file=path), 3)
    assert stays["phone"].tolist() == [0, 1, 1, 2]
    assert stays["join_us"].tolist() == [0, 0, 7.5 * HOUR_US, 0]
    assert stays["leave_us"].tolist() == [NEVER_US, 5 * HOUR_US, NEVER_US, NEVER_US]
    assert stays["going"].tolist() == [0, Going.ANNOUNCED, 0, 0]
    assert stays["profile"].tolist() == [-1, -1, 1, -1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("phone,from_h\n1,0\n", "needs the columns phone, from_h, until_h"),
        ("phone,from_h,until_h\n7,0,1\n", "line 2: phone = 7, .* phones are 0 to 2"),
        ("phone,from_h,until_h\n1,2,1\n", "a stay begins before it ends"),
        ("phone,from_h,until_h\n1,x,1\n", "line 2: .* times are hours"),
        ("phone,from_h,until_h,how\n1,0,1,rudely\n", "how = 'rudely'; choose from silent"),
        ("phone,from_h,until_h\n1,0,5\n1,4,6\n", "phone 1 comes back before it has gone"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "stays.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        made(ChurnSpec(file=path), 3)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read .* churn.file is a CSV file"):
        made(ChurnSpec(file=tmp_path / "none.csv"), 3)


NIGHT = DayRates((*[1.0] * 6, *[0.0] * 18))
EVENING = DayRates((*[0.0] * 18, *[1.0, 2.0, 3.0], *[0.0] * 3))


def test_phones_go_and_come_in_the_hours_that_have_a_weight() -> None:
    spec = ChurnSpec(
        lifetime_days=2.0,
        arrivals_days=3.0,
        return_share=0.9,
        absence_days=0.5,
        leaving=NIGHT,
        coming=EVENING,
    )
    stays = made(spec)
    left = stays["leave_us"][stays["leave_us"] < NEVER_US]
    assert (left % DAY_US < 6 * HOUR_US).all()
    hours = stays["join_us"] % DAY_US // HOUR_US
    assert set(hours.tolist()) == {18, 19, 20}
    first = np.bincount(hours[first_of(stays)], minlength=24) / len(first_of(stays))
    assert first[18:21] == pytest.approx([1 / 6, 2 / 6, 3 / 6], abs=0.03)
    stay = stays[stays["leave_us"] < NEVER_US]
    lived = (stay["leave_us"] - stay["join_us"]).mean() / DAY_US
    assert lived == pytest.approx(2.0, abs=0.3), "rates by hour leave the mean of a stay as it is"
    same = stays["phone"][1:] == stays["phone"][:-1]
    assert (stays["join_us"][1:][same] > stays["leave_us"][:-1][same]).all()


def test_each_death_is_the_last_one_by_the_same_chance() -> None:
    last = last_deaths(0.25, 40_000, DRAWS)
    for number in range(1, 6):
        still_there = last[last >= number]
        assert (still_there == number).mean() == pytest.approx(0.25, abs=0.02)
    assert last_deaths(0.0, 3, DRAWS).tolist() == [0, 0, 0]
    assert last_deaths(1.0, 3, DRAWS).tolist() == [1, 1, 1]
    assert np.array_equal(last_deaths(0.25, 10, DRAWS), last[:10])


def test_equal_weights_are_no_weights() -> None:
    starts, passed = np.array([0, 5, 90_000_000_000]), np.array([1, DAY_US, 12_345_678_901])
    even = DayRates((2.0,) * 24).after(starts, passed)
    assert np.abs(even - DayRates().after(starts, passed)).max() <= 1
    assert (DayRates((24.0, *[0.0] * 23)).after(starts, np.ones(3, np.int64)) > starts).all()
