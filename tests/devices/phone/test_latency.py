"""The time of one inference against published ones: 54 of them, 17 networks, four phones."""

import numpy as np
import pytest

from droidloop.devices.phone.play import compute_us
from droidloop.devices.population.profiles import FLOPS_PER_CYCLE, OPERATOR_CYCLES
from droidloop.platform.arrays import Array
from droidloop.platform.jobs import Jobs, Kind
from tests.contracts.worlds import steady

from .latencies import PHONES, PUBLISHED, Latency, Network, v1, v2, v3

BEFORE_XNNPACK = 1.44
"""How much longer a network took before: fitted, together with the rates of the cores."""
TRAFFIC = 9_000_000_000
"""Bytes per second that one core of these phones moves (LPDDR4): fitted likewise."""


def predicted_ms(one: Latency) -> float:
    """Return what the law of jobs says on a phone with the big core of *one*."""
    kind, ghz = PHONES[one.phone]
    population = steady(
        "lte",
        flops_per_s=round(FLOPS_PER_CYCLE[kind] * ghz * 1e9),
        operator_ns=round(OPERATOR_CYCLES / ghz),
        memory_bytes_per_s=TRAFFIC,
    )
    jobs = Jobs.plan(
        np.arange(1),
        kind=Kind.INFER,
        plan_us=0,
        first=0,
        flops=2 * one.network.macs,
        moved_bytes=4 * (one.network.weights + one.network.moved),
        operators=one.network.operators,
        load_bytes=-1,
    )
    us = compute_us(population.world, jobs.rows[0])
    return us / 1000 * (1.0 if one.engine == "xnnpack" else BEFORE_XNNPACK)


def rank_correlation(some: Array, others: Array) -> float:
    """Return Spearman's correlation."""
    ranks = [np.argsort(np.argsort(values)) for values in (some, others)]
    return float(np.asarray(np.corrcoef(ranks))[0, 1])


RATIOS = np.array([predicted_ms(one) / one.ms for one in PUBLISHED])
SIZES = np.array([one.network.macs for one in PUBLISHED])


@pytest.mark.parametrize(
    ("network", "macs", "weights"),
    [
        (v1(), 569e6, 4.24e6),
        (v2(), 300e6, 3.47e6),
        (v2(1.4), 582e6, 6.06e6),
        (v2(0.35, 96), 11e6, 1.66e6),
        (v3(large=True), 217e6, 5.4e6),
        (v3(large=False), 57e6, 2.5e6),
        (v3(large=True, minimal=True), 209e6, 3.9e6),
    ],
)
def test_networks_have_the_published_numbers_of_multiplications_and_weights(
    network: Network, macs: float, weights: float
) -> None:
    assert network.macs == pytest.approx(macs, rel=0.09)
    assert network.weights == pytest.approx(weights, rel=0.03)


def test_published_one_thread_latencies_are_met_within_7_percent_in_the_median() -> None:
    assert len(PUBLISHED) == 54
    errors = np.abs(RATIOS - 1)
    assert np.median(errors) < 0.07
    assert max(RATIOS.max(), 1 / RATIOS.min()) < 1.3


def test_neither_small_nor_large_networks_come_out_too_fast() -> None:
    for errors in (RATIOS, np.abs(np.log(RATIOS))):
        assert abs(rank_correlation(errors, SIZES)) < 0.3


@pytest.mark.parametrize("phone", PHONES)
def test_each_phone_is_met(phone: str) -> None:
    mine = np.array([one.phone == phone for one in PUBLISHED])
    assert np.median(np.abs(RATIOS[mine] - 1)) < 0.13


def test_todays_engine_is_met_without_the_factor_of_the_older_one() -> None:
    mine = np.array([one.engine == "xnnpack" for one in PUBLISHED])
    assert mine.sum() == 12
    assert np.median(np.abs(RATIOS[mine] - 1)) < 0.08
    assert (np.abs(np.log(RATIOS[mine])) < np.log(1.2)).all()
