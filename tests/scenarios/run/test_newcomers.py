"""Phones that took no part fit what is private to the model that they get, and that is paid for.

What they show then is better than what they began with, or else they show popularity.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.evaluation.evaluator import InsteadScorer, TableScorer
from droidloop.models.interfaces.learning import Cohort
from droidloop.models.learning.learning import FederatedLearning, Learning
from droidloop.models.learning.newcomers import PASSES, with_newcomers
from droidloop.platform.arrays import IntArray
from droidloop.platform.errors import ScenarioError
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import Rows, read
from droidloop.platform.registry import every
from droidloop.platform.state import copied
from droidloop.scenarios.run.experiment import prepare
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.runtime.context import local_at
from droidloop.scenarios.schema.load import load
from droidloop.scenarios.schema.schema import Scenario

PHONES, TOOK = 12, [0, 3, 4]
SHIPPING = [one.name for one in every("rule") if {"server", "ships"} <= one.gives]
ALONE = [one.name for one in every("rule") if "ships" not in one.gives and "auc" not in one.gives]


def learning_of(rule: str) -> Learning:
    """Return a small society of that rule in which the phones of ``TOOK`` have learned."""
    content: dict[str, Any] = {
        "name": "newcomers",
        "title": "Three phones of twelve have learned",
        "data": {"items": 30, "interactions": 8, "places": rule in ("dclr", "mac")},
        "population": {"phones": PHONES, "ideal": True},
        "training": {"rule": rule},
        "protocol": {"kind": "rounds"} if rule in SHIPPING else {},
        "delivery": {"variant": "none"},
        "evaluation": {"baselines": [], "candidates": 10},
    }
    if not content["protocol"]:
        protocols = ("rounds", "groups", "gossip", "local")
        content["protocol"] = {"kind": next(one for one in protocols if fits(content, one))}
    learning: Learning = prepare(Scenario.of(content)).learning
    learning.took_part[TOOK] = True
    return learning


def fits(content: dict[str, Any], protocol: str) -> bool:
    try:
        Scenario.of(content | {"protocol": {"kind": protocol}})
    except ScenarioError:
        return False
    return True


def everything(data: UserItems, phones: IntArray) -> UserItems:
    return data.take(phones)


def same(one: Any, other: Any) -> bool:
    """Return whether two trees hold the same."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return np.array_equal(one, other)


@pytest.mark.parametrize("rule", SHIPPING)
def test_newcomers_train_what_is_private_and_nobody_else_does(rule: str) -> None:
    learning = learning_of(rule)
    first = learning.snapshot()
    assert first.ship is not None
    before = copied(learning.state())
    now, again = (with_newcomers(learning, everything) for _ in range(2))
    assert same(learning.state(), before)
    assert now.ship is not None
    assert again.ship is not None
    private = first.ship().private
    fitted = now.ship().private
    assert np.array_equal(fitted, again.ship().private)
    assert np.array_equal(fitted[TOOK], private[TOOK])
    new = np.setdiff1d(np.arange(PHONES), TOOK)
    assert (fitted[new] != private[new]).any(axis=1).all()
    assert now.fit is not None
    assert now.fit.phones.tolist() == new.tolist()
    assert (np.asarray(now.fit.cost.flops) > 0).all()


def test_a_rule_that_solves_needs_one_step_and_others_take_all() -> None:
    for rule, passes in (("fcf", 1), ("fedmf", PASSES)):
        learning = learning_of(rule)
        assert isinstance(learning, FederatedLearning)
        fit = with_newcomers(learning, everything).fit
        assert fit is not None
        mine = learning.data.take(fit.phones)
        once = learning.client.cost(Cohort(fit.phones, 0, {}), mine)
        assert np.array_equal(fit.cost.flops, passes * once.flops)
        assert np.array_equal(fit.cost.take(np.array([2])).flops, np.asarray(fit.cost.flops)[2:3])


@pytest.mark.parametrize("rule", ALONE)
def test_where_nothing_ships_who_has_not_learned_has_nothing_to_show(rule: str) -> None:
    learning = learning_of(rule)
    learning.given[7] = True
    bare = with_newcomers(learning, everything).bare
    assert bare is not None
    assert np.flatnonzero(~bare).tolist() == sorted([*TOOK, 7])


