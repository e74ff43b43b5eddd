"""Profiles of one's own: a TOML file with the fields of ``Profile``, as ``calibrate`` writes it."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from droidloop.platform.errors import ScenarioError, shown
from droidloop.platform.reading import toml_of

from .profiles import PROFILES, Profile

NAME_BYTES = 24  # of the ledger's column
MAX_TEXT = 1000
BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("ram_gib", "free_storage_gib"), (0.001, 1e5)),
    **dict.fromkeys(("system_ram_gib", "apps_ram_gib"), (0, 1e5)),
    **dict.fromkeys(("idle_ma", "screen_ma", "core_ma"), (0, 1e5)),
    **dict.fromkeys(("core_ghz", "flops_per_cycle"), (0.001, 1e4)),
    **dict.fromkeys(("memory_gb_per_s", "charger_w"), (0.001, 1e4)),
    **dict.fromkeys(("storage_mb_per_s", "battery_mah"), (1, 1e6)),
    **dict.fromkeys(("process_start_ms", "runtime"), (0, 1e6)),
    **dict.fromkeys(("step_us", "cell_ns"), (0, 1e9)),
}
"""Of each number: from what nothing divides by, to a hundred times the largest phone of ours."""


def profile_table(files: Sequence[str]) -> dict[str, Profile]:
    """Return all profiles by name: ours and those in *files*, which may replace ours.

    Raises:
        ScenarioError: a file is no profile.
    """
    return PROFILES | {one.name: one for one in (read_profile(Path(file)) for file in files)}


def read_profile(path: Path) -> Profile:
    """Return the profile in the file *path*.

    Raises:
        ScenarioError: it cannot be read, or a field is missing, unknown or of another type.
    """
    content = toml_of(path, ScenarioError)
    fields = dataclasses.fields(Profile)
    kinds = {field.name: field.type for field in fields}
    optional = {field.name for field in fields if field.default is not dataclasses.MISSING}
    for name in sorted((kinds.keys() ^ content.keys()) - (optional - content.keys())):
        what = "has no key" if name in content else "needs the key"
        raise ScenarioError(f"{path}: a profile {what} {name!r}")
    for name, kind in kinds.items():
        if name not in content:
            continue
        value = content[name]
        wanted = (int, float) if kind is float else kind
        right = isinstance(value, wanted) and not isinstance(value, bool)  # type: ignore[arg-type]
        low, high = BOUNDS.get(name, (0, 0))
        if not right or (kind is not str and not low <= value <= high):
            between = "" if kind is str else f" from {low:g} to {high:g}"
            raise ScenarioError(f"{path}: {name} = {shown(value)}: give a {_word(kind)}{between}")
        if kind is str and not (value.isprintable() and len(value) <= MAX_TEXT):
            raise ScenarioError(f"{path}: {name} = {shown(value)}: give a line of text")
    if not 1 <= len(content["name"].encode()) <= NAME_BYTES:
        raise ScenarioError(
            f"{path}: name = {shown(content['name'])}: give 1 to {NAME_BYTES} bytes"
        )
    return Profile(**content)


def write_profile(profile: Profile, folder: Path) -> Path:
    """Write *profile* to ``NAME.toml`` in *folder*; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{profile.name}.toml"
    values = dataclasses.asdict(profile)
    # a JSON string or number is one of TOML, too
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()))
    return path


def _word(kind: object) -> str:
    return {str: "string", int: "whole number"}.get(kind, "number")  # type: ignore[call-overload, no-any-return]
