"""Policies of selection: who can spare energy, who was asked least."""

from pathlib import Path

import numpy as np

from droidloop.devices.phone.battery import settle
from droidloop.devices.phone.charging import charger_at
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
    level = population.state["battery_uj"] / population.traits["capacity_uj"]
    plugged = np.array([charger_at(population.world, k, t_us)[0] > 0 for k in able.tolist()])
    assert 0 < plugged.sum() < 80
    for count in (1, int(plugged.sum()) - 1, int(plugged.sum()) + 5, 79):
        chosen = np.isin(able, fullest(population.world, able, count, t_us, DRAWS, 0))
        assert chosen.sum() == count
        # nobody on a charger stays behind while somebody without one is chosen
        assert not (plugged & ~chosen).any() or not (~plugged & chosen).any()
        for alike in (plugged, ~plugged):
            inside, outside = level[alike & chosen], level[alike & ~chosen]
            assert inside.min(initial=1.0) >= outside.max(initial=0.0)


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
            "churn.lifetime_days": 1000.0,
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
