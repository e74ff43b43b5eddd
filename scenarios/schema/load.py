"""From a name or a file to a checked scenario; every error names file, key, value and remedy."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from droidloop.platform.errors import ScenarioError, shown
from droidloop.platform.reading import toml_of
from droidloop.platform.section import Section

from .schema import AndroidSection, DevicesSection, Scenario

LIBRARY = Path(__file__).parent / "library"


def names() -> list[str]:
    """Return the names of the scenarios that ship with droidloop."""
    return sorted(path.stem for path in LIBRARY.glob("*.toml"))


def find(scenario: str) -> Path:
    """Return the file of *scenario*: a path, or a name from the library.

    Raises:
        ScenarioError: there is neither.
    """
    path = Path(scenario)
    if path.suffix == ".toml" or os.path.exists(path):
        if not os.path.isfile(path):
            raise ScenarioError(f"{scenario}: no such file; `droidloop scenarios list` names ours")
        return path
    if scenario in names():
        return LIBRARY / f"{scenario}.toml"
    raise ScenarioError(
        f"{scenario}: no scenario of that name{_meant(scenario, names())}; "
        "`droidloop scenarios list` names them"
    )


def load(path: Path, settings: Sequence[str] = ()) -> Scenario:
    """Read *path*, apply ``key=value`` *settings*, and check the result.

    Raises:
        ScenarioError: the file is not TOML, a key is unknown, or a value is not what it must be.
    """
    return check(content_of(path, settings), str(path))


def content_of(path: Path, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Return the tables of the file *path* after ``key=value`` *settings*.

    Raises:
        ScenarioError: the file is not TOML, or a setting is none.
    """
    content = read(path)
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise ScenarioError(f"--set {setting}: give it as key=value, for example seed=7")
        put(content, key, _value(text), f"--set {setting}")
    return content


def read(path: Path) -> dict[str, Any]:
    """Return the tables of the file *path*.

    Raises:
        ScenarioError: it cannot be read, or is not TOML.
    """
    return toml_of(path, ScenarioError)


def check(content: dict[str, Any], place: str) -> Scenario:
    """Return *content* as a scenario; *place* is where it came from, for errors.

    Raises:
        ScenarioError: a key is unknown, or a value is not what it must be.
    """
    try:
        made, content = Scenario.typed(content)
    except ScenarioError as error:
        raise ScenarioError(f"{place}: {error}") from error
    try:
        return made.checked(content)
    except ValidationError as error:
        raise ScenarioError(f"{place}: {one_line(error, made)}") from error
    except ScenarioError as error:
        raise ScenarioError(f"{place}: {error}") from error


class TestBed(Section):
    """A file of devices alone, which goes with any scenario."""

    devices: DevicesSection


def read_test_bed(path: Path) -> list[AndroidSection]:
    """Return the devices that the file *path* names in ``[[devices.android]]``.

    Raises:
        ScenarioError: the file is not TOML, a key is unknown, or a value is not what it must be.
    """
    try:
        return TestBed.model_validate(read(path)).devices.android
    except ValidationError as error:
        raise ScenarioError(f"{path}: {one_line(error, TestBed)}") from error


def put(content: dict[str, Any], key: str, value: Any, place: str) -> None:
    """Give the dotted *key* of *content* that *value*; None takes the key out.

    Raises:
        ScenarioError: the key leads through a value that is no table; it names *place*.
    """
    *tables, last = key.split(".")
    table: Any = content
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ScenarioError(f"{place}: {name!r} is a value, not a table")
    if value is None:
        table.pop(last, None)
    else:
        table[last] = value


def _value(text: str) -> Any:
    """Read *text* as a TOML value; what is none is a plain string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def one_line(error: ValidationError, made: type[Section]) -> str:
    """Say the first of the errors in one line."""
    first = error.errors()[0]
    *tables, key = [str(part) for part in first["loc"]] or ["scenario"]
    place = f"[{'.'.join(tables)}] " if tables else ""
    if first["type"] == "extra_forbidden":
        return f"{place}has no key {key!r}{_meant(key, _keys(made, tables))}"
    if first["type"] == "missing":
        return f"{place}needs the key {key!r}"
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":
        return reason
    return f"{place}{key} = {shown(first['input'])}: {reason[:1].lower()}{reason[1:]}"


def _keys(made: Any, tables: Sequence[str]) -> Iterable[str]:
    """Return the keys of the section at *tables* of the scenario type *made*."""
    for name in tables:
        field = getattr(made, "model_fields", {}).get(name)
        if field is not None:
            made = next(
                (
                    one
                    for one in (field.annotation, *get_args(field.annotation))
                    if hasattr(one, "model_fields")
                ),
                None,
            )
    return getattr(made, "model_fields", {})


def _meant(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
