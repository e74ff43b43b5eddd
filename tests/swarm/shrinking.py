"""Finds a smaller scenario that breaks the same invariant."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError

from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.schema.schema import Scenario

from .chance import Content

MOST = 60
"""Scenarios that are tried, at most."""
_KEPT = {("name",), ("title",), ("seed",)}
_LEAST: dict[tuple[str, ...], int] = {
    ("population", "phones"): 4,
    ("protocol", "rounds"): 1,
    ("data", "interactions"): 4,
    ("data", "items"): 15,
}


def shrunk(content: Content, breaks: Callable[[Content], bool]) -> Content:
    """Return the smallest scenario that was found of which *breaks* is true, as of *content*."""
    tried = 0
    smaller = True
    while smaller and tried < MOST:
        smaller = False
        for candidate in _candidates(content):
            if tried >= MOST:
                break
            if not _is_scenario(candidate):
                continue
            tried += 1
            if breaks(candidate):
                content, smaller = candidate, True
                break
    return content


def _is_scenario(content: Content) -> bool:
    try:
        Scenario.of(content)
    except (ScenarioError, ValidationError):
        return False
    return True


def _candidates(content: Content) -> Iterator[Content]:
    """Yield *content* with something left out or made smaller, the largest parts first."""
    paths = sorted(_paths(content), key=len)
    for path in paths:
        if path not in _KEPT:
            yield _without(content, path)
    for path, least in _LEAST.items():
        value = content.get(path[0], {}).get(path[1], 0)
        if value > least:
            for less in (max(least, value // 2), value - 1):
                smaller = copy.deepcopy(content)
                smaller[path[0]][path[1]] = less
                yield smaller


def _paths(part: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = part.items() if isinstance(part, dict) else enumerate(part)
    for key, value in items:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from _paths(value, (*above, key))


def _without(content: Content, path: tuple[Any, ...]) -> Content:
    smaller = copy.deepcopy(content)
    part: Any = smaller
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return smaller
