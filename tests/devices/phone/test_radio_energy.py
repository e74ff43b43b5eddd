"""The worked examples of Huang et al. 2012 by playing jobs, and tails that are paid once."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.devices.phone.battery import advance, settle
from droidloop.devices.phone.play import play_cohort
from droidloop.devices.phone.presence import home_at
from droidloop.devices.population.population import Population
from droidloop.network.radio import PRESETS
from droidloop.network.trace import Series
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US, SECOND_US, between, joules
from tests.contracts.worlds import steady

RADIO_PARTS = ("promotion_uj", "radio_uj", "tail_uj")


def transfers(population: Population, *starts_us: int, down: int = 0, up: int = 0) -> Jobs:
    """Play one transfer at each of *starts_us* on phone 0."""
    jobs = Jobs.plan(
        np.zeros(len(starts_us), np.int64),
        kind=Kind.TRAIN,
        plan_us=0,
        first=0,
        load_bytes=-1,
        down_bytes=down,
        up_bytes=up,
    )
    jobs.rows["plan_us"] = starts_us
    play_cohort(population.world, jobs.rows)
    assert jobs.done.all()
    return jobs


def is_about(t_us: int, expected_us: int) -> bool:
    """Whether *t_us* is *expected_us*, or earlier by less than a byte takes at 1 Mbit/s.

    The integral of a rate is anchored at time 0: a transfer may begin in the middle of a byte.
    """
    return bool(0 <= expected_us - t_us < 8)


BYTE_UJ = 7.52
"""What a byte costs on 3G at 1 Mbit/s."""


def spent_uj(population: Population, phone: int = 0) -> int:
    """Return what the radios of *phone* have spent when their tails are over."""
    t_us = int(population.state["t_us"][phone])
    advance(population.world, phone, t_us + MINUTE_US, 0, 0, 0, False)
    return sum(int(population.state[name][phone]) for name in RADIO_PARTS)


@pytest.mark.parametrize(
    ("radio", "way", "megabytes", "mbps", "data_j", "total_j"),
    [
        ("3g", "down", 1, 1, 7.5200, 14.9015),
        ("3g", "down", 1, 10, 1.6313, 9.0128),
        ("3g", "down", 5, 2, 21.2424, 28.6239),
        ("3g", "up", 1, 1, 13.4949, 20.8764),
        ("lte", "down", 1, 1, 10.7201, 23.4850),
        ("lte", "down", 1, 10, 1.4462, 14.2111),
        ("lte", "up", 1, 1, 13.8114, 26.5764),
        ("wifi", "down", 1, 1, 2.1590, 2.1972),
        ("wifi", "down", 1, 10, 1.2024, 1.2406),
        ("wifi", "down", 5, 2, 8.1376, 8.1758),
    ],
)
def test_an_isolated_transfer_costs_what_the_worked_example_says(
    radio: str, way: str, megabytes: int, mbps: int, data_j: float, total_j: float
) -> None:
    """Promotion, data and tail; LTE with the pulses of its DRX."""
    population = steady(radio, mbps=mbps)
    jobs = transfers(population, HOUR_US, **{way: megabytes * 1_000_000})
    promotion_us = round(PRESETS["2012"][radio].promotion_ms * 1000)
    took_us = megabytes * 8 * SECOND_US // mbps
    assert is_about(jobs["finish_us"][0], HOUR_US + promotion_us + took_us)
    assert joules(jobs["radio_uj"][0]) == pytest.approx(data_j, abs=7e-5)
    # the examples take long DRX cycles for the whole LTE tail: 0.3 mJ less than short ones first
    assert joules(spent_uj(population)) == pytest.approx(total_j, abs=4e-4)


@pytest.mark.parametrize(("radio", "total_j"), [("lte", 12.765), ("3g", 7.382), ("wifi", 0.038)])
def test_a_single_packet_costs_what_the_paper_prints(radio: str, total_j: float) -> None:
    """12.76 J, 7.38 J and 0.04 J (Huang 2012)."""
    population = steady(radio, mbps=100)
    transfers(population, HOUR_US, down=40)
    assert joules(spent_uj(population)) == pytest.approx(total_j, abs=6e-4)


def test_a_download_over_3g_takes_its_share_of_a_battery() -> None:
    """14.9 J are 0.053 % of 2070 mAh at 3.8 V, which are 28,318 J."""
    population = steady("3g", capacity_uj=round(2070 * 3.6 * 3.8 * 1e6), idle_uw=0, use_uw=0)
    population.traits["charge_uw"] = 0
    before_uj = int(population.state["battery_uj"][0])
    assert joules(before_uj) == pytest.approx(28_318, abs=0.5)
    transfers(population, HOUR_US, down=1_000_000)
    spent = spent_uj(population)
    assert before_uj - int(population.state["battery_uj"][0]) == spent
    assert 100 * spent / before_uj == pytest.approx(0.053, rel=0.01)


def test_an_inference_takes_the_current_of_its_core_for_its_time() -> None:
    """A big core of a Pixel XL, 0.481 A at 3.85 V, for 14 ms: 25.9 mJ."""
    population = steady("lte", cpu_uw=round(0.481 * 3.85 * 1e6), flops_per_s=10**10)
    jobs = Jobs.plan(np.array([0]), kind=Kind.INFER, plan_us=0, first=0, load_bytes=-1)
    jobs.rows["flops"] = 14 * 10**7
    play_cohort(population.world, jobs.rows)
    assert int(jobs["compute_end_us"][0] - jobs["start_us"][0]) == 14_000
    assert jobs["cpu_uj"][0] / 1000 == pytest.approx(25.9, rel=0.002)


def test_round_trips_before_the_first_byte_take_time_at_base_power() -> None:
    population = steady("lte")
    population.world.radios["rtt_us"] = 84_000
    jobs = transfers(population, HOUR_US, down=125_000)
    assert is_about(jobs["finish_us"][0], HOUR_US + 260_100 + 2 * 84_000 + SECOND_US)
    data_uj = 1_288_040 * 168 // 1000 + 1_340_010
    assert int(jobs["radio_uj"][0]) == pytest.approx(data_uj, abs=12)


@pytest.mark.parametrize("radio", ["3g", "lte", "wifi"])
def test_transfers_far_apart_cost_as_if_each_were_alone(radio: str) -> None:
    alone, spread = steady(radio), steady(radio)
    transfers(alone, HOUR_US, down=100_000)
    transfers(spread, *(HOUR_US + k * MINUTE_US for k in range(10)), down=100_000)
    assert spent_uj(spread) == 10 * spent_uj(alone)


@pytest.mark.parametrize("radio", ["3g", "lte", "wifi"])
def test_transfers_in_a_batch_share_one_promotion_and_one_tail(radio: str) -> None:
    """Ten at once cost what one of ten times the size costs."""
    batched, single = steady(radio), steady(radio)
    transfers(batched, *[HOUR_US] * 10, down=100_000)
    transfers(single, HOUR_US, down=1_000_000)
    assert spent_uj(batched) == spent_uj(single)
    assert batched.state["promotion_uj"][0] == single.state["promotion_uj"][0]


LAW_3G = PRESETS["2012"]["3g"].row()[0]
DCH_US, FACH_US = int(LAW_3G["tail_us"]), int(LAW_3G["tail2_us"])


def expected_3g_uj(gap_us: int, start_us: int, down: int) -> int:
    """Return what two transfers cost of which the second comes *gap_us* after the first."""

    def power(name: str, t0_us: int, length_us: int) -> int:
        return between(int(LAW_3G[f"{name}_uw"]), t0_us, t0_us + length_us)

    def transfer(t_us: int, promotion: str | None) -> tuple[int, int]:
        length_us = int(LAW_3G[f"{promotion}_us"]) if promotion else 0
        energy = power(promotion, t_us, length_us) if promotion else 0
        t_us += length_us
        took_us = down * 8
        return t_us + took_us, energy + between(940_000, t_us, t_us + took_us)

    def tail(t_us: int, length_us: int) -> int:
        first_us = min(length_us, DCH_US)
        second_us = min(length_us - first_us, FACH_US)
        return power("tail", t_us, first_us) + power("tail2", t_us + first_us, second_us)

    promotion = None if gap_us < DCH_US else "resume" if gap_us < DCH_US + FACH_US else "promotion"
    end_us, first = transfer(start_us, "promotion")
    last_us, second = transfer(end_us + gap_us, promotion)
    return first + tail(end_us, gap_us) + second + tail(last_us, MINUTE_US)


EDGES = (0, 1, DCH_US - 1, DCH_US, DCH_US + 1, DCH_US + FACH_US - 1, DCH_US + FACH_US)


@given(st.one_of(st.sampled_from(EDGES), st.integers(0, 20 * SECOND_US)), st.integers(0, HOUR_US))
def test_a_transfer_cuts_the_tail_of_the_one_before_and_pays_for_what_is_left(
    gap_us: int, start_us: int
) -> None:
    """No promotion in DCH, the short one in FACH, the whole one from idle; exact to two bytes."""
    population = steady("3g")
    end_us = int(transfers(population, start_us, down=10_000)["finish_us"][0])
    assert is_about(end_us, start_us + int(LAW_3G["promotion_us"]) + 80_000)
    transfers(population, end_us + gap_us, down=10_000)
    expected_uj = expected_3g_uj(gap_us, start_us, 10_000)
    assert spent_uj(population) == pytest.approx(expected_uj, abs=2 * BYTE_UJ + 4)


def test_the_tail_of_a_job_is_booked_with_the_next_one() -> None:
    population = steady("3g")
    jobs = transfers(population, HOUR_US, HOUR_US + MINUTE_US, down=125_000)
    whole_tail_uj = between(int(LAW_3G["tail_uw"]), 0, DCH_US)
    whole_tail_uj += between(int(LAW_3G["tail2_uw"]), 0, FACH_US)
    assert jobs["tail_uj"][0] == 0
    assert abs(jobs["tail_uj"][1] - whole_tail_uj) <= 2
    spent_uj(population)
    state = population.state[0]
    assert state["tail_uj"] - state["booked_tail_uj"] == pytest.approx(whole_tail_uj, abs=2)


def commuter() -> tuple[Population, int]:
    """Return a phone with WiFi at home and 3G outside, and when it first leaves home."""
    population = steady("3g", wifi=1)
    home, leave_us = home_at(population.world, 0, 0)
    assert home
    assert not home_at(population.world, 0, leave_us)[0]
    return population, leave_us


def test_a_transfer_goes_on_over_the_other_radio_and_each_tail_is_paid_once() -> None:
    """Leaving home in the middle: WiFi's tail runs beside the promotion of 3G."""
    population, leave_us = commuter()
    start_us = leave_us - 4 * SECOND_US
    jobs = transfers(population, start_us, down=1_000_000)
    wifi, cell = PRESETS["2012"]["wifi"].row()[0], LAW_3G
    wifi_us = 4 * SECOND_US - int(wifi["promotion_us"])
    cell_us = 8 * SECOND_US - wifi_us
    finish_us = leave_us + int(cell["promotion_us"]) + cell_us
    assert int(jobs["finish_us"][0]) == pytest.approx(finish_us, abs=16)  # two bytes
    spent_uj(population)
    tails = [(law["tail_us"], law["tail_uw"]) for law in (wifi, cell)]
    tails.append((cell["tail2_us"], cell["tail2_uw"]))
    expected = {
        "promotion_uj": sum(int(x["promotion_us"]) * int(x["promotion_uw"]) for x in (wifi, cell)),
        "tail_uj": sum(int(us) * int(uw) for us, uw in tails),
        "radio_uj": wifi_us * 269_870 + cell_us * 940_000,
    }
    for name, product in expected.items():
        assert int(population.state[name][0]) == pytest.approx(product / 1e6, abs=2 * BYTE_UJ + 4)


