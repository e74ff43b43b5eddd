"""The state of a run as a tree: what objects remember, as arrays, numbers, words, lists and maps.

An object that remembers names the fields in which it does so; everything else of it is made anew
from the scenario. One walker turns fields into a tree and back, so that a tree can be written to a
file, and a run can go on from it. Values that are rebuilt (messages, jobs) are known by name: what
a file says is never imported or run.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

Tree = Any
"""None, a bool, int, float or str, an array, a list of trees, or a dict of trees by words."""

_TAG = "~"

_Take = Callable[[Any], Tree]
_Make = Callable[[Tree], Any]


class _Known:
    """The types of values that can be rebuilt, by name and by type."""

    by_name: ClassVar[dict[str, _Make]] = {}
    by_type: ClassVar[dict[type, tuple[str, _Take]]] = {}


class Stateful:
    """An object that remembers something: in the fields ``STATE``, which the tree holds by name."""

    STATE: ClassVar[tuple[str, ...]] = ()

    def state(self) -> dict[str, Tree]:
        """Return what it remembers; arrays are its own, so write or ``copied`` them at once."""
        return {name: pack(getattr(self, name)) for name in self.STATE}

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Remember what *tree* says, of which ``state`` was made by an object built alike."""
        for name in self.STATE:
            setattr(self, name, unpack(tree[name], getattr(self, name)))


def kept_value(kind: type, take: _Take | None = None, make: _Make | None = None) -> Any:
    """Have *kind* be a type of values that are taken apart and rebuilt; return it.

    Without *take* and *make* it is a dataclass, and its fields are what it is made of.
    """
    name = f"{kind.__module__}.{kind.__qualname__}"

    def parts(one: Any) -> Tree:
        return {field.name: pack(getattr(one, field.name)) for field in fields(one) if field.init}

    def rebuilt(tree: Tree) -> Any:
        return kind(**{name: unpack(part) for name, part in tree.items()})

    _Known.by_type[kind] = name, take or parts
    _Known.by_name[name] = make or rebuilt
    return kind


def pack(one: Any) -> Tree:
    """Return *one* as a tree.

    Raises:
        TypeError: it is, or holds, what has no state and is no known value.
    """
    if one is None or isinstance(one, bool | str | np.ndarray):
        return one
    if isinstance(one, int | float):
        return int(one) if isinstance(one, int) else float(one)
    if isinstance(one, np.generic):
        return one.item()
    if type(one) in _Known.by_type:
        name, take = _Known.by_type[type(one)]
        return {_TAG: name, "of": take(one)}
    if isinstance(one, list):
        return [pack(part) for part in one]
    if isinstance(one, tuple):
        return {_TAG: "tuple", "of": [pack(part) for part in one]}
    if isinstance(one, Mapping):
        return {_TAG: "map", "of": [[pack(key), pack(part)] for key, part in one.items()]}
    if callable(getattr(one, "state", None)):
        return {_TAG: "state", "of": one.state()}
    raise TypeError(f"{type(one).__name__} keeps no state; derive it from Stateful")


def unpack(tree: Tree, into: Any = None) -> Any:
    """Return what *tree* was made of; objects with a state are those of *into*, restored.

    Raises:
        ValueError: the tree names a value that is not known here.
    """
    if isinstance(tree, list):
        alike = isinstance(into, list) and len(into) == len(tree)
        mine: list[Any] = into if alike else [None] * len(tree)
        return [unpack(part, one) for part, one in zip(tree, mine, strict=True)]
    if not isinstance(tree, dict):
        return tree
    name, of = tree[_TAG], tree["of"]
    if name == "state":
        into.restore(of)
        return into
    if name == "tuple":
        return tuple(unpack(of, list(into) if isinstance(into, tuple) else None))
    if name == "map":
        present = into if isinstance(into, Mapping) else {}
        pairs = [(unpack(key), part) for key, part in of]
        made = {key: unpack(part, present.get(key)) for key, part in pairs}
        return Counter(made) if isinstance(into, Counter) else made
    if name not in _Known.by_name:
        raise ValueError(f"{name}: not a value of this version")
    return _Known.by_name[name](of)


def copied(tree: Tree) -> Tree:
    """Return *tree* with arrays of its own: it stays as it is while the run goes on."""
    if isinstance(tree, np.ndarray):
        return tree.copy()
    if isinstance(tree, list):
        return [copied(part) for part in tree]
    if isinstance(tree, dict):
        return {key: copied(part) for key, part in tree.items()}
    return tree
