"""Coverage as a function of time: no walking, the right share, honest about until when."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from droidloop.devices.population.population import REGIONS
from droidloop.network.coverage import CYCLES_PER_BLOCK, Region, renewal_at
from droidloop.platform.draws import Draws
from droidloop.platform.units import DAY_US, SECOND_US

DRAWS = Draws(11, "coverage")
NEVER = 2**62


@njit
def _walk(key: Any, rows: int, span_us: int, up_us: int, down_us: int) -> tuple[int, int, int]:
    """Return the covered time of *rows* processes, the number of gaps and their whole length."""
    covered_us, gaps, gap_us = 0, 0, 0
    for row in range(rows):
        t_us, before = 0, True
        while t_us < span_us:
            up, until_us = renewal_at(key, row, t_us, up_us, down_us)
            end_us = min(until_us, span_us)
            if up:
                covered_us += end_us - t_us
            else:
                gap_us += end_us - t_us
                gaps += before
            before, t_us = up, end_us
    return covered_us, gaps, gap_us


def reference(row: int, block: int, up_us: int, down_us: int) -> list[tuple[int, bool]]:
    """Return the changes of one block, in plain Python: (time, whether up from there on)."""
    block_us = CYCLES_PER_BLOCK * (up_us + down_us)
    t_us, counter = block * block_us, block * 65_536
    up = bool(DRAWS.uniform(row, counter) * (up_us + down_us) < up_us)
    changes = [(t_us, up)]
    while t_us < (block + 1) * block_us:
        counter += 1
        t_us += 1 + int(DRAWS.exponential(row, counter, up_us if up else down_us))
        up = not up
        changes.append((t_us, up))
    changes[-1] = ((block + 1) * block_us, up)
    return changes


means = st.integers(1, 10**10)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 10**5), means, means, st.data())
def test_any_time_can_be_asked_and_until_is_the_next_change(
    row: int, block: int, up_us: int, down_us: int, data: Any
) -> None:
    changes = reference(row, block, up_us, down_us)
    for _ in range(20):
        k = data.draw(st.integers(0, len(changes) - 2))
        (start_us, up), (end_us, _) = changes[k], changes[k + 1]
        t_us = data.draw(st.integers(start_us, end_us - 1))
        assert renewal_at(DRAWS.key, row, t_us, up_us, down_us) == (up, end_us)


SETTINGS = {
    **REGIONS,
    "half": Region(0.5, 60.0),
    "sparse": Region(0.05, 600.0),
}


CASES = [
    *((name, "gap", 10) for name in SETTINGS),
    *((name, "fade", 1) for name in REGIONS),
]


@pytest.mark.parametrize(("name", "process", "days"), CASES)
def test_the_long_run_share_is_the_setting(name: str, process: str, days: int) -> None:
    """1,000 phones, within four standard errors of an on-off process."""
    setting = SETTINGS[name]
    row = setting.row()[0]
    columns = ("covered_us", "gap_us") if process == "gap" else ("clear_us", "fade_us")
    up_us, down_us = (int(row[column]) for column in columns)
    span_us = 1000 * days * DAY_US
    covered_us, gaps, gap_us = _walk(DRAWS.key, 1000, days * DAY_US, up_us, down_us)
    wanted = setting.covered_share if process == "gap" else 1 - setting.fade_share
    error = np.sqrt(2 * wanted * (1 - wanted) * up_us * down_us / (up_us + down_us) / span_us)
    assert abs(covered_us / span_us - wanted) < 4 * error
    # the end of a block may cut a gap, which shortens the mean by this much at most
    cut = 0.25 / CYCLES_PER_BLOCK
    assert gap_us / gaps == pytest.approx(down_us, rel=cut + 4 / np.sqrt(gaps))


def test_every_phone_has_gaps_of_its_own() -> None:
    starts = {renewal_at(DRAWS.key, row, 0, 10**8, 10**8) for row in range(200)}
    assert len(starts) == 200


def test_full_coverage_never_ends() -> None:
    row = Region(1.0, 45.0).row()[0]
    assert renewal_at(DRAWS.key, 3, 10**15, int(row["covered_us"]), int(row["gap_us"])) == (
        True,
        NEVER,
    )


def test_no_coverage_never_begins() -> None:
    row = Region(0.0, 45.0).row()[0]
    assert renewal_at(DRAWS.key, 3, 10**15, int(row["covered_us"]), int(row["gap_us"])) == (
        False,
        NEVER,
    )


def test_fading_and_no_coverage_are_two_processes() -> None:
    """Gaps of seconds and gaps of minutes."""
    row = REGIONS["rural"].row()[0]
    assert int(row["gap_us"]) == 300 * SECOND_US
    assert int(row["fade_us"]) == 2 * SECOND_US
