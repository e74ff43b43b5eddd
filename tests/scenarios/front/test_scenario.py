"""A scenario in Python: loaded, changed by dotted keys, and refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import droidloop
from droidloop.scenarios.schema.load import find
from droidloop.scenarios.schema.load import load as load_file


@pytest.mark.parametrize("name", droidloop.scenario_names())
def test_a_name_its_path_and_its_tables_give_one_scenario(name: str) -> None:
    import tomllib

    path = find(name)
    by_name, by_path = droidloop.load(name), droidloop.load(path)
    by_tables = droidloop.load(tomllib.loads(path.read_text()))
    assert by_name == by_path == by_tables
    assert by_name.resolved() == load_file(path).resolved()


def test_with_gives_another_scenario_and_leaves_the_first_as_it_is() -> None:
    first = droidloop.load("quickstart")
    second = first.with_({"protocol.rounds": 3}, seed=7)
    assert (second["protocol.rounds"], second.seed) == (3, 7)
    assert (first["protocol.rounds"], first.seed) == (80, 1)
    assert second.with_({"protocol.rounds": 80}, seed=1) == first


def test_none_gives_a_key_its_default_back() -> None:
    changed = droidloop.load("quickstart").with_({"protocol.rounds": None})
    assert changed["protocol.rounds"] == 20


def test_a_whole_section_can_be_given() -> None:
    changed = droidloop.load("quickstart").with_(training={"rule": "fcf", "alpha": 2.0})
    assert (changed["training.rule"], changed["training.alpha"]) == ("fcf", 2.0)


@pytest.mark.parametrize(
    ("key", "given", "read"),
    [
        ("protocol.rounds", np.int64(3), 3),
        ("evaluation.baselines", ("popularity",), ["popularity"]),
        ("population.profiles", {"2018-3gb": np.float64(1)}, {"2018-3gb": 1.0}),
        ("data.path", Path("events.csv"), "events.csv"),
    ],
)
def test_values_are_those_of_python(key: str, given: Any, read: Any) -> None:
    assert droidloop.load("quickstart").with_({key: given})[key] == read


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol.round": 3}, r"quickstart.toml: \[protocol\] has no key 'round'; did you mean"),
        ({"protocol.rounds": "ten"}, r"quickstart.toml: \[protocol\] rounds = 'ten'"),
        ({"seed.x": 3}, "quickstart.toml: 'seed' is a value, not a table"),
        ({"training.rule": "fedmff"}, "training.rule = 'fedmff': there is no such rule; did you"),
    ],
)
def test_a_mistake_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(droidloop.ScenarioError, match=message) as caught:
        droidloop.load("quickstart").with_(changes)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_or_key_is_said() -> None:
    with pytest.raises(droidloop.ScenarioError, match="did you mean 'quickstart'"):
        droidloop.load("quikstart")
    with pytest.raises(droidloop.ScenarioError, match=r"there is no key 'protocol\.round'"):
        droidloop.load("quickstart")["protocol.round"]


def test_it_says_what_it_is() -> None:
    assert (
        repr(droidloop.load({"name": "x", "title": "A thing"})) == "<Scenario x, seed 1: A thing>"
    )
