"""Every key is listed with its type, default, unit and meaning, and the page of them is fresh."""

import re
from pathlib import Path

import pytest

from droidloop.platform.errors import UsageError
from droidloop.scenarios.catalogue.keys import Key, parts, records
from droidloop.scenarios.catalogue.page import page
from droidloop.scenarios.schema.load import find, load, names

PAGE = Path(__file__).parents[3] / "docs" / "keys.md"


def key(path: str, name: str, method: str | None = None) -> Key:
    [found] = [
        key
        for part in parts(path)
        for key in part.keys
        if key.name == name and part.path == path and (part.method and part.method.name) == method
    ]
    return found


def test_the_page_is_what_the_code_says() -> None:
    renew = "droidloop scenarios keys --page > docs/keys.md"
    assert PAGE.read_text() == page(), f"renew it: {renew}"


def test_every_key_says_what_it_means() -> None:
    nothing = [
        f"{one.heading} {key.name}" for one in parts() for key in one.keys if not key.meaning
    ]
    assert nothing == []
    assert [part.heading for part in parts() if not part.title] == []


@pytest.mark.parametrize(
    ("path", "name", "method", "words", "default", "unit"),
    [
        ("", "seed", None, "integer >= 0, < 9.22337e+18", "1", ""),
        ("", "name", None, "text", "needed", ""),
        ("population", "wifi_share", None, "number >= 0, <= 1", "0.85", "share"),
        ("churn", "lifetime_days", None, "number >= 1.15741e-11, <= 36525", "-", "days"),
        ("population", "profile_files", None, "list: text", "[]", ""),
        ("protocol", "deadline_s", "rounds", "number >= 1e-06, <= 3.15576e+09", "1200.0", "s"),
        ("protocol", "every_s", "buffered", "number >= 1e-06, <= 3.15576e+09", "1.0", "s"),
        ("protocol", "policy", "rounds", "a policy, by name or as a table", '"rule"', ""),
        ("protocol", "idle", "gossip", "true or false", "false", ""),
        ("training", "upload", "fedmf", '"part", "full"', '"part"', ""),
    ],
)
def test_a_key_is_told_as_its_section_has_it(
    path: str, name: str, method: str | None, words: str, default: str, unit: str
) -> None:
    found = key(path, name, method) if path else next(k for k in parts()[0].keys if k.name == name)
    assert (found.type, found.default, found.unit) == (words, default, unit)


def test_every_number_has_a_least_and_a_greatest_value() -> None:
    keys = [(part.heading, key.name, key.type) for part in parts() for key in part.keys]
    numbers = [one for one in keys if re.search(r"(?<!\")\b(integer|number)\b", one[2])]
    assert len(numbers) > 100
    assert [one for one in numbers if ">" not in one[2] or "<" not in one[2]] == []


def test_sections_within_come_with_a_section() -> None:
    assert {part.path for part in parts("data")} == {"data", "data.columns"}


def test_an_unknown_section_is_answered_with_those_that_are_there() -> None:
    with pytest.raises(UsageError, match=r"\[populatoin\]: there is no such section; .*population"):
        parts("populatoin")


@pytest.mark.parametrize("name", names())
def test_every_key_of_the_library_is_listed(name: str) -> None:
    listed: dict[str, set[str]] = {}
    for part in parts():
        listed.setdefault(part.path, set()).update(key.name for key in part.keys)
    listed["population.region.*"] = listed["population.region.NAME"]
    scenario = load(find(name)).resolved()
    for path in ("data", "population", "delivery", "evaluation", "training", "protocol", "model"):
        assert set(scenario[path]) - {"kind", "rule"} <= listed[path]


def test_records_have_one_row_a_key() -> None:
    [first, *_] = records(parts("delivery"))
    assert first["section"] == "[delivery]"
    assert set(first) == {"section", "name", "type", "default", "unit", "meaning"}
