"""Radio laws by themselves: powers, tails, promotions and the printed totals they come from."""

from itertools import pairwise
from typing import Any

import pytest

from droidloop.network.radio import PRESETS, Radio, active_uw, promotion_at, tail_at

NEVER = 2**62
HUANG = PRESETS["2012"]


def law(radio: Radio) -> Any:
    """Return *radio* as the record that compiled laws read."""
    return radio.row()[0]


@pytest.mark.parametrize(
    ("name", "up", "mbps", "milliwatts"),
    [
        ("3g", False, 1, 940.00),
        ("3g", False, 10, 2039.08),
        ("3g", False, 2, 1062.12),
        ("3g", True, 1, 1686.86),
        ("lte", False, 1, 1340.01),
        ("lte", False, 10, 1807.74),
        ("lte", True, 1, 1726.43),
        ("wifi", False, 1, 269.87),
        ("wifi", False, 10, 1502.96),
        ("wifi", False, 2, 406.88),
    ],
)
def test_active_power_is_that_of_the_worked_examples(
    name: str, up: bool, mbps: int, milliwatts: float
) -> None:
    """alpha * rate + beta (Huang 2012, table 4), exact in microwatts."""
    assert active_uw(law(HUANG[name]), mbps * 125_000, up) == round(milliwatts * 1000)


@pytest.mark.parametrize(("name", "total_j"), [("3g", 7.382), ("lte", 12.765), ("wifi", 0.038)])
def test_promotion_and_tail_cost_what_the_paper_prints_for_one_packet(
    name: str, total_j: float
) -> None:
    radio = law(HUANG[name])
    promotion_uj = int(radio["promotion_us"]) * int(radio["promotion_uw"]) / 1e6
    tail_uj = int(radio["tail_us"]) * int(radio["tail_uw"]) / 1e6
    tail_uj += int(radio["tail2_us"]) * int(radio["tail2_uw"]) / 1e6
    assert (promotion_uj + tail_uj) / 1e6 == pytest.approx(total_j, abs=6e-4)


TWO_PARTS = Radio(
    promotion_ms=600,
    promotion_mw=700,
    base_mw=1,
    down_mw_per_mbps=1,
    up_mw_per_mbps=1,
    tail_ms=8000,
    tail_mw=800,
    tail2_ms=900,
    tail2_mw=500,
    resume_ms=1500,
    resume_mw=490,
    idle_mw=3,
    rtt_ms=100,
)


@pytest.mark.parametrize(
    ("after_us", "tail", "promotion"),
    [
        (0, (800_000, 8_000_000), (0, 0)),
        (7_999_999, (800_000, 8_000_000), (0, 0)),
        (8_000_000, (500_000, 8_900_000), (1_500_000, 490_000)),
        (8_899_999, (500_000, 8_900_000), (1_500_000, 490_000)),
        (8_900_000, (0, None), (600_000, 700_000)),
        (10**12, (0, None), (600_000, 700_000)),
    ],
)
def test_a_tail_has_two_parts_and_the_next_promotion_depends_on_them(
    after_us: int, tail: tuple[int, int | None], promotion: tuple[int, int]
) -> None:
    """DCH: no promotion. FACH: the shorter one. Idle: the whole one."""
    end_us = 123_456_789
    until_us = NEVER if tail[1] is None else end_us + tail[1]
    assert tail_at(law(TWO_PARTS), end_us, end_us + after_us) == (tail[0], until_us)
    assert promotion_at(law(TWO_PARTS), end_us, end_us + after_us) == promotion


def test_a_radio_that_was_never_used_or_is_in_use_has_no_tail() -> None:
    assert tail_at(law(TWO_PARTS), -1, 5) == (0, NEVER)
    assert promotion_at(law(TWO_PARTS), -1, 5) == (600_000, 700_000)


def test_a_radio_used_at_time_0_has_a_tail() -> None:
    """0 is a time, not a sign for never."""
    assert tail_at(law(TWO_PARTS), 0, 5) == (800_000, 8_000_000)


@pytest.mark.parametrize("name", list(HUANG))
def test_a_tail_says_until_when_it_holds_and_there_it_changes(name: str) -> None:
    radio = law(HUANG[name])
    t_us, powers = 1000, []
    while t_us < NEVER:
        power, until_us = tail_at(radio, 1000, t_us)
        assert until_us > t_us
        assert tail_at(radio, 1000, until_us - 1) == (power, until_us)
        powers.append(power)
        t_us = until_us
    assert powers[-1] == 0
    assert all(one != other for one, other in pairwise(powers))


def test_presets_are_named_by_year_and_hold_wifi_and_cellular_radios() -> None:
    """Powers of different years and phones never mix: a preset is complete in itself."""
    for year, radios in PRESETS.items():
        assert year.isdigit()
        assert "wifi" in radios
        assert set(radios) & {"3g", "lte", "5g"}
