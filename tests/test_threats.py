"""What docs say is shown by a test is shown by one that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PATH = re.compile(r"`(tests/[\w./]*)(?:::(\w+))?`")
MODULE = re.compile(r"python -m (tests(?:\.\w+)+)")
NOTHING = ("nothing", "it has to be installed")


def wanting(text: str) -> list[str]:
    """Return the tests and modules that *text* names and that there are not."""
    found = []
    for path, name in PATH.findall(text):
        place = ROOT / path
        if "NAME" in path:  # one of many
            continue
        if not place.exists() or (name and f"def {name}(" not in place.read_text()):
            found.append(f"{path}::{name}" if name else path)
    for module in MODULE.findall(text):
        place = ROOT / module.replace(".", "/")
        if not place.with_suffix(".py").exists() and not (place / "__main__.py").exists():
            found.append(module)
    return found


def unshown(text: str) -> list[str]:
    """Return what the tables of *text* say that is stopped, and name no test for."""
    found, before = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or len(cells) < 3 or set(cells[0]) <= {"-"}:
            continue
        what, stops, shown = cells[0], cells[1], cells[-1]
        if what in ("It may", "May"):
            continue
        named = bool(PATH.search(shown) or MODULE.search(shown)) or (before and "same" in shown)
        before = named
        if not named and not stops.startswith(NOTHING):
            found.append(what)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    assert wanting(page.read_text()) == []


def test_every_threat_that_is_stopped_names_the_test_that_shows_it() -> None:
    text = (ROOT / "docs/threats.md").read_text()
    assert unshown(text) == []
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(sections) >= 8
    bare = [one.splitlines()[0] for one in sections if not (PATH.search(one))]
    assert bare == []


def test_what_is_not_there_is_found() -> None:
    assert wanting("`tests/test_threats.py::test_what_is_not_there_is_found`") == []
    said = "`tests/no.py`, `tests/test_threats.py::test_no`, python -m tests.no"
    assert wanting(said) == ["tests/no.py", "tests/test_threats.py::test_no", "tests.no"]
    assert unshown("| May | Stops | Shown |\n| --- | --- | --- |\n| a | b | soon |") == ["a"]
    assert unshown("| a | nothing | |\n| b | c | `tests/x.py` |\n| d | e | the same |") == []
