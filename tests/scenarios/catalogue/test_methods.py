"""What there is to choose: found by name, with its keys, its source and what goes with it."""

import json

import pytest
from click.testing import CliRunner

from droidloop.platform.errors import ScenarioError, UsageError
from droidloop.platform.registry import HOMES, Method
from droidloop.scenarios.catalogue.methods import facts, goes_with, lines, method, methods
from droidloop.scenarios.cli.main import main
from droidloop.scenarios.schema.schema import Scenario


@pytest.mark.parametrize("one", methods(), ids=lambda one: f"{one.kind}.{one.name}")
def test_every_method_says_what_it_is(one: Method) -> None:
    assert one.summary.endswith(".")
    assert (
        lines(one)[0]
        == f'{one.kind} {one.name}, chosen by {facts(one)["chosen_by"]} = "{one.name}"'
    )
    assert json.loads(json.dumps(facts(one))) == facts(one)


def test_a_kind_is_needed_only_where_two_have_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert method("fedmf").kind == "rule"
    assert method("fair", "policy").kind == "policy"
    from droidloop.scenarios.catalogue import methods as module

    monkeypatch.setattr(
        module, "names", lambda kind: ["twice"] if kind in ("rule", "table") else []
    )
    with pytest.raises(UsageError, match="twice: table and rule have one of that name"):
        method("twice")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("fedmff", None, "did you mean 'fedmf'"),
        ("zzz", None, "`droidloop methods list` names them"),
        ("fedmf", "rules", "there is no such kind of method; choose from recommender"),
        ("fedmff", "rule", "did you mean 'fedmf'"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(name: str, kind: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        method(name, kind)


RULES = [one.name for one in methods("rule")]


@pytest.mark.parametrize("protocol", [one.name for one in methods("protocol")])
@pytest.mark.parametrize("rule", RULES)
def test_what_is_said_to_go_together_is_what_a_scenario_may_choose(
    rule: str, protocol: str
) -> None:
    content = {
        "name": "x",
        "title": "x",
        "training": {"rule": rule},
        "protocol": {"kind": protocol},
        "data": {"places": True},
        "delivery": {"variant": "none"},
        "evaluation": {"baselines": []},
    }
    said = protocol in goes_with(method(rule)).get("protocol", [protocol])
    try:
        Scenario.of(content)
    except ScenarioError:
        assert not said
    else:
        assert said


def test_policies_go_with_the_protocols_that_have_one() -> None:
    assert goes_with(method("fair")) == {"protocol": ["buffered", "rounds"]}


def test_the_list_has_a_line_a_method() -> None:
    done = CliRunner().invoke(main, ["methods", "list"])
    assert [tuple(line.split()[:2]) for line in done.output.splitlines()] == [
        (one.kind, one.name) for kind in HOMES for one in methods(kind)
    ]


def test_one_kind_is_listed_alone_and_as_json() -> None:
    done = CliRunner().invoke(main, ["methods", "list", "policy", "--json"])
    assert [one["kind"] for one in json.loads(done.output)] == ["policy"] * len(methods("policy"))


def test_show_takes_a_name_and_a_kind_before_it() -> None:
    runner = CliRunner()
    shown = runner.invoke(main, ["methods", "show", "policy", "fair"]).output
    assert shown == runner.invoke(main, ["methods", "show", "fair"]).output
    assert shown.startswith('policy fair, chosen by protocol.policy = "fair"\n')
    wrong = runner.invoke(main, ["methods", "show", "a", "b", "c"])
    assert (wrong.exit_code, wrong.output) == (
        2,
        "Error: methods show a b c: give one name, a kind before it\n",
    )


def test_keys_are_listed_by_section() -> None:
    done = CliRunner().invoke(main, ["scenarios", "keys", "population.cell"])
    first, second, *_ = done.output.splitlines()
    assert first == "[population.cell]  # Cells whose capacity the phones in them share."
    assert second == "  phones = 50 (integer >= 1, <= 1e+07): About how many a cell."
