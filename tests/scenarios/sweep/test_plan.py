"""The file of a sweep: which runs it makes, and the line that says what is wrong with it."""

from pathlib import Path
from typing import Any

import pytest

from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.sweep.plan import Plan, plan_of

GRID = {"protocol": {"clients": [5, 10], "rounds": [2, 3, 4]}}


def planned(**tables: Any) -> Plan:
    return plan_of({"base": "quickstart"} | tables)


def test_a_grid_is_every_combination_with_every_seed() -> None:
    plan = planned(seeds=[1, 2], grid=GRID, fixed={"delivery": {"variant": "none"}})
    assert plan.keys == ["protocol.clients", "protocol.rounds"]
    found = [(*one.changes.values(), one.scenario.seed) for one in plan.runs]
    assert found == [(c, r, seed) for c in (5, 10) for r in (2, 3, 4) for seed in (1, 2)]
    assert {one.scenario.protocol.rounds for one in plan.runs} == {2, 3, 4}
    assert {one.scenario.delivery.variant for one in plan.runs} == {"none"}
    assert len({one.folder for one in plan.runs}) == 12


def test_a_directory_is_named_by_its_scenario_whatever_else_the_sweep_has() -> None:
    few = planned(grid={"protocol": {"clients": [10]}}).runs
    more = planned(seeds=[3, 1], points=[{"protocol": {"clients": n}} for n in (5, 10)])
    assert few[0].folder in {one.folder for one in more.runs}


def test_points_are_what_they_say_and_the_same_one_is_run_once() -> None:
    plan = planned(points=[{"protocol": {"clients": 5}}, {"protocol": {"clients": 5}}])
    assert [one.changes for one in plan.runs] == [{"protocol.clients": 5}]


def test_a_whole_section_can_be_varied() -> None:
    rules = [{"rule": "fedmf"}, {"rule": "perfedrec"}]
    fixed = {"model": {}, "delivery": {"variant": "none"}}
    plan = planned(grid={"training": rules}, fixed=fixed)
    assert [one.scenario.rule.name for one in plan.runs] == ["fedmf", "perfedrec"]


def test_points_have_the_words_that_the_file_gives_their_values() -> None:
    grid = {"protocol": {"clients": [5, 10], "policy": ["random", "fair"]}}
    plan = planned(grid=grid, labels={"protocol": {"clients": ["few", "many"]}})
    assert [one.label for one in plan.runs] == [
        f"{many}, protocol.policy = {policy}"
        for many in ("few", "many")
        for policy in ("random", "fair")
    ]
    assert {one.label for one in planned(grid=grid).runs} == {""}


@pytest.mark.parametrize("words", [["few"], ["few", "few"], [1, 2], "few"])
def test_words_that_do_not_tell_values_apart_are_refused(words: Any) -> None:
    grid = {"protocol": {"clients": [5, 10]}}
    with pytest.raises(ScenarioError, match="give a word for each value"):
        planned(grid=grid, labels={"protocol": {"clients": words}})
    with pytest.raises(ScenarioError, match="give a word for each value"):
        planned(grid=grid, labels={"protocol": {"policy": ["a", "b"]}})


def test_a_random_search_draws_the_same_points_from_the_same_seed() -> None:
    keys = {
        "protocol": {"clients": {"low": 5, "high": 8}, "policy": ["random", "fair"]},
        "delivery": {"deadline_s": {"low": 1.0, "high": 10000.0, "log": True}},
    }
    plan = planned(random={"count": 40, "keys": keys})
    again = planned(random={"count": 40, "keys": keys})
    other = planned(random={"count": 40, "seed": 2, "keys": keys})
    assert [one.folder for one in plan.runs] == [one.folder for one in again.runs]
    assert [one.folder for one in plan.runs] != [one.folder for one in other.runs]
    assert {one.changes["protocol.clients"] for one in plan.runs} == {5, 6, 7, 8}
    assert {one.changes["protocol.policy"] for one in plan.runs} == {"random", "fair"}
    drawn = [one.changes["delivery.deadline_s"] for one in plan.runs]
    # by its logarithm, half of them lie below the root of 10,000
    assert 12 <= sum(value < 100.0 for value in drawn) <= 28
    assert 1.0 <= min(drawn) <= max(drawn) <= 10000.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("grid = {}", "needs the key 'base'"),
        ('base = "quickstar"', "varies keys by nothing; give one of [grid], [[points]] and"),
        ('base = "quickstar"\n[grid]\nseed = [1]', "base = 'quickstar': quickstar: no scenario"),
        ('base = "quickstart"\nseed = 1', "has no key 'seed'; did you mean 'seeds'?"),
        ('base = "quickstart"\nseeds = [1, 1]\n[grid]\nplay = ["exact"]', "seeds = [1, 1]: give"),
        ('base = "quickstart"\nseeds = []\n[grid]\nplay = ["exact"]', "seeds = []: list should"),
        (
            'base = "quickstart"\n[grid]\nprotocol.clients = 5',
            "[grid] protocol.clients = 5: give a list of values",
        ),
        (
            'base = "quickstart"\n[grid]\nprotocol.client = [5]',
            "with protocol.client = 5: [protocol] has no key 'client'; did you mean 'clients'?",
        ),
        (
            'base = "quickstart"\n[grid]\nprotocol.clients = [5, "many"]',
            "with protocol.clients = 'many': [protocol] clients = 'many': input should be",
        ),
        (
            'base = "quickstart"\n[random]\ncount = 3\nkeys.protocol.clients = {low = 5, high = 5}',
            "[random.keys] protocol.clients = {'low': 5, 'high': 5}: give a list of values, or",
        ),
        (
            'base = "quickstart"\n[random]\ncount = 20000\nkeys.protocol.clients = [5]',
            "20000 points with 1 seeds are more than 10000 runs; give fewer values",
        ),
        (
            'base = "quickstart"\n[fixed]\ndevices.android = [{serial = "x"}]\n[grid]\nseed = [1]',
            "[[devices.android]] names x, and real devices take part in one run at a time",
        ),
        ("base = ", "not TOML"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        plan_of(file)
    line = str(caught.value)
    assert line.startswith(f"{file}: ")
    assert told in line
    assert "\n" not in line


def test_a_base_lies_beside_the_file(tmp_path: Path, small: Path) -> None:
    (tmp_path / "base.toml").write_text(small.read_text())
    file = tmp_path / "mine.toml"
    file.write_text('base = "base.toml"\n[grid]\nprotocol.clients = [5]')
    [run] = plan_of(file).runs
    assert (plan_of(file).name, run.scenario.name) == ("mine", "small")


STUDIES = Path(__file__).parents[3] / "docs" / "studies"


@pytest.mark.parametrize("study", sorted(STUDIES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_study_of_the_docs_can_be_planned_with_a_name_for_each_point(study: Path) -> None:
    plan = plan_of(study)
    names = {one.scenario.name for one in plan.runs}
    seeds = {one.scenario.seed for one in plan.runs}
    assert len(names) * len(seeds) == len(plan.runs) > len(seeds) >= 3
