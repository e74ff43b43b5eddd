"""Every key of every section of a scenario: what it takes, what it is if not given, what it means.

All of it is read off the sections themselves, those of other people's packages included.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, get_args

from droidloop.platform.errors import UsageError
from droidloop.platform.registry import Method, every
from droidloop.platform.section import Section
from droidloop.scenarios.schema.chosen import choices_of, tag_of
from droidloop.scenarios.schema.schema import Scenario

from .meanings import meanings

CHOSEN = {
    "model": "recommender",
    "training": "rule",
    "protocol": "protocol",
    "unlearning": "unlearning",
    "evaluation.metrics": "metric",
    "faults": "fault",
}
"""The sections that are those of what a scenario chooses, and the kinds that they choose from."""

_UNITS = {
    "s": "s",
    "h": "h",
    "hour": "h",
    "days": "days",
    "m": "m",
    "mbps": "Mbit/s",
    "percent": "%",
    "share": "share",
    "turns": "turns",
    "rounds": "turns",
}
"""The unit that the end of a key's name says."""


@dataclass(frozen=True)
class Key:
    """One key; *default* and *type* as a scenario's file writes them."""

    name: str
    type: str
    default: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Part:
    """A section, or what one holds if it chooses *method*.

    Attributes:
        path: of the section in a file, ``protocol.topology``; empty at the top.
        method: what it chooses, if it does.
        title: what it is for.
        keys: in the order of the file.
    """

    path: str
    method: Method | None
    title: str
    keys: tuple[Key, ...]

    @property
    def heading(self) -> str:
        """The line of a file that begins it."""
        if self.method is None:
            return f"[{self.path}]" if self.path else "(top)"
        tag = "name" if self.method.kind == "metric" else tag_of(self.method.kind)
        return f'[{self.path}] {tag} = "{self.method.name}"'


def parts(path: str | None = None) -> list[Part]:
    """Return all sections in the order of a file, or that at *path* and those within.

    Raises:
        UsageError: there is no section at *path*.
    """
    found = list({(one.path, one.heading): one for one in _parts("", Scenario, None)}.values())
    if path is None:
        return found
    within = [one for one in found if one.path == path or one.path.startswith(f"{path}.")]
    if not within:
        there = ", ".join(dict.fromkeys(one.path for one in found if one.path))
        raise UsageError(f"[{path}]: there is no such section; choose from {there}")
    return within


def records(some: Iterable[Part]) -> list[dict[str, str]]:
    """Return the keys of *some* sections, one record each."""
    return [{"section": part.heading, **asdict(key)} for part in some for key in part.keys]


def keys_of(section: type[Section]) -> tuple[Key, ...]:
    """Return the keys of *section*, without those of the sections within.

    Of a scenario these are the ones at the top.
    """
    schema, told = section.model_json_schema(), meanings(section)
    choices = choices_of(section)
    keys = []
    for name, field in section.model_fields.items():
        kind, default = choices.get(name, (None, None))
        if kind is None:
            written = "needed"
            if not field.is_required():
                written = _written(field.get_default(call_default_factory=True))
            words = _words(schema["properties"][name])
        else:
            written = "[]" if default is None else json.dumps(default)
            words = f"a {kind}, by name or as a table" if default else f"{kind}s, a list"
        meaning = told.get(name, "").replace("``", "`")
        if words == "table" and section is Scenario:
            continue
        keys.append(Key(name, words, written, _unit(name, words), meaning))
    return tuple(keys)


def _parts(path: str, section: type[Section], method: Method | None) -> Iterator[Part]:
    title = " ".join((section.__doc__ or "").partition("\n\n")[0].split())
    yield Part(path, method, title, keys_of(section))
    choices = choices_of(section)
    for name, field in section.model_fields.items():
        below = f"{path}.{name}".lstrip(".")
        kind = choices[name][0] if name in choices else CHOSEN.get(below)
        if kind is not None:
            for one in every(kind):
                yield from _parts(below, one.section, one)
        for inner in _sections(field.annotation):
            by_name = "dict" in str(field.annotation)
            yield from _parts(f"{below}.NAME" if by_name else below, inner, None)


def _sections(annotation: Any) -> list[type[Section]]:
    """Return the sections that a key of that type holds, but not one that is chosen by name."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation] if annotation.model_fields else []
    return [one for inner in get_args(annotation) for one in _sections(inner)]


def _words(schema: dict[str, Any]) -> str:
    """Say in words what a value of that JSON schema is."""
    if "anyOf" in schema:
        some = [_words(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(some)
    if "enum" in schema or "const" in schema:
        return ", ".join(json.dumps(one) for one in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "array":
            return f"list: {_words(schema['items'])}"
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return f"table: {_words(schema['additionalProperties'])} by name"
        case "boolean":
            return "true or false"
        case "string":
            return "text"
        case "integer" | "number" as kind:
            return f"{kind}{_bounds(schema)}"
    return "table"


def _bounds(schema: dict[str, Any]) -> str:
    words = {
        "minimum": ">=",
        "exclusiveMinimum": ">",
        "maximum": "<=",
        "exclusiveMaximum": "<",
    }
    said = [f"{sign} {schema[key]:g}" for key, sign in words.items() if key in schema]
    return f" {', '.join(said)}" if said else ""


def _written(default: Any) -> str:
    if default is None or isinstance(default, Section):
        return "-"
    return json.dumps(default)


def _unit(name: str, words: str) -> str:
    if words.split()[0] not in ("integer", "number"):
        return ""
    end = name.rpartition("_")[2]
    if "_" in name and end in _UNITS:
        return _UNITS[end]
    return "share" if words == "number >= 0, <= 1" else ""
