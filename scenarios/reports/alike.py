"""Which runs may stand side by side: those that differ in nothing but what is meant to vary."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from droidloop.platform.errors import UsageError
from droidloop.platform.rundir import RunDirectory

from .varied import keys_of, shown

_MADE_UP = ("users", "items", "interactions", "places")
"""Keys of [data] that say how data are made up, and nothing where they are read."""
_SAME = ("data", "evaluation")
"""What must be equal where nobody says what varies: quality means another thing else."""
_NO_MATTER = ("evaluation.every", "evaluation.baselines")
_CHOICES = ("rule", "kind")


def data_of(scenario: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of [data] that say which data *scenario* has."""
    data = dict(scenario["data"])
    if data.get("path") is not None:
        data = {key: value for key, value in data.items() if key not in _MADE_UP}
    return data


def require_alike(folders: Sequence[Path], varied: Iterable[str] = ()) -> None:
    """Check that the runs in *folders* differ in the keys *varied* alone, or in keys below these.

    Where none is given, they may differ in all but the data and how quality is measured. With the
    choice of a rule or a kind go the keys that only one of the choices has.

    Raises:
        UsageError: they differ in something else, or have no such key.
    """
    manifests = [RunDirectory.open(folder).manifest() for folder in folders]
    scenarios = [one["scenario"] | {"data": data_of(one["scenario"])} for one in manifests]
    flat = [dict(keys_of(scenario)) for scenario in scenarios]
    varied = list(varied)
    known = {key for one in flat for key in one}
    for name in varied:
        if not any(_within(key, [name]) for key in known):
            close = difflib.get_close_matches(name, known, 1)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            raise UsageError(f"--varied {name}: no run has that key{meant}")
    for folder, one in zip(folders[1:], flat[1:], strict=True):
        for key in flat[0] | one:
            before, now = flat[0].get(key), one.get(key)
            both = key in flat[0] and key in one
            if before == now or _may_differ(key, varied, both):
                continue
            raise UsageError(
                f"{folder}: {key} = {shown(now)}, but {shown(before)} in {folders[0]}; leave one "
                f"of them out, or say that it is meant to vary: {_remedy(key, varied)}"
            )


def _may_differ(key: str, varied: Sequence[str], both: bool) -> bool:
    if not varied:
        return key in _NO_MATTER or not _within(key, _SAME)
    section = key.rpartition(".")[0]
    chosen = not both and any(f"{section}.{choice}" in varied for choice in _CHOICES)
    return chosen or _within(key, varied)


def _within(key: str, names: Iterable[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _remedy(key: str, varied: Sequence[str]) -> str:
    """Return the options that let *key* vary: where none was given, all sections stay free."""
    section = key.partition(".")[0]
    return f"--varied {key}" if varied else f"--varied {section} and each other key that varies"
