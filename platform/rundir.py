"""The run directory: manifest, ledger, models. What is in it is whole, or not there."""

import importlib.metadata
import json
import math
import platform as machine
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from .durable import replacing
from .errors import LedgerError, UsageError, shown
from .held import LOCK
from .ledger import SCHEMA_VERSION, Ledger
from .listed import require_listed
from .reading import bounded

MANIFEST = "run.json"
LARGEST_MANIFEST = 1 << 28
"""Bytes: a scenario, and the rows of a million segments."""
_LISTS = 2
"""The schema from which on a manifest lists the segments."""
_ODD = (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What comes of using values that are missing, or of another kind or size."""
_NEEDED = {"seed": int, "scenario": dict, "state": str}
_UNBEGUN = {LOCK, f"{MANIFEST}.tmp"}
"""What a run leaves that was killed before it began."""
_LIBRARIES = ("simpy", "numpy", "numba", "torch", "pyarrow", "ai-edge-litert")


@dataclass(frozen=True)
class RunDirectory:
    """A run on disk: ``run.json`` says what was run and on what, the ledger what happened."""

    path: Path

    @staticmethod
    def require_free(path: Path) -> None:
        """Raise UsageError if *path* exists and is not an empty directory."""
        try:
            free = not path.exists() or {one.name for one in path.iterdir()} <= _UNBEGUN
        except OSError:  # a file, or a folder that cannot be looked into
            free = False
        if not free:
            raise UsageError(f"{path}: already there; choose another --out or remove it")

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        seed: int,
        scenario: dict[str, Any],
        noted: Mapping[str, Any] = MappingProxyType({}),
    ) -> "RunDirectory":
        """Make the directory and write its manifest, in which *noted* stands from the beginning.

        Raises:
            UsageError: *path* exists and is not an empty directory, or cannot be made.
        """
        cls.require_free(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"{path}: {reason}; choose another --out") from error
        directory = cls(path)
        directory.write_manifest(
            {
                "schema": SCHEMA_VERSION,
                "seed": seed,
                "scenario": scenario,
                **_surroundings(),
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "state": "running",
                **noted,
            }
        )
        return directory

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Return the run at *path*.

        Raises:
            LedgerError: there is no run, or its schema is not ours.
        """
        directory = cls(path)
        content = directory.manifest()
        schema = content.get("schema")
        if not isinstance(schema, int) or not 1 <= schema <= SCHEMA_VERSION:
            raise LedgerError(
                f"{path}: ledger schema {shown(schema)}, but this droidloop reads 1 to "
                f"{SCHEMA_VERSION}; read it with the droidloop that wrote it, or a newer one"
            )
        for key, kind in _NEEDED.items():
            if not isinstance(content.get(key), kind):
                raise LedgerError(
                    f"{path / MANIFEST}: {key} = {shown(content.get(key))}: not what a run has "
                    "there; restore the file from a copy, or run again"
                )
        return directory

    @classmethod
    def open_whole(cls, path: Path) -> "RunDirectory":
        """Return the run at *path*, which is complete and has all that its manifest lists.

        Raises:
            LedgerError: as for ``open``; or it was not finished, or segments are missing, too
                many, or of other lengths.
        """
        directory = cls.open(path)
        directory.require_whole()
        return directory

    def require_whole(self) -> None:
        """Check that the run is complete and its ledger is what the manifest lists.

        Raises:
            LedgerError: it is not.
        """
        content = self.manifest()
        if content["state"] != "complete":
            raise LedgerError(
                f"{self.path}: the run is not complete, it was left in state "
                f"{shown(content['state'])}; go on with `droidloop run --resume {self.path}`"
            )
        if content["schema"] >= _LISTS:
            require_listed(self.path, content.get("segments"))

    def require_resumable(self) -> None:
        """Check that the run here can go on, with the same bytes as if it had not ended.

        Raises:
            UsageError: it is complete, or began elsewhere.
        """
        content = self.manifest()
        if content.get("state") == "complete":
            raise UsageError(f"{self.path}: the run is complete; see `droidloop report`")
        for key, here in _surroundings().items():
            if content.get(key) != here:
                raise UsageError(
                    f"{self.path}: was begun with {key} {content.get(key)}, this is {here}; "
                    "resume it where it was begun, or run it again"
                )

    def understood(self) -> AbstractContextManager[None]:
        """Have what its files say and no run writes be one line; see the function of that name."""
        return understood(self.path)

    def manifest(self) -> dict[str, Any]:
        """Return what ``run.json`` says."""
        path = self.path / MANIFEST
        try:
            text = bounded(path, LARGEST_MANIFEST, LedgerError).decode()
            content = json.loads(text, parse_float=_finite, parse_constant=_finite)
        except FileNotFoundError as error:
            raise UsageError(f"{self.path}: no run there; give the directory of a run") from error
        except OSError as error:
            reason = error.strerror or error
            raise LedgerError(f"{path}: {reason}; give the directory of a run") from error
        except (ValueError, RecursionError) as error:
            raise LedgerError(f"{path}: not JSON ({error}); restore it from a copy") from error
        if not isinstance(content, dict):
            raise LedgerError(f"{path}: not the manifest of a run")
        return content

    def write_manifest(self, content: dict[str, Any]) -> None:
        """Replace ``run.json``, in one step; keys keep their order, as that of weights counts."""
        replace_text(self.path / MANIFEST, json.dumps(content, indent=2) + "\n")

    def add(self, **facts: Any) -> None:
        """Note *facts* in the manifest."""
        self.write_manifest({**self.manifest(), **facts})

    def finish(self, segments: dict[str, list[int]], **facts: Any) -> None:
        """Note in the manifest that the run is complete: its *segments*, and *facts* (wall times).

        *segments* are the rows of each, by table; see ``Ledger.listed``.
        """
        self.add(**facts, segments=segments, state="complete")

    def ledger(self) -> Ledger:
        """Return a writer for the run's tables."""
        return Ledger(self.path)


@contextmanager
def understood(*runs: Path) -> Iterator[None]:
    """Have what the files of *runs* say and no run writes be one line, in a block that reads them.

    Raises:
        LedgerError: a manifest lacks a key, or a value of it or of the ledger cannot be.
    """
    try:
        yield
    except _ODD as error:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise LedgerError(
            f"{', '.join(map(str, runs))}: {MANIFEST} or a table says what no run writes ({said}); "
            "restore the directory from a copy, or run again"
        ) from error


def _finite(text: str) -> float:
    """Return the number *text*; raise ValueError if it is none that JSON can be written with."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def _surroundings() -> dict[str, Any]:
    """Return what the bytes of a run may depend on beside its scenario."""
    return {
        "droidloop": importlib.metadata.version("droidloop"),
        "python": machine.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "machine": machine.machine(),
        "instructions": instruction_set(),
    }


def replace_text(path: Path, text: str) -> None:
    """Write *text* beside *path* and rename: a reader sees the old file or the new one.

    Raises:
        LedgerError: it cannot be written.
    """
    with replacing(path) as beside:
        beside.write_text(text)


def instruction_set() -> list[str]:
    """Return the vector instructions that numpy found; equal bytes are promised for equal sets."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]
    return sorted([*found["baseline"], *found.get("found", [])])
