"""Values that nobody should give are refused in one line, or the run ends like any other.

Some here; `python -m tests.fuzz keys` plays a small run with each value of each key.
"""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from droidloop.devices.population.profile_files import write_profile
from droidloop.devices.population.profiles import PROFILES
from droidloop.scenarios.schema.load import check
from tests.fuzz.keys import SMALL, cases, play
from tests.fuzz.trial import bad, judged

EVERY = 5
SECTIONS = (
    *("(top)", "[data]", "[population]", "[churn]", "[delivery]"),
    '[protocol] kind = "rounds"',
)


def test_every_key_refuses_odd_values_in_one_line() -> None:
    every = (case for section in SECTIONS for case in cases(section))
    tried = [one for number, one in enumerate(every) if number % EVERY == 0]
    ends = {
        (one.where, repr(one.value)[:40]): judged(partial(check, one.content, "small.toml"))
        for one in tried
    }
    assert {case: end for case, end in ends.items() if bad(end)} == {}
    hows = [end.how for end in ends.values()]
    assert 40 < hows.count("ok") < hows.count("refused")


FOUND: dict[str, tuple[dict[str, dict[str, Any]], str]] = {
    "three interactions": ({"data": {"interactions": 3}}, "refused"),
    "one item": ({"data": {"items": 1}}, "refused"),
    "ten items": ({"data": {"items": 10}, "evaluation": {"candidates": 3}}, "ok"),
    "a user": ({"data": {"users": 1}}, "ok"),
    "all users of the world": ({"data": {"users": 10_000_000, "interactions": 5000}}, "refused"),
    "more clusters than users": (
        {"training": {"rule": "fedfast", "clusters": 50}, "data": {"users": 12}},
        "ok",
    ),
    "a region with an accent": (
        {
            "population": {
                "ideal": False,
                "regions": {"région": 1.0},
                "region": {"région": {"covered_share": 0.5, "gap_s": 60.0}},
            }
        },
        "ok",
    ),
    "a region with a control": (
        {"population": {"region": {"\x1b[31m": {"covered_share": 0.5, "gap_s": 60.0}}}},
        "refused",
    ),
    "lifetimes of a hundred years": (
        {"churn": {"lifetime_days": 36_525.0, "return_share": 1.0}},
        "ok",
    ),
    "lifetimes beyond": ({"churn": {"lifetime_days": 1e12}}, "refused"),
    "phones whose models take a gibibyte and a half": (
        {"training": {"rule": "mac", "dims": [4096]}, "model": {"kind": "next-place"}},
        "refused",
    ),
    "k above the candidates": ({"evaluation": {"k": 20, "candidates": 10}}, "refused"),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_mended(tmp_path: Path, name: str) -> None:
    tables, how = FOUND[name]
    content = {**SMALL, **{key: {**SMALL.get(key, {}), **table} for key, table in tables.items()}}
    end = judged(lambda: play(content, tmp_path / "run"))
    assert end.how == how, end.said


def test_a_profile_whose_clock_stands_still_is_refused(tmp_path: Path) -> None:
    path = write_profile(PROFILES["2017-2gb"], tmp_path)
    text = "\n".join(
        "core_ghz = 0.0" if line.startswith("core_ghz") else line
        for line in path.read_text().splitlines()
    )
    path.write_text(text)
    content = {**SMALL, "population": {"profile_files": [str(path)]}}
    end = judged(partial(check, content, "small.toml"))
    assert end.how == "refused"
    assert "core_ghz = 0.0: give a number from 0.001 to 10000" in end.said
