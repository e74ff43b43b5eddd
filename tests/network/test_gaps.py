"""Gaps: the chains fitted to recorded series, and regions made of them."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.network.coverage import renewal_at
from droidloop.network.formats import read_trace, read_traces
from droidloop.network.gaps import (
    FITTED,
    GHENT_4G,
    OSLO_3G,
    US_EVDO,
    US_UMTS,
    GapFit,
    per_second,
)
from droidloop.network.trace import Series
from droidloop.network.uplink import UPLINK_SHARE, uplink, uplink_share
from droidloop.platform.draws import Draws
from droidloop.platform.units import SECOND_US


def fit_gaps(traces: list[Series], threshold: int) -> GapFit:
    """The maximum-likelihood chain; a second of *threshold* bytes or fewer is bad."""
    counts = np.zeros((2, 2), np.int64)
    for series in traces:
        bad = (per_second(series) <= threshold).astype(np.int64)
        np.add.at(counts, (bad[:-1], bad[1:]), 1)
    (_, falls), (rises, _) = counts
    return GapFit(float(counts[0].sum() / falls), float(counts[1].sum() / rises))


@pytest.mark.parametrize(
    ("source", "kbps", "p", "r", "share"),
    [
        ("norway-3g", 0, 0.00072, 0.0116, 0.0588),
        ("norway-3g", 100, 0.02199, 0.0857, 0.2041),
        ("ghent-4g", 0, 0.00207, 0.3524, 0.0058),
        ("mahimahi/TMobile-UMTS-driving.down.gz", 0, 0.01897, 0.5312, 0.0345),
        ("mahimahi/Verizon-EVDO-driving.down.gz", 0, 0.01178, 0.2791, 0.0405),
        ("mahimahi/ATT-LTE-driving.down.gz", 100, 0.0066, 0.1429, 0.0441),
    ],
)
def test_the_fits_beside_the_recorded_traces_are_reproduced(
    shared: Path, source: str, kbps: int, p: float, r: float, share: float
) -> None:
    traces = [trace.down for trace in read_traces(shared / "data/network" / source)]
    fit = fit_gaps(traces, kbps * 125)
    assert 1 / fit.covered_mean_s == pytest.approx(p, rel=0.007)
    assert 1 / fit.gap_mean_s == pytest.approx(r, rel=0.002)
    assert fit.gap_share == pytest.approx(share, rel=0.007)


def test_the_regions_are_what_the_traces_give(shared: Path) -> None:
    folder = shared / "data/network"
    for fit, source in (
        (OSLO_3G, "norway-3g"),
        (GHENT_4G, "ghent-4g"),
        (US_UMTS, "mahimahi/TMobile-UMTS-driving.down.gz"),
        (US_EVDO, "mahimahi/Verizon-EVDO-driving.down.gz"),
    ):
        assert fit == pytest.approx(fit_gaps([t.down for t in read_traces(folder / source)], 0))


def test_no_coverage_lasts_minutes_and_fading_seconds() -> None:
    commute = FITTED["commute-3g"]
    assert commute.gap_s == pytest.approx(86.2, abs=0.1)
    assert commute.covered_share == pytest.approx(0.9420, abs=1e-3)
    assert commute.fade_s == pytest.approx(1.88, abs=0.01)
    assert commute.fade_share == pytest.approx(0.0345, abs=1e-4)
    assert FITTED["us-umts"].covered_share == 1.0
    assert FITTED["oslo-3g"].fade_share == 0.0


def test_a_region_spends_the_fitted_share_of_time_without_coverage() -> None:
    """Long-run share of 200 phones over 40 days of the fitted process, 1 % of it."""
    row = FITTED["oslo-3g"].row()[0]
    key = Draws(4, "gaps").key
    down_us, total_us = 0, 0
    for phone in range(200):
        t_us = 0
        while t_us < 5 * 86_400 * SECOND_US:
            up, until_us = renewal_at(key, phone, t_us, int(row["covered_us"]), int(row["gap_us"]))
            down_us += 0 if up else until_us - t_us
            total_us += until_us - t_us
            t_us = until_us
    assert down_us / total_us == pytest.approx(OSLO_3G.gap_share, rel=0.03)


def test_a_series_of_fractions_of_a_second_is_cut_into_seconds() -> None:
    series = Series(np.array([0, 300_000, 1_700_000]), np.array([1000, 0, 500]), 3 * SECOND_US)
    assert per_second(series).tolist() == [300, 150, 500]


def test_uplink_shares_come_from_the_recorded_pairs_or_lie_between_them(shared: Path) -> None:
    folder = shared / "data/network/mahimahi"

    def share(name: str) -> float:
        return uplink_share(read_trace(folder / f"{name}.down.gz"))

    assert share("TMobile-UMTS-driving") == pytest.approx(UPLINK_SHARE["3g"], abs=1e-3)
    assert share("ATT-LTE-driving") < UPLINK_SHARE["lte"] < share("ATT-LTE-driving-2016")


def test_an_uplink_is_the_recorded_one_or_a_share_of_the_downlink(shared: Path) -> None:
    folder = shared / "data/network"
    pair = read_trace(folder / "mahimahi/TMobile-UMTS-driving.down.gz")
    assert uplink(pair, 0.5) is pair.up
    norway = read_trace(folder / "norway-3g/report.2010-09-13_1003CEST.json.gz")
    half = uplink(norway, 0.5)
    assert (half.values == norway.down.values // 2).all()
    with pytest.raises(ValueError, match="has no uplink"):
        uplink_share(norway)
    with pytest.raises(ValueError, match=r"lies in 0\.\.10"):
        uplink(norway, -0.1)
