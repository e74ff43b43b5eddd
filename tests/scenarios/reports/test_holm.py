"""Tests of differences, corrected by Holm's rule where many are made at once."""

import numpy as np
import pytest
from scipy import stats

from droidloop.platform.intervals import interval
from droidloop.scenarios.reports.holm import holm, p_value


def test_p_is_that_of_the_paired_t_test() -> None:
    values = [0.1, -0.2, 0.4, 0.3, 0.0, 0.5]
    mean, half = interval(values)
    expected = float(stats.ttest_1samp(values, 0.0).pvalue)
    assert p_value(mean, half, len(values)) == pytest.approx(expected, rel=1e-9)


def test_values_that_are_all_equal_leave_no_doubt() -> None:
    assert p_value(0.0, 0.0, 5) == 1.0
    assert p_value(0.1, 0.0, 5) == 0.0
    assert np.isnan(p_value(0.1, float("nan"), 1))


def test_holm_goes_down_by_steps() -> None:
    """0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 is no smaller than the one before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_what_was_not_tested_does_not_count() -> None:
    first, none, last = holm([0.01, float("nan"), 0.02])
    assert (first, last) == (0.02, 0.02)
    assert np.isnan(none)
