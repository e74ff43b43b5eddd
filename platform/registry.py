"""What can be chosen by name in a scenario: each choice is one file, imported only when it is used.

A file that holds a choice ends in ``METHOD = Method(...)``. Ours lie in the rooms of ``HOMES``, a
file of the choice's name; other packages add theirs as entry points of the group
``droidloop.methods``, named ``kind.name``, each pointing at a ``Method``.
"""

import difflib
import importlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .errors import ScenarioError
from .section import Section

GROUP = "droidloop.methods"

HOMES = {
    "recommender": ("models/recommenders",),
    "table": ("models/tables",),
    "rule": ("models/federated", "models/peer", "models/tuning"),
    "transform": ("models/transforms",),
    "sender": ("models/senders",),
    "metric": ("models/metrics",),
    "protocol": ("scenarios/protocols",),
    "policy": ("scenarios/policies",),
    "unlearning": ("models/unlearning",),
    "tracker": ("scenarios/trackers",),
    "fault": ("scenarios/faults",),
}
"""The rooms in which droidloop's own choices of each kind lie."""

KEYS = {
    "recommender": "model.kind",
    "table": "model.table.kind",
    "rule": "training.rule",
    "transform": "protocol.transforms",
    "sender": "protocol.senders",
    "metric": "evaluation.metrics",
    "protocol": "protocol.kind",
    "policy": "protocol.policy",
    "unlearning": "unlearning.kind",
    "tracker": "--track",
    "fault": "faults",
}
"""The key of a scenario, or the option, that names a choice of each kind."""

_DECLARED = re.compile(r"^METHOD\b", re.MULTILINE)


@dataclass(frozen=True)
class Method:
    """One choice: its keys, what makes it, and what goes with it, as data.

    Attributes:
        kind: one of ``HOMES``.
        name: by which a scenario names it.
        section: its keys, with defaults and help; the first line of its docstring says what it is.
        build: makes it from its section and what else its kind is given.
        source: where it comes from: authors, year, place.
        gives: what others may rely on, in words such as ``item-table``.
        needs: by kind, what the chosen one of that kind has to give, all of it.
        accepts: by kind, of which the chosen one has to give at least one word.
        usual: by kind, the name of what is chosen where the scenario says nothing.
        check: raises ScenarioError where the whole scenario lacks what this choice works with.
    """

    kind: str
    name: str
    section: type[Section]
    build: Callable[..., Any]
    source: str = ""
    gives: frozenset[str] = frozenset()
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    accepts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    usual: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Any], None] | None = None

    @property
    def summary(self) -> str:
        """The first line of what the section says of itself."""
        return (self.section.__doc__ or "").strip().partition("\n")[0]


def names(kind: str) -> list[str]:
    """Return the names of all choices of *kind*, sorted; none is imported for it."""
    return sorted({*_own(kind), *_foreign(kind)})


def find(kind: str, name: str) -> Method:
    """Return the choice of that *kind* and *name*, importing it.

    Raises:
        ScenarioError: there is none, or what a package offers is none.
    """
    own, foreign = _own(kind), _foreign(kind)
    if name in own:
        found = importlib.import_module(own[name]).METHOD
    elif name in foreign:
        entry = foreign[name]
        try:
            found = entry.load()
        except (ImportError, AttributeError) as error:
            raise ScenarioError(
                f"{KEYS[kind]} = {name!r}: {entry.value} cannot be imported ({error}); "
                "mend or remove that package"
            ) from error
    else:
        known = names(kind)
        close = difflib.get_close_matches(name, known, 1)
        meant = f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(known)}"
        raise ScenarioError(f"{KEYS[kind]} = {name!r}: there is no such {kind}; {meant}")
    if not isinstance(found, Method) or (found.kind, found.name) != (kind, name):
        raise ScenarioError(
            f"{KEYS[kind]} = {name!r}: its file offers {found!r}, not the {kind} of that name"
        )
    return found


def every(kind: str) -> Iterator[Method]:
    """Yield all choices of *kind* in the order of their names, importing each."""
    for name in names(kind):
        yield find(kind, name)


def missing(method: Method, other: Method) -> frozenset[str]:
    """Return what *method* asks of a choice of the kind of *other* and that one does not give."""
    lacks = method.needs.get(other.kind, frozenset()) - other.gives
    some = method.accepts.get(other.kind, frozenset())
    return lacks if not some or some & other.gives else lacks | some


def require_together(chosen: Sequence[Method]) -> None:
    """Check that the *chosen* methods go together.

    Raises:
        ScenarioError: two do not; the line names both, and what would go with the first.
    """
    for method in chosen:
        for other in chosen:
            if lacks := missing(method, other):
                fitting = [one.name for one in every(other.kind) if not missing(method, one)]
                raise ScenarioError(
                    f"{KEYS[other.kind]} = {other.name!r}: the {method.kind} {method.name!r} needs "
                    f"a {other.kind} that gives {' and '.join(sorted(lacks))}; "
                    f"choose from {', '.join(fitting) or 'none that is there'}"
                )


@cache
def _own(kind: str) -> dict[str, str]:
    """Return the modules of our own choices of *kind* by name, from their files' text alone."""
    found: dict[str, str] = {}
    for home in HOMES[kind]:
        room = f"droidloop.{home.replace('/', '.')}"
        spec = importlib.util.find_spec(room)
        for folder in (spec and spec.submodule_search_locations) or ():
            for path in sorted(Path(folder).glob("*.py")):
                if _DECLARED.search(path.read_text()):
                    found.setdefault(path.stem.replace("_", "-"), f"{room}.{path.stem}")
    return found


@cache
def _foreign(kind: str) -> dict[str, importlib.metadata.EntryPoint]:
    prefix = f"{kind}."
    return {
        entry.name.removeprefix(prefix): entry
        for entry in importlib.metadata.entry_points(group=GROUP)
        if entry.name.startswith(prefix)
    }
