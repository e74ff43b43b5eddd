"""Profiles of one's own: a TOML file with the fields of ``Profile``, as ``calibrate`` writes it."""

import dataclasses
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

from droidloop.platform.errors import ScenarioError

from .profiles import PROFILES, Profile

NAME_BYTES = 24  # of the ledger's column


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
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: not a profile: {error}") from error
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
        if not right or (kind is not str and not 0 <= value < 1e12):
            raise ScenarioError(f"{path}: {name} = {value!r}: give a {_word(kind)}")
    if len(content["name"].encode()) > NAME_BYTES:
        raise ScenarioError(f"{path}: name = {content['name']!r}: at most {NAME_BYTES} bytes")
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
