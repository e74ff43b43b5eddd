"""Every method that a scenario can choose: what it is, its keys, and what goes with it."""

import difflib
from dataclasses import asdict
from typing import Any

from droidloop.platform.errors import UsageError
from droidloop.platform.registry import HOMES, KEYS, Method, every, find, missing, names
from droidloop.scenarios.schema.chosen import choices_of

from .keys import Key, keys_of


def methods(kind: str | None = None) -> list[Method]:
    """Return all methods, or those of *kind*.

    Raises:
        UsageError: there is no such kind.
    """
    if kind is not None:
        _require_kind(kind)
    return [one for each in ([kind] if kind else HOMES) for one in every(each)]


def method(name: str, kind: str | None = None) -> Method:
    """Return the method *name*, of *kind* where several kinds have one of that name.

    Raises:
        UsageError: there is none, or more than one.
    """
    if kind is not None:
        _require_kind(kind)
        return find(kind, name)
    kinds = [one for one in HOMES if name in names(one)]
    if len(kinds) == 1:
        return find(kinds[0], name)
    if kinds:
        raise UsageError(f"{name}: {' and '.join(kinds)} have one of that name; give the kind, too")
    close = difflib.get_close_matches(name, [one for each in HOMES for one in names(each)], 1)
    meant = f"did you mean {close[0]!r}?" if close else "`droidloop methods list` names them"
    raise UsageError(f"{name}: there is no method of that name; {meant}")


def facts(one: Method) -> dict[str, Any]:
    """Return all that is known of a method, as plain values."""
    return {
        "kind": one.kind,
        "name": one.name,
        "chosen_by": KEYS[one.kind],
        "summary": one.summary,
        "source": one.source,
        "gives": sorted(one.gives),
        "needs": {kind: sorted(words) for kind, words in sorted(one.needs.items())},
        "accepts": {kind: sorted(words) for kind, words in sorted(one.accepts.items())},
        "usual": dict(one.usual),
        "goes_with": goes_with(one),
        "keys": [asdict(key) for key in keys_of(one.section)],
    }


def goes_with(one: Method) -> dict[str, list[str]]:
    """Return by kind the names of what *one* goes with, of the kinds where it does not with all."""
    found = {}
    for kind in HOMES:
        others = list(every(kind)) if kind != one.kind else []
        fitting = [other.name for other in others if _together(one, other)]
        if len(fitting) < len(others):
            found[kind] = fitting
    return found


def lines(one: Method) -> list[str]:
    """Return *one* as text."""
    said = [f'{one.kind} {one.name}, chosen by {KEYS[one.kind]} = "{one.name}"', one.summary]
    if one.source:
        said.append(f"source: {one.source}")
    said += [f"usually with the {kind} {name}" for kind, name in one.usual.items()]
    for kind, fitting in goes_with(one).items():
        said.append(f"goes with the {kind}: {', '.join(fitting) or 'none that is there'}")
    said += [f"  {line(key)}" for key in keys_of(one.section)]
    return said


def line(key: Key) -> str:
    """Return *key* as one line of text."""
    unit = f" {key.unit}" if key.unit and key.unit != "share" else ""
    return f"{key.name} = {key.default}{unit} ({key.type}): {key.meaning}"


def _together(one: Method, other: Method) -> bool:
    if missing(one, other) or missing(other, one):
        return False
    for outer, inner in ((one, other), (other, one)):
        if any(inner.kind in _within(each) for each in every(outer.kind)):
            return inner.kind in _within(outer)
    return True


def _within(one: Method) -> set[str]:
    """Return the kinds that are chosen in the section of *one*."""
    return {kind for kind, _ in choices_of(one.section).values()}


def _require_kind(kind: str) -> None:
    if kind not in HOMES:
        raise UsageError(f"{kind}: there is no such kind of method; choose from {', '.join(HOMES)}")
