"""Policies of selection: who can spare energy, who was asked least."""

import itertools
from pathlib import Path

import numpy as np

from droidloop.devices.phone.battery import settle
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import HOUR_US
from droidloop.scenarios.policies.fair import fairest
from droidloop.scenarios.policies.power import fullest
from tests.contracts.worlds import mixed
from tests.scenarios.conftest import Command

DRAWS = Draws(3, "policies")


def test_the_fullest_phones_are_those_on_a_charger_then_those_with_most_charge() -> None:
    population, able, t_us = mixed(80), np.arange(80), 20 * HOUR_US
    settle(population.world, t_us)
    chosen = fullest(population.world, able, 30, t_us, DRAWS, 0)
    plugged = fullest(population.world, able, 80, t_us, DRAWS, 0)
    assert plugged.tolist() == able.tolist()
    level = population.state["battery_uj"] / population.traits["capacity_uj"]
    rest = np.setdiff1d(able, chosen)
    # once somebody without a charger is in, all with one are, and nobody fuller is left out
    order = [fullest(population.world, able, k, t_us, DRAWS, 0) for k in range(81)]
    steps = [int(np.setdiff1d(two, one)[0]) for one, two in itertools.pairwise(order)]
    falls = np.flatnonzero(np.diff(level[steps]) > 0)
    assert len(falls) <= 1, "charge falls along the order, but where the chargers end"
    assert len(rest) == 50


def test_the_fairest_choice_asks_everybody_once_before_anybody_twice() -> None:
    asked, able = np.zeros(50, np.int64), np.arange(50)
    for counter in range(20):
        chosen = fairest(able, asked, 7, DRAWS, counter)
        asked[chosen] += 1
        assert asked.max() - asked.min() <= 1
    assert asked.sum() == 140


def test_a_fair_run_spreads_the_work_more_evenly_than_a_random_one(
    command: Command, small: Path, tmp_path: Path
) -> None:
    spread = {}
    for policy in ("random", "fair"):
        out = tmp_path / policy
        wanted = {
            "protocol.policy": policy,
            "protocol.clients": 10,
            "protocol.rounds": 12,
            "protocol.every_s": 3600,
            "population.ideal": "true",
            "population.lifetime_days": 1000.0,
            "delivery.variant": "none",
            "evaluation.baselines": "[]",
        }
        settings = [word for key, value in wanted.items() for word in ("--set", f"{key}={value}")]
        result = command("run", small, *settings, "--out", out)
        assert result.exit_code == 0, result.output
        jobs = read(RunDirectory.open(out).path, "jobs")
        times = np.bincount(jobs["phone"][jobs["kind"] == Kind.TRAIN], minlength=60)
        assert times.sum() == 120
        spread[policy] = times.max() - times.min()
    assert spread["fair"] == 0
    assert spread["random"] > 1
