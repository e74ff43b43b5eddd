"""The run directory: manifest, ledger, models. What is in it is whole, or not there."""

import importlib.metadata
import json
import platform as machine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .durable import replacing
from .errors import LedgerError, UsageError
from .held import LOCK
from .ledger import SCHEMA_VERSION, Ledger

MANIFEST = "run.json"
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
    def create(cls, path: Path, *, seed: int, scenario: dict[str, Any]) -> "RunDirectory":
        """Make the directory and write its manifest.

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
        schema = directory.manifest().get("schema")
        if not isinstance(schema, int) or not 1 <= schema <= SCHEMA_VERSION:
            raise LedgerError(
                f"{path}: ledger schema {schema}, but this is {SCHEMA_VERSION}; "
                "read it with the droidloop that wrote it, or a newer one"
            )
        return directory

    def require_resumable(self) -> None:
        """Check that the run here can go on, with the same bytes as if it had not ended.

        Raises:
            UsageError: it is complete, has phones that are real, or began elsewhere.
        """
        content = self.manifest()
        if content.get("state") == "complete":
            raise UsageError(f"{self.path}: the run is complete; see `droidloop report`")
        if "devices" in content and "replay" not in content:
            raise UsageError(
                f"{self.path}: a run with real devices cannot be resumed; run it again"
            )
        for key, here in _surroundings().items():
            if content.get(key) != here:
                raise UsageError(
                    f"{self.path}: was begun with {key} {content.get(key)}, this is {here}; "
                    "resume it where it was begun, or run it again"
                )

    def manifest(self) -> dict[str, Any]:
        """Return what ``run.json`` says."""
        path = self.path / MANIFEST
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError as error:
            raise UsageError(f"{self.path}: no run there; give the directory of a run") from error
        except OSError as error:
            reason = error.strerror or error
            raise LedgerError(f"{path}: {reason}; give the directory of a run") from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise LedgerError(f"{path}: not JSON ({error})") from error
        if not isinstance(content, dict):
            raise LedgerError(f"{path}: not the manifest of a run")
        return content

    def write_manifest(self, content: dict[str, Any]) -> None:
        """Replace ``run.json``, in one step; keys keep their order, as that of weights counts."""
        replace_text(self.path / MANIFEST, json.dumps(content, indent=2) + "\n")

    def add(self, **facts: Any) -> None:
        """Note *facts* in the manifest."""
        self.write_manifest({**self.manifest(), **facts})

    def finish(self, **facts: Any) -> None:
        """Note in the manifest that the run is complete, with *facts* (wall times)."""
        self.add(**facts, state="complete")

    def ledger(self) -> Ledger:
        """Return a writer for the run's tables."""
        return Ledger(self.path)


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
