"""Which sections a scenario has: those of what it chooses by name, found in the registry.

A section that holds choices names them: ``choices`` maps a key to a kind of the registry and the
name that is chosen where the file says nothing (None: the key is a list, empty then).
"""

from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import KEYS, Method, find
from droidloop.platform.section import Section


def tag_of(kind: str) -> str:
    """Return the key by which a section of that *kind* says which one it is."""
    return "rule" if kind == "rule" else "kind"


def chosen(content: Any, kind: str, otherwise: str) -> Method:
    """Return the method that the table *content* chooses; *otherwise* where it says nothing.

    Raises:
        ScenarioError: there is no such method, or the choice is no name.
    """
    name = content.get(tag_of(kind), otherwise) if isinstance(content, dict) else otherwise
    if not isinstance(name, str):
        raise ScenarioError(f"{KEYS[kind]} = {name!r}: give a name in quotes")
    return find(kind, name)


def method_of(kind: str, section: Section) -> Method:
    """Return the method whose section *section* is, as a scenario holds it."""
    return find(kind, getattr(section, tag_of(kind)))


def section_of(method: Method, content: Any) -> tuple[type[Section], Any]:
    """Return the type of the section of *method* for *content*, and *content* as it is read.

    The type has the key that names the method, and the types of the choices within. A choice that
    is given as a name alone becomes a table.
    """
    content = dict(content) if isinstance(content, dict) else content
    fields: list[tuple[str, Any]] = []
    for key, (kind, otherwise) in sorted(choices_of(method.section).items()):
        given = content.get(key) if isinstance(content, dict) else None
        if otherwise is None:
            inner, read = list_of(kind, given)
        else:
            inner, read = section_of(*_one(kind, given, otherwise))
        if isinstance(content, dict) and given is not None:
            content[key] = read
        fields.append((key, inner))
    return _typed(method.section, tag_of(method.kind), method.name, tuple(fields)), content


def section_with(kind: str, name: str, **values: Any) -> Any:
    """Return the section of that choice with *values*, as a scenario would hold it.

    Raises:
        ScenarioError: there is no such choice.
        pydantic.ValidationError: a key is unknown, or a value is not what it must be.
    """
    made, read = section_of(find(kind, name), values)
    return made.model_validate(read)


def choices_of(section: type[Section]) -> dict[str, tuple[str, str | None]]:
    """Return the keys of *section* that hold choices, with their kind and default."""
    return dict(getattr(section, "choices", {}))


def _one(kind: str, given: Any, otherwise: str) -> tuple[Method, Any]:
    table = {tag_of(kind): given} if isinstance(given, str) else given
    return chosen(table, kind, otherwise), table


def list_of(kind: str, given: Any) -> tuple[Any, Any]:
    """Return the type of a list of choices of that kind, and the list as it is read.

    Raises:
        ScenarioError: one names no choice that there is.
    """
    if not isinstance(given, list) or not given:
        return list[Section], given
    types, tables = [], []
    for one in given:
        table = {"kind": one} if isinstance(one, str) else one
        if not isinstance(table, dict) or "kind" not in table:
            raise ScenarioError(f'{KEYS[kind]}: {one!r} names no kind; give kind = "..."')
        made, read = section_of(chosen(table, kind, ""), table)
        types.append(made)
        tables.append(read)
    union: Any = reduce(or_, dict.fromkeys(types))
    if len(set(types)) == 1:
        return list[union], tables
    return list[Annotated[union, Field(discriminator="kind")]], tables


@cache
def _typed(
    section: type[Section], tag: str, name: str, fields: tuple[tuple[str, Any], ...]
) -> type[Section]:
    """Return *section* with the key *tag*, which is *name*, and with *fields* of those types."""
    made: dict[str, Any] = {tag: (Literal[name], name)}
    for key, inner in fields:
        if isinstance(inner, type) and issubclass(inner, Section):
            made[key] = (inner, Field(default_factory=inner))
        else:
            made[key] = (inner, Field(default_factory=list))
    return create_model(section.__name__, __base__=section, __doc__=section.__doc__, **made)