def test_a_phone_without_events_has_nothing_to_fit_to() -> None:
    learning = learning_of("fedmf")
    nothing_yet = partial(local_at, 0, -1.0)
    known = replace(learning.data, times_s=np.ones(len(learning.data.items), np.int64))
    learning.data = known
    found = with_newcomers(learning, nothing_yet)
    assert found.fit is None
    assert found.bare is not None
    assert np.flatnonzero(~found.bare).tolist() == TOOK


def test_some_users_are_scored_by_another_model() -> None:
    one, other = (TableScorer(np.full((3, 2), value, np.float32)) for value in (1, 2))
    both, users = InsteadScorer(one, other, np.array([False, True, False])), np.array([1, 2])
    assert both.every(users).tolist() == [[2, 2], [1, 1]]
    assert both.some(users, np.array([[0], [1]])).tolist() == [[2], [1]]
    assert both.some(users, np.array([[0, 1]])).tolist() == [[2, 2], [1, 1]]


def value(events: Rows, name: str) -> int:
    mine = (events["kind"] == b"newcomers") & (events["name"] == name.encode())
    return int(events["value"][mine].item())


@pytest.fixture(scope="module")
def polite(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of phones of which many never train, in both plays."""
    folder = tmp_path_factory.mktemp("polite")
    settings = ["protocol.clients=8", "protocol.rounds=12", "evaluation.baselines=['popularity']"]
    settings += ["training.rule=fcf", "training.server_step=0.2", "protocol.every_s=3600.0"]
    for play in ("cohort", "exact"):
        scenario = load(small, [*settings, f"play={play}"])
        execute(scenario, folder / play, replay=None, progress=lambda *_: None)
    return {play: folder / play for play in ("cohort", "exact")}


def test_fitting_is_the_same_in_both_plays_and_in_the_ledger(polite: dict[str, Path]) -> None:
    jobs = {play: read(path, "jobs") for play, path in polite.items()}
    assert np.array_equal(jobs["cohort"], jobs["exact"])
    fits = jobs["cohort"][jobs["cohort"]["kind"] == Kind.FIT]
    done = fits[fits["outcome"] == Outcome.DONE]
    assert len(done) > 0
    assert (done["cpu_uj"] > 0).all()
    assert (done["compute_end_us"] > done["down_end_us"]).all()
    assert (fits["down_bytes"] == 0).all()


def test_those_who_fit_took_no_part_and_got_the_model_and_list_afterwards(
    polite: dict[str, Path],
) -> None:
    jobs, devices = (read(polite["cohort"], name) for name in ("jobs", "devices"))
    done = jobs[jobs["outcome"] == Outcome.DONE]
    by_kind = {kind: done[done["kind"] == kind] for kind in Kind}
    fitted = by_kind[Kind.FIT]["phone"]
    assert not devices["took_part"][fitted].any()
    assert np.isin(fitted, by_kind[Kind.DELIVER]["phone"]).all()
    lists = by_kind[Kind.INFER]
    assert set(lists["phone"]) <= {*np.flatnonzero(devices["took_part"]), *fitted}
    ended = dict(zip(fitted, by_kind[Kind.FIT]["finish_us"], strict=True))
    for row in lists:
        assert row["plan_us"] >= ended.get(row["phone"], 0)


def test_popularity_is_shown_where_validation_has_it_above_the_fit(polite: dict[str, Path]) -> None:
    events = read(polite["cohort"], "events")
    assert value(events, "fitted_ppm") >= value(events, "popularity_ppm")


def test_a_model_worse_than_popularity_is_not_fitted_to(small: Path, tmp_path: Path) -> None:
    settings = ["protocol.clients=6", "protocol.rounds=1", "evaluation.baselines=['popularity']"]
    scenario = load(small, [*settings, "training.learning_rate=0.0001"])
    execute(scenario, tmp_path / "run", replay=None, progress=lambda *_: None)
    jobs, events, metrics, devices = (
        read(tmp_path / "run", name) for name in ("jobs", "events", "metrics", "devices")
    )
    assert value(events, "fitted_ppm") < value(events, "popularity_ppm")
    assert Kind.FIT not in jobs["kind"]
    new = np.flatnonzero(~devices["took_part"])
    mine = metrics[np.isin(metrics["phone"], new) & (metrics["name"] == b"hr_at_10")]
    values = {
        model: mine["value"][(mine["model"] == model) & (mine["ranking"] == b"sampled")].tolist()
        for model in (b"trained", b"int8", b"popularity")
    }
    assert values[b"trained"] == values[b"int8"] == values[b"popularity"]
    lists = jobs[jobs["kind"] == Kind.INFER]
    assert not np.isin(lists["phone"], new).any()
