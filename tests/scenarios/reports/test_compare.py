"""Runs side by side: one row a scenario, intervals over seeds, figures from the ledger alone."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import droidloop
from droidloop.platform.errors import UsageError
from droidloop.platform.intervals import interval
from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.compare import Course, Group, Result, User, groups_of
from droidloop.scenarios.reports.compare_report import figure_of, records
from droidloop.scenarios.reports.measured import Measured
from droidloop.scenarios.reports.paired import differences
from droidloop.scenarios.reports.quality import quality_of
from droidloop.scenarios.reports.summary import summarise
from droidloop.scenarios.reports.targets import Target, target_of
from droidloop.scenarios.reports.varied import labels_of, varied
from tests.scenarios.conftest import Command

Runs = dict[str, RunDirectory]
OLDER = Path(__file__).parents[2] / "platform" / "older_run"


def test_an_interval_is_students() -> None:
    """t of 2 and of 49 degrees of freedom: 4.3027 and 2.0096 in any table."""
    mean, half = interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(4.30265 / 3**0.5, rel=1e-5)
    many = np.arange(50.0).tolist()
    assert interval(many)[1] == pytest.approx(2.00958 * np.std(many, ddof=1) / 50**0.5, rel=1e-5)
    assert np.isnan(interval([5.0])[1])
    assert np.isnan(interval([])).all()


def test_runs_that_differ_in_the_seed_alone_are_one_row(runs: Runs) -> None:
    groups = groups_of([runs[name].path for name in ("cohort", "other", "exact")])
    assert [[one.seed for one in group.results] for group in groups] == [[5, 6], [5]]
    assert [group.label for group in groups] == ["play = cohort", "play = exact"]
    with pytest.raises(UsageError, match="given twice"):
        groups_of([runs["cohort"].path, runs["again"].path])


def test_figures_are_those_of_the_summary_and_of_the_ledger(runs: Runs) -> None:
    run = runs["cohort"]
    [group] = groups_of([run.path])
    [result] = group.results
    summary = summarise(run)
    for name in ("hr_at_10", "ndcg_at_10", "recall_at_10"):
        assert result.overall[name] == pytest.approx(quality_of(summary, name))
        for users, facts in summary["classes"].items():
            found = quality_of(facts, name)
            assert result.classes[users][name] == pytest.approx(
                np.nan if found is None else found, nan_ok=True
            )
    jobs = read(run.path, "jobs")
    train = jobs[jobs["kind"] == Kind.TRAIN]
    moved = int(train["downloaded_bytes"].sum() + train["uploaded_bytes"].sum())
    course = result.course
    assert course.mb[-1] * 60 * 1e6 == pytest.approx(moved)
    assert (np.diff(course.mb) >= 0).all()
    assert (np.diff(course.joules) >= 0).all()
    assert len(course.quality["hr_at_10"]) == 4


def test_a_run_of_an_older_droidloop_stands_beside_a_new_one(runs: Runs) -> None:
    older, _ = groups_of([OLDER, runs["cohort"].path])
    events = read(OLDER, "events")
    hits = events["value"][events["name"] == b"hit_rate_ppm"] / 1e6
    assert older.results[0].course.quality["hr_at_10"].tolist() == hits.tolist()
    assert older.results[0].overall["hr_at_10"] == quality_of(
        summarise(RunDirectory.open(OLDER)), "hr_at_10"
    )


def test_compare_refuses_what_is_not_said_to_vary(command: Command, runs: Runs) -> None:
    folders = [runs[name].path for name in ("cohort", "exact")]
    answer = command("compare", *folders, "--varied", "protocol.rounds")
    assert answer.exit_code == 2
    assert answer.stderr.startswith(f"Error: {folders[1]}: play = exact, but cohort in")
    assert command("compare", *folders, "--varied", "play").exit_code == 0


def test_a_comparison_in_python_is_that_of_the_command_line(command: Command, runs: Runs) -> None:
    results = [droidloop.Result(runs[name].path) for name in ("cohort", "other", "exact")]
    comparison = droidloop.compare(results, targets=["hr_at_10=0.01"])
    folders = [one.path for one in results]
    printed = command("compare", *folders, "--json", "--target", "hr_at_10=0.01").stdout
    assert comparison.records() == json.loads(printed)
    text = comparison._repr_html_()
    assert text.count("<table>") == len(list(comparison.tables())) == 9
    assert repr(comparison) == "<Comparison of play = cohort, play = exact>"
    assert len(comparison.picture().axes) == 4


def test_differences_are_tested_and_fronts_are_told(command: Command, runs: Runs) -> None:
    """The same run played exactly: no difference, and both are on all fronts."""
    folders = [runs[name].path for name in ("cohort", "exact")]
    found = json.loads(command("compare", *folders, "--json").stdout)
    [one] = [one for one in found if one["figure"] == "hr_at_10" and one["against"]]
    assert (one["mean"], one["half_width"], one["p"]) == (0.0, 0.0, 1.0)
    fronts = [one["mean"] for one in found if str(one["figure"]).startswith("front.")]
    assert fronts == [1.0] * 10


def test_compare_prints_tables_draws_a_picture_and_speaks_json(
    command: Command, runs: Runs, tmp_path: Path
) -> None:
    folders = [runs[name].path for name in ("cohort", "other", "exact")]
    picture = tmp_path / "compare.png"
    targets = ("--target", "hr_at_10=0.01", "--target", "hr_at_10=2")
    text = command("compare", *folders, "--picture", picture, *targets)
    assert text.exit_code == 0, text.output
    for words in ("play = exact", "±", "keys in which the runs differ", "2 of 2", "0 of 1"):
        assert words in text.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    printed = command("compare", *folders, "--json", *targets).output
    found = json.loads(printed, parse_constant=pytest.fail)
    assert len({tuple(one) for one in found}) == 1
    assert pa.Table.from_pylist(found).schema.field("mean").type == pa.float64()
    where = {"runs": "play = cohort", "users": "all", "figure": "hr_at_10", "against": None}
    [one] = [one for one in found if where.items() <= one.items()]
    assert (one["n"], one["pairs"]) == (120, "users")
    assert 0.0 <= one["mean"] <= 1.0
    missed = [one for one in found if one["target"] == "hr_at_10=2"]
    assert {(one["n"], one["mean"]) for one in missed} == {(0, None)}


def test_the_picture_shows_the_validations(runs: Runs) -> None:
    groups = groups_of([runs["cohort"].path, runs["other"].path])
    qualities = [one.course.quality["hr_at_10"] for one in groups[0].results]
    for axis in figure_of(groups).axes:
        [line] = axis.lines
        assert np.allclose(line.get_ydata(), np.mean(qualities, axis=0))


def test_a_folder_without_a_run_is_one_line(command: Command, tmp_path: Path) -> None:
    answer = command("compare", tmp_path)
    assert answer.exit_code == 2
    assert "no run there" in answer.output


def scenario(name: str = "mine", **protocol: Any) -> dict[str, Any]:
    return {
        **{"name": name, "title": name.upper(), "data": {"path": None}, "population": {}},
        **{"training": {"rule": "gossip-mf"}, "protocol": {"kind": "gossip"} | protocol},
    }


def test_scenarios_of_several_names_are_told_by_rule_and_links() -> None:
    ring = scenario("other", topology={"kind": "ring"})
    labels = ["mine: gossip-mf, gossip", "other: gossip-mf, gossip over ring"]
    assert labels_of([scenario(), ring]) == labels


def test_scenarios_of_one_name_are_told_by_the_keys_in_which_they_differ() -> None:
    runs = [scenario(rounds=3, idle=True), scenario(rounds=4, idle=True), scenario(rounds=3)]
    labels = [
        "protocol.rounds = 3, protocol.idle = true",
        "protocol.rounds = 4, protocol.idle = true",
        "protocol.rounds = 3, protocol.idle = -",
    ]
    assert labels_of(runs) == labels
    mixed = labels_of([*runs, scenario("other")])
    assert mixed == [*(f"mine: gossip-mf, gossip; {one}" for one in labels), mixed[-1]]
    assert mixed[-1] == "other: gossip-mf, gossip"
    assert varied(runs) == {"protocol.rounds": [3, 4, 3], "protocol.idle": [True, True, None]}


HITS = Measured("hit", "HIT", "sampled")
LOSS = Measured("loss", "LOSS", "sampled", "lower")


def result(seed: int, users: Mapping[User, float], curve: tuple[float, ...] = (0.1, 0.3)) -> Result:
    n = len(curve)
    spent = np.arange(1.0, n + 1)
    quality = {"hit": np.array(curve), "loss": 1 - np.array(curve)}
    course = Course(quality, spent, 2 * spent, 3 * spent, 4 * spent)
    overall = {"hit": float(np.mean(list(users.values()))), "loss": 0.0}
    costs = {"round": 1.0, "hours": 1.0, "mb": 1.0, "joules": float(seed)}
    return Result(seed, overall | costs, {}, course, {"hit": dict(users), "loss": {}}, {})


def group(label: str, *results: Result) -> Group:
    return Group(label, scenario(), [HITS, LOSS], list(results))


def test_seeds_of_both_are_paired_and_the_users_of_both() -> None:
    one = group("a", result(1, {0: 1.0, 1: 0.0}), result(2, {0: 1.0, 1: 1.0}), result(9, {0: 1.0}))
    other = group("b", result(1, {0: 1.0, 1: 1.0, 7: 0.0}), result(2, {0: 1.0}))
    [hit, *_] = differences([one, other])
    # of seed 1 users 0 and 1, of seed 2 user 0; seed 9 and user 7 have nobody to be held against
    assert (hit.figure, hit.n, hit.pairs) == ("hit", 3, "users")
    assert (hit.mean, hit.half) == interval([0.0, 1.0, 0.0])


def test_a_user_of_the_data_is_one_value_whatever_the_seeds() -> None:
    """People who were made up are others with another seed; those of a file are the same."""
    one = group("a", result(1, {"ann": 1.0, "bob": 0.0}), result(2, {"ann": 0.0, "bob": 0.0}))
    assert one.interval("hit") == interval([0.5, 0.0])
    made_up = group("a", result(1, {0: 1.0, 1: 0.0}), result(2, {0: 0.0, 1: 0.0}))
    assert made_up.interval("hit") == interval([1.0, 0.0, 0.0, 0.0])
    other = group("b", result(1, {"ann": 1.0, "bob": 1.0}), result(2, {"bob": 1.0, "ann": 0.0}))
    [hit, *_] = differences([one, other])
    assert (hit.mean, hit.half, hit.n) == (*interval([0.0, 1.0]), 2)


def test_a_class_has_the_interval_of_its_users() -> None:
    one = result(1, {0: 1.0, 1: 0.0, 2: 1.0})
    one.profiles.update({0: "new", 1: "new", 2: "old"})
    assert group("a", one).interval("hit", "new") == interval([1.0, 0.0])


def test_one_seed_of_both_is_paired_by_its_users() -> None:
    one = group("a", result(1, {0: 1.0, 1: 0.0, 2: 0.5}))
    other = group("b", result(1, {0: 0.0, 1: 0.0, 2: 0.5}))
    [hit] = differences([one, other])
    expected = (*interval([-1.0, 0.0, 0.0]), 3, "users")
    assert (hit.mean, hit.half, hit.n, hit.pairs) == expected


def test_keys_that_go_with_another_choice_tell_nothing() -> None:
    runs = [
        scenario() | {"training": {"rule": "fcf", "alpha": 10.0, "step": 1}},
        scenario() | {"training": {"rule": "fedmf", "negatives": 4, "step": 2}},
    ]
    assert labels_of(runs) == [
        "training.rule = fcf, training.step = 1",
        "training.rule = fedmf, training.step = 2",
    ]


def test_no_two_labels_are_alike_where_a_third_lacks_the_key_that_differs() -> None:
    rounds: dict[str, Any] = {"kind": "rounds", "every_s": 900.0}
    runs = [
        scenario(**rounds, over_select=1.0),
        scenario(**rounds, over_select=1.5),
        scenario(kind="buffered", every_s=1.0),
    ]
    kind = "protocol.kind = rounds, protocol.every_s = 900.0"
    assert labels_of(runs) == [
        f"{kind}, protocol.over_select = 1.0",
        f"{kind}, protocol.over_select = 1.5",
        "protocol.kind = buffered, protocol.every_s = 1.0",
    ]


def test_other_people_are_not_paired() -> None:
    one = group("a", result(1, {0: 1.0, 1: 0.0}))
    other = replace(one, scenario=scenario() | {"data": {"path": "elsewhere"}})
    assert list(differences([one, other])) == []


def test_costs_to_a_target_are_those_of_the_first_validation_that_got_there() -> None:
    there = group("a", result(1, {0: 1.0}, (0.1, 0.5, 0.4, 0.6)), result(2, {0: 1.0}, (0.2, 0.3)))
    target = target_of("hit=0.5", [there])
    assert target == Target("hit", 0.5, 1)
    assert target.costs(there.results[0].course) == {"hours": 4.0, "mb": 6.0, "joules": 8.0}
    assert target.costs(there.results[1].course) is None
    assert target.best(there) == 0.6
    rows = [one for one in records([there], [target]) if one["target"] == "hit=0.5"]
    assert [(one["figure"], one["mean"], one["half_width"], one["n"]) for one in rows] == [
        ("hours", 4.0, None, 1),
        ("mb", 6.0, None, 1),
        ("joules", 8.0, None, 1),
    ]


def test_a_metric_that_falls_gets_there_from_above() -> None:
    there = group("a", result(1, {0: 1.0}, (0.1, 0.5, 0.4)))
    target = target_of("loss=0.55", [there])
    assert target.costs(there.results[0].course) == {"hours": 4.0, "mb": 6.0, "joules": 8.0}
    assert target.best(there) == 0.5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hits=0.5", "no run validates 'hits'; choose from hit, loss"),
        ("hit", "'' is no number; give one, as hit=0.6"),
        ("hit=much", "'much' is no number"),
        ("hit=inf", "'inf' is no number"),
    ],
)
def test_a_target_that_is_none_is_one_line(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        target_of(text, [group("a", result(1, {0: 1.0}))])
