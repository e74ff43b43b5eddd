"""Phones that share a cell: fair shares, times that can be worked out, and the fleets' contract."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.devices.fleets.fleet import CohortFleet, ExactFleet, Fleet
from droidloop.devices.phone.cells import Cells, CellSpec, fair_shares
from droidloop.devices.population.population import Population
from droidloop.network.trace import Series
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine
from droidloop.platform.errors import ScenarioError
from droidloop.platform.jobs import JobArray, Jobs, Kind, Need, Outcome
from droidloop.platform.units import DAY_US, HOUR_US, SECOND_US
from tests.contracts.fleet import Played, SimulatedFleetContract, play
from tests.contracts.worlds import mixed, random_jobs, steady

MEGABYTE = 1_000_000


@given(st.dictionaries(st.integers(0, 50), st.integers(0, 10**9)), st.integers(0, 10**9))
def test_fair_shares_are_max_min_fair_and_never_pass_the_capacity(
    demands: dict[int, int], capacity: int
) -> None:
    shares = fair_shares(demands, capacity)
    assert shares.keys() == demands.keys()
    assert sum(shares.values()) <= capacity
    assert all(shares[key] <= demand for key, demand in demands.items())
    wanting = [shares[key] for key, demand in demands.items() if shares[key] < demand]
    if wanting:
        # who gets less than it wants gets what nobody passes but by one byte, and nothing is left
        assert min(wanting) >= max(shares.values()) - 1
        assert sum(shares.values()) > capacity - len(demands)


def sharing(phones: int, down_rate: int, up_rate: int, **traits: Any) -> Population:
    """Return phones of one cell, each with a link of 1 MB/s and a radio that is ready at once."""
    population = steady("lte", phones=phones, mbps=8, capacity_uj=10**15, **traits)
    population.world.radios["promotion_us"] = 0
    cells = Cells(np.zeros(phones, np.int64), down_rate, up_rate)
    return Population(
        population.world, population.profiles, population.regions, population.radios, cells
    )


def played(population: Population, batches: list[Jobs]) -> JobArray:
    """Play *batches* exactly and return their rows in the order of planning."""
    engine = Engine()
    return play(engine, ExactFleet(engine, population), population, batches).rows


def downloads(sizes: list[int], starts_s: list[float]) -> list[Jobs]:
    """Return one batch a phone: *sizes* bytes to download from *starts_s* on."""
    return [
        Jobs.plan(
            np.array([k]),
            kind=Kind.TRAIN,
            plan_us=round(start_s * SECOND_US),
            first=k,
            load_bytes=-1,
            down_bytes=size,
        )
        for k, (size, start_s) in enumerate(zip(sizes, starts_s, strict=True))
    ]


def test_who_comes_later_takes_half_and_who_stays_takes_what_is_left() -> None:
    """Alone for 1 s, then two at 0.5 MB/s until the first is through, then alone again."""
    population = sharing(2, MEGABYTE, MEGABYTE)
    rows = played(population, downloads([2 * MEGABYTE, 3 * MEGABYTE // 2], [0, 1]))
    assert rows["down_end_us"].tolist() == [3 * SECOND_US, 3 * SECOND_US + SECOND_US // 2]


def test_uploads_share_the_uplink_and_not_the_downlink() -> None:
    population = sharing(4, 10 * MEGABYTE, MEGABYTE)
    jobs = Jobs.plan(
        np.arange(4),
        kind=Kind.TRAIN,
        plan_us=0,
        first=0,
        load_bytes=-1,
        down_bytes=MEGABYTE,
        up_bytes=MEGABYTE,
    )
    rows = played(population, [jobs])
    assert set(rows["down_end_us"].tolist()) == {SECOND_US}
    assert set(rows["finish_us"].tolist()) == {5 * SECOND_US}


@given(st.lists(st.integers(1, 20 * MEGABYTE), min_size=2, max_size=12))
def test_a_cell_is_never_idle_while_somebody_wants_more_than_it_gives(sizes: list[int]) -> None:
    """Links are as fast as the cell: so all are through when the sum of bytes has gone."""
    population = sharing(len(sizes), MEGABYTE, MEGABYTE)
    rows = played(population, downloads(sizes, [0.0] * len(sizes)))
    assert rows["downloaded_bytes"].tolist() == sizes
    last_us = int(rows["finish_us"].max())
    # each stretch of constant shares may round each phone's bytes by one
    slack = len(sizes) ** 2
    assert last_us >= sum(sizes) - slack, "more has gone than the cell carries"
    assert last_us <= sum(sizes) * (1 + len(sizes) / MEGABYTE) + slack


def test_a_phone_that_dies_leaves_its_share_to_the_others_at_that_time() -> None:
    population = sharing(
        2,
        MEGABYTE,
        MEGABYTE,
        series=[Series(np.array([0]), np.array([0]), DAY_US)],
        rate_series=-1,
        charge_series=0,
        idle_uw=0,
        use_uw=0,
    )
    population.world.radios["base_uw"] = 1_000_000
    population.world.radios["down_uw"] = 0
    population.state["battery_uj"][0] = 2_000_000
    rows = played(population, downloads([10 * MEGABYTE, 2 * MEGABYTE], [0, 0]))
    assert rows["outcome"].tolist() == [Outcome.LOST_DEAD, Outcome.DONE]
    assert rows["finish_us"].tolist() == [2 * SECOND_US, 3 * SECOND_US]
    assert rows["downloaded_bytes"].tolist() == [MEGABYTE, 2 * MEGABYTE]


def test_cells_with_room_for_all_change_nothing() -> None:
    """The same rows and accounts as where nothing is shared, to the bit."""
    rows, states = [], []
    for cells in (None, CellSpec(10, 10**6, 10**6)):
        population = mixed(60, cells=cells, loss=True, throttling=True)
        draws, engine = Draws(4, "room"), Engine()
        batches = [
            random_jobs(population, draws, k, plan_us=k * HOUR_US, first=90 * k, count=90)
            for k in range(8)
        ]
        result = play(engine, ExactFleet(engine, population), population, batches)
        rows.append(result.rows)
        states.append(population.state)
    assert rows[0].tobytes() == rows[1].tobytes()
    assert states[0].tobytes() == states[1].tobytes()


def test_cohort_play_is_refused_where_phones_share_a_cell() -> None:
    with pytest.raises(ScenarioError, match="cannot share a cell's capacity; set play"):
        CohortFleet(Engine(), mixed(4, cells=CellSpec(2, 1.0, 1.0)))


NARROW = CellSpec(40, 0.2, 0.1)


class TestExactFleetInNarrowCells(SimulatedFleetContract):
    rare = frozenset({Outcome.INTERRUPTED_WIFI})  # few of them have WiFi

    def people(self) -> Population:
        return mixed(40, cells=NARROW, loss=True, throttling=True, wifi_share=0.4)

    def make(self, engine: Engine, population: Population, folder: Path) -> Fleet:
        return ExactFleet(engine, population)

    def test_cells_are_narrow(self, played: Played) -> None:
        """Alone, the same phones would be through much sooner: else this tests nothing."""
        alone = mixed(40, loss=True, throttling=True, wifi_share=0.4)
        engine = Engine()
        free = play(engine, ExactFleet(engine, alone), alone, self.plan(alone))
        done = [
            int(((rows["outcome"] == Outcome.DONE) & (rows["needs"] < Need.DIRECT)).sum())
            for rows in (played.rows, free.rows)
        ]
        assert done[0] < 0.97 * done[1]
