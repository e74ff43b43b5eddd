"""Where a device keeps its versions, and the few things that are done there."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from droidloop.devices.fleets.model_job import OnDevice
from droidloop.platform.errors import PackageError


class Place(Protocol):
    """A folder on a device. Errors are ``PackageError``, or ``DeviceError`` of a device."""

    def read(self, name: str) -> bytes | None:
        """Return the small file *name*; None: there is none."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Have the small file *name* hold *data*: at once, or not at all."""
        ...

    def put(self, folder: str, files: Mapping[str, bytes]) -> int:
        """Have *folder* hold *files*, and return how many bytes had to be sent.

        What is there already of an earlier try is not sent again.
        """
        ...

    def model(self, folder: str, name: str) -> Path | OnDevice:
        """Return what a runner takes for the file *name* of *folder*."""
        ...

    def keep(self, folders: set[str]) -> None:
        """Remove all versions but *folders*."""
        ...


VERSIONS = "versions"


class FolderPlace:
    """A folder of this host."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str) -> bytes | None:
        """Return the file *name*; see ``Place.read``."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(error) from error

    def write(self, name: str, data: bytes) -> None:
        """Replace the file *name*; see ``Place.write``."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor, part = tempfile.mkstemp(prefix=f".{name}.", dir=self.root)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.root / name)
        except OSError as error:
            raise self._error(error) from error

    def put(self, folder: str, files: Mapping[str, bytes]) -> int:
        """Write what is not there yet; see ``Place.put``."""
        here, sent = self.root / VERSIONS / folder, 0
        try:
            for name, data in files.items():
                path = here / name
                if path.is_file() and path.read_bytes() == data:
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_name(f".{path.name}.part")
                part.write_bytes(data)
                part.replace(path)
                sent += len(data)
        except OSError as error:
            raise self._error(error) from error
        return sent

    def model(self, folder: str, name: str) -> Path | OnDevice:
        """Return its path."""
        return self.root / VERSIONS / folder / name

    def keep(self, folders: set[str]) -> None:
        """Remove the others; see ``Place.keep``."""
        versions = self.root / VERSIONS
        for path in versions.iterdir() if versions.is_dir() else ():
            if path.name not in folders:
                shutil.rmtree(path, ignore_errors=True)

    def _error(self, error: OSError) -> PackageError:
        return PackageError(f"{self.root}: {error.strerror}; free or name another place")
