"""The registry: choices are found by name, imported when used, and asked whether they fit."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import (
    HOMES,
    KEYS,
    Method,
    every,
    find,
    missing,
    names,
    require_together,
)
from droidloop.platform.section import Section


class Nothing(Section):
    """No keys."""


def method(kind: str, name: str, **facts: Any) -> Method:
    return replace(Method(kind, name, Nothing, build=lambda section: section), **facts)


FITTING = frozenset({"server"})
RULE = method("rule", "some", needs={"protocol": FITTING}, gives=frozenset({"ships"}))


@pytest.mark.parametrize("kind", HOMES)
def test_every_choice_says_what_it_is_and_has_the_name_of_its_file(kind: str) -> None:
    found = list(every(kind))
    assert [one.name for one in found] == names(kind)
    for one in found:
        assert one.kind == kind
        assert one.summary.endswith(".")
        assert set(one.needs) | set(one.accepts) | set(one.usual) <= set(KEYS)


def test_names_are_known_without_importing_anything() -> None:
    program = (
        "import sys; from droidloop.platform.registry import names; names('rule');"
        "print(sorted(n for n in sys.modules if n.startswith(('droidloop.models.', 'torch'))))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_an_unknown_name_is_one_line_with_the_key_and_what_there_is() -> None:
    with pytest.raises(ScenarioError, match=r"training.rule = 'fedfm': .* did you mean 'fedmf'\?"):
        find("rule", "fedfm")
    with pytest.raises(ScenarioError, match=r"protocol.kind = 'x': .*; choose from buffered, "):
        find("protocol", "x")


def test_what_gives_all_that_is_needed_fits() -> None:
    assert missing(RULE, method("protocol", "p", gives=FITTING | {"more"})) == frozenset()
    assert missing(RULE, method("protocol", "p", gives=frozenset({"peers"}))) == FITTING
    assert missing(RULE, method("table", "t")) == frozenset()


def test_one_of_what_is_accepted_is_enough() -> None:
    either = method("rule", "r", accepts={"table": frozenset({"dense", "hashed"})})
    assert missing(either, method("table", "t", gives=frozenset({"hashed"}))) == frozenset()
    assert missing(either, method("table", "t")) == {"dense", "hashed"}


def test_choices_that_do_not_go_together_are_refused_with_those_that_would() -> None:
    fedmf, gossip = find("rule", "fedmf"), find("protocol", "gossip")
    with pytest.raises(ScenarioError, match=r"'gossip': the rule 'fedmf' .*from buffered, rounds"):
        require_together([fedmf, gossip])
    require_together([fedmf, find("protocol", "rounds"), find("recommender", "mf")])


def test_what_needs_what_nobody_gives_says_so() -> None:
    lonely = method("rule", "r", needs={"policy": frozenset({"magic"})})
    with pytest.raises(ScenarioError, match="choose from none that is there"):
        require_together([lonely, find("policy", "random")])
