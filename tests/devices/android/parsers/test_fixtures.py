"""Every fixture of what droidloop reads parses to what ``expected.json`` says of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.devices.android.fixture_views import UNREAD, VIEWS

FOLDER = Path(__file__).parents[5] / "shared" / "fixtures" / "android"
LISTED: dict[str, Any] = (
    json.loads((FOLDER / "expected.json").read_text()) if FOLDER.is_dir() else {}
)
EXPECTED = {name: entry for name, entry in LISTED.items() if entry["kind"] in VIEWS}


def assert_within(expected: Any, actual: Any) -> None:
    """Compare what is expected; a mapping may say more than that."""
    if isinstance(expected, dict):
        assert expected.keys() <= actual.keys()
        for key, value in expected.items():
            assert_within(value, actual[key])
    elif isinstance(expected, list):
        assert len(expected) == len(actual)
        for one, other in zip(expected, actual, strict=True):
            assert_within(one, other)
    else:
        assert expected == actual
        assert type(expected) is bool or not isinstance(actual, bool)


@pytest.mark.parametrize("name", sorted(EXPECTED) or ["absent"])
def test_fixture_parses_to_what_is_expected(shared: Path, name: str) -> None:
    entry = EXPECTED[name]
    text = (FOLDER / name).read_bytes().decode()
    expect = entry["expect"]
    if unread := UNREAD.get(entry["kind"]):
        expect = {key: value for key, value in expect.items() if key not in unread}
    assert expect
    assert_within(expect, VIEWS[entry["kind"]](text, entry))


def test_every_fixture_is_expected(shared: Path) -> None:
    assert {path.name for path in FOLDER.glob("*.txt")} == LISTED.keys()
