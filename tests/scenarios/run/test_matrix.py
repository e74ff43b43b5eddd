"""Every table with every rule that sends gradients or parameters, in every protocol that fits."""

from pathlib import Path
from typing import Any

import pytest

from droidloop.platform.jobs import LEARNING, Outcome
from droidloop.platform.ledger import read
from droidloop.platform.registry import Method, every, find, missing
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.schema import Scenario

TABLES: list[dict[str, Any]] = [
    {"kind": "dense"},
    {"kind": "hashed", "buckets": 12},
    {"kind": "quotient-remainder", "remainders": 6},
    {"kind": "binary"},
    {"kind": "elastic", "blocks": 2, "groups": 3, "budget": 0.9},
]
FURTHER: list[dict[str, Any]] = [
    {"kind": "codes", "books": 1, "words": 8},
    {"kind": "pruned", "share": 0.5},
    {"kind": "soft-threshold"},
]
"""Each with a rule of every sort."""
SORTS = {("fedmf", "rounds"), ("gossip-mf", "gossip"), ("tune", "local")}
PROTOCOLS = ("rounds", "buffered", "gossip", "groups", "local")


def fits(rule: Method, protocol: str, table: str) -> bool:
    """Return whether the three go together, with the rule's usual recommender."""
    recommender = find("recommender", rule.usual.get("recommender", "mf"))
    chosen = [rule, recommender, find("protocol", protocol), find("table", table)]
    return not any(missing(one, other) for one in chosen for other in chosen)


def combinations() -> list[Any]:
    """Return (rule, protocol, table) of what goes together and has items' vectors of a table."""
    found = []
    for rule in every("rule"):
        recommender = find("recommender", rule.usual.get("recommender", "mf"))
        if "item-table" not in recommender.gives:
            continue
        for protocol in PROTOCOLS:
            for table in TABLES + FURTHER * ((rule.name, protocol) in SORTS):
                if fits(rule, protocol, table["kind"]):
                    name = f"{rule.name}-{protocol}-{table['kind']}"
                    found.append(pytest.param(rule.name, protocol, table, id=name))
    return found


def content(rule: str, protocol: str, table: dict[str, Any]) -> dict[str, Any]:
    """Return a tiny scenario of the three."""
    turns = {"kind": protocol, "rounds": 2, "every_s": 3600.0, "min_battery": 0.0}
    if protocol == "buffered":
        turns |= {"every_s": 60.0, "clients": 8, "buffer": 4, "limit_days": 0.5}
    return {
        "name": "matrix",
        "title": "A table under a rule in a protocol",
        "data": {"items": 30, "interactions": 8},
        "population": {"phones": 12, "ideal": True},
        "model": {"dim": 4, "table": table},
        "training": {"rule": rule},
        "protocol": turns,
        "delivery": {"variant": "none"},
        "evaluation": {"baselines": [], "candidates": 10},
    }


def test_the_matrix_holds_each_rule_that_sends_gradients_or_parameters_with_all_tables() -> None:
    names = {(one.values[0], one.values[2]["kind"]) for one in combinations()}
    for rule in ("fedmf", "fedncf", "pfedrec", "fcf", "fedgcn", "perfedrec", "fedfast"):
        assert {(rule, table["kind"]) for table in TABLES} <= names
    for rule in ("gossip-mf", "tune"):
        assert {(rule, table["kind"]) for table in TABLES} <= names


@pytest.mark.parametrize(("rule", "protocol", "table"), combinations())
def test_it_runs_and_its_phones_learn(
    tmp_path: Path, rule: str, protocol: str, table: dict[str, Any]
) -> None:
    scenario = Scenario.of(content(rule, protocol, table))
    answer = execute(scenario, tmp_path / "run", replay=None, progress=lambda *_: None)
    assert answer["state"] == "complete"
    jobs = read(tmp_path / "run", "jobs")
    learned = jobs[[int(kind) in LEARNING for kind in jobs["kind"]]]
    assert (learned["outcome"] == Outcome.DONE).any()
    assert (learned["flops"] > 0).any()


def test_phones_train_a_factorisation_machine_on_any_table(tmp_path: Path) -> None:
    given = content("fedmf", "rounds", {"kind": "hashed", "buckets": 12})
    given["model"] |= {"kind": "fm"}
    answer = execute(Scenario.of(given), tmp_path / "run", replay=None, progress=lambda *_: None)
    assert answer["state"] == "complete"
    assert (read(tmp_path / "run", "jobs")["flops"] > 0).any()
