"""A scenario in Python: loaded by name, path or as a dictionary; changed by dotted keys."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, final

import numpy as np

from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.schema import load as files
from droidloop.scenarios.schema.schema import Scenario as Checked


@final
class Scenario:
    """A scenario whose every key is checked; it never changes, ``with_`` returns another.

    ``scenario["protocol.rounds"]`` is what a run will use: what was given, or the default.
    """

    def __init__(self, content: Mapping[str, Any], place: str) -> None:
        """Check *content*, the tables of a file; *place* is named in errors.

        Raises:
            ScenarioError: a key is unknown, or a value is not what it must be.
        """
        self._content = _plain(content)
        self._place = place
        self.checked: Checked = files.check(deepcopy(self._content), place)

    @property
    def name(self) -> str:
        """The name of the scenario."""
        return self.checked.name

    @property
    def seed(self) -> int:
        """The seed of all chance."""
        return self.checked.seed

    def with_(self, changes: Mapping[str, Any] | None = None, /, **top: Any) -> "Scenario":
        """Return the scenario with some keys changed.

        Args:
            changes: values by dotted key, as ``{"protocol.rounds": 5}``; None gives a key its
                default back.
            **top: the same for the keys at the top and for whole sections, as ``seed=7``.

        Raises:
            ScenarioError: a key is unknown, or a value is not what it must be.
        """
        content = deepcopy(self._content)
        for key, value in {**(changes or {}), **top}.items():
            files.put(content, key, _plain(value), self._place)
        return Scenario(content, self._place)

    def resolved(self) -> dict[str, Any]:
        """Return every key with its value, given or default, as tables within tables."""
        return self.checked.resolved()

    def __getitem__(self, key: str) -> Any:
        value: Any = self.resolved()
        for name in key.split("."):
            if not isinstance(value, dict) or name not in value:
                raise ScenarioError(f"{self._place}: there is no key {key!r}")
            value = value[name]
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scenario) and self.resolved() == other.resolved()

    def __hash__(self) -> int:
        return hash((self.name, self.seed))

    def __repr__(self) -> str:
        return f"<Scenario {self.name}, seed {self.seed}: {self.checked.title}>"


def load(source: str | Path | Mapping[str, Any]) -> Scenario:
    """Return a scenario: one of ours by its name, a TOML file by its path, or a dictionary.

    Raises:
        ScenarioError: there is none of that name, or it is not right.
    """
    if isinstance(source, Mapping):
        return Scenario(source, "scenario")
    path = files.find(str(source))
    return Scenario(files.read(path), str(path))


def scenario_names() -> list[str]:
    """Return the names of the scenarios that ship with droidloop."""
    return files.names()


def _plain(value: Any) -> Any:
    """Return *value* as a TOML file would give it: numbers, texts, lists and dictionaries."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value
