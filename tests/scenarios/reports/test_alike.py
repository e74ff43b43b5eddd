"""Runs that differ in more than what is meant to vary do not stand side by side."""

from pathlib import Path
from typing import Any

import pytest

from droidloop.platform.errors import UsageError
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.alike import require_alike

SCENARIO: dict[str, Any] = {
    "name": "mine",
    "data": {"path": None, "users": 5},
    "training": {"rule": "fedmf", "negatives": 4, "clip": 1},
    "protocol": {"rounds": 3},
    "evaluation": {"k": 10, "every": 1},
}


def runs(folder: Path, *changes: dict[str, dict[str, Any]]) -> list[Path]:
    """Make runs of the scenario, each with whole sections changed."""
    paths = [folder / str(number) for number in range(len(changes))]
    for path, one in zip(paths, changes, strict=True):
        sections = {name: SCENARIO[name] | keys for name, keys in one.items()}
        RunDirectory.create(path, seed=1, scenario=SCENARIO | sections)
    return paths


def test_protocols_and_rules_may_differ_where_nobody_says_what_varies(tmp_path: Path) -> None:
    every = {"protocol": {"rounds": 9}, "evaluation": {"every": 4}}
    require_alike(runs(tmp_path, {}, every, {"training": {"negatives": 1}}))


@pytest.mark.parametrize(
    ("section", "key", "value", "before"), [("data", "users", 6, 5), ("evaluation", "k", 5, 10)]
)
def test_other_data_or_another_measure_is_refused(
    tmp_path: Path, section: str, key: str, value: int, before: int
) -> None:
    first, other = runs(tmp_path, {}, {section: {key: value}})
    with pytest.raises(UsageError) as caught:
        require_alike([first, other])
    told = f"{other}: {section}.{key} = {value}, but {before} in {first}; leave one of them out"
    assert str(caught.value).startswith(told)
    assert f"--varied {section}" in str(caught.value)
    require_alike([first, other], [section])


def test_what_makes_up_data_does_not_matter_where_data_are_read(tmp_path: Path) -> None:
    read = {"path": "ml-100k"}
    require_alike(runs(tmp_path, {"data": read}, {"data": read | {"users": 9}}))
    with pytest.raises(UsageError, match=r"data\.path = ml-1m, but ml-100k"):
        require_alike(runs(tmp_path / "other", {"data": read}, {"data": {"path": "ml-1m"}}))


def test_only_what_is_said_to_vary_may_vary(tmp_path: Path) -> None:
    both = runs(tmp_path, {}, {"protocol": {"rounds": 9}, "training": {"negatives": 1}})
    with pytest.raises(UsageError, match=r"--varied training\.negatives"):
        require_alike(both, ["protocol.rounds"])
    require_alike(both, ["protocol.rounds", "training.negatives"])
    require_alike(both, ["protocol", "training"])


def test_with_a_choice_go_the_keys_that_only_one_choice_has(tmp_path: Path) -> None:
    first, other = runs(tmp_path, {}, {"training": {"rule": "fcf", "alpha": 3.0}})
    require_alike([first, other], ["training.rule"])
    [third] = runs(tmp_path / "third", {"training": {"rule": "fcf", "clip": 2}})
    with pytest.raises(UsageError, match=r"training\.clip = 2, but 1"):
        require_alike([first, third], ["training.rule"])


def test_a_key_that_no_run_has_is_a_slip(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no run has that key; did you mean 'protocol\.rounds'"):
        require_alike(runs(tmp_path, {}, {}), ["protocol.round"])