def test_a_gap_stops_a_transfer_which_resumes_where_it_stopped() -> None:
    """Ten seconds on, five off: the promotion is paid again only when the tail is over."""
    series = Series(np.array([0, 10, 15]) * SECOND_US, np.array([125_000, 0, 125_000]), DAY_US)
    population = steady("3g", series=[series], offset_us=0)
    jobs = transfers(population, 0, down=2_000_000)
    assert is_about(jobs["finish_us"][0], 21 * SECOND_US + int(LAW_3G["promotion_us"]))
    promotion_uj = int(LAW_3G["promotion_us"]) * int(LAW_3G["promotion_uw"]) / 1e6
    assert jobs["promotion_uj"][0] == pytest.approx(promotion_uj, abs=1)
    assert jobs["tail_uj"][0] == between(int(LAW_3G["tail_uw"]), 0, 5 * SECOND_US)
    assert jobs["downloaded_bytes"][0] == 2_000_000


def test_settling_between_transfers_changes_nothing() -> None:
    asked, left = steady("3g"), steady("3g")
    starts: Any = [HOUR_US, HOUR_US + 9 * SECOND_US, HOUR_US + 17 * SECOND_US]
    transfers(left, *starts, down=1000)
    for start_us in starts:
        settle(asked.world, start_us - 1_234_567)
        transfers(asked, start_us, down=1000)
    for population in (asked, left):
        settle(population.world, 2 * HOUR_US)
    for name in RADIO_PARTS:
        assert asked.state[name][0] == left.state[name][0]
