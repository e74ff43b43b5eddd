"""The one file in which a package travels: a plain ZIP archive, stored and not compressed.

``metadata/`` holds The Update Framework's signed files, ``targets/`` files of the package as they
are, ``deltas/`` how to make others from a version that the phone has. ``unzip`` and any client of
The Update Framework can check it; nothing here is believed before that is done.

Sizes are bounded before anything is read: the directory first, then each file by what is signed.
"""

import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from droidloop.models.packages.manifest import FILE_LIMIT_BYTES
from droidloop.platform.errors import PackageError

METADATA, TARGETS, DELTAS = "metadata", "targets", "deltas"

DIRECTORY_LIMIT_BYTES = 2**17
"""Of the archive's directory: 600 entries of at most 46 bytes and a name each (APPNOTE 4.3.12)."""

_END = 22  # bytes of an end record without a comment, APPNOTE 4.3.16
_LOCATOR = 20  # bytes before it that would lead to a larger directory, APPNOTE 4.3.15
_PART = r"[a-z0-9][a-z0-9_.-]{0,79}"
_NAME = re.compile(rf"({METADATA}|{TARGETS}|{DELTAS})(/{_PART}){{1,3}}")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Parcel:
    """A package file that is open for reading; ``opened`` makes one."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        self.sizes: Mapping[str, int] = {one.filename: one.file_size for one in archive.infolist()}

    def __contains__(self, name: str) -> bool:
        return name in self.sizes

    @property
    def size_bytes(self) -> int:
        """Of the whole file."""
        return self._path.stat().st_size

    def read(self, name: str, limit_bytes: int) -> bytes:
        """Return the entry *name*, which may have *limit_bytes*.

        Raises:
            PackageError: it is not there, is longer, or is damaged.
        """
        if name not in self.sizes:
            raise PackageError(f"{self}: has no {name}; fetch it again")
        if self.sizes[name] > limit_bytes:
            raise PackageError(
                f"{self}: {name} has {self.sizes[name]} bytes where {limit_bytes} are the most; "
                "fetch it from where it was signed"
            )
        try:
            return self._archive.read(name)
        except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise PackageError(f"{self}: {name} is damaged; fetch it again") from error

    def __str__(self) -> str:
        return str(self._path)


@contextmanager
def opened(path: Path) -> Iterator[Parcel]:
    """Open the package file at *path* for the block.

    Raises:
        PackageError: there is none, or it is no such archive.
    """
    try:
        with path.open("rb") as stream:
            _require_small_directory(path, stream)
            with zipfile.ZipFile(stream) as archive:
                _require_plain(path, archive)
                yield Parcel(path, archive)
    except OSError as error:
        raise PackageError(f"{path}: {error.strerror}; name a package file") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise PackageError(f"{path}: is no package file ({error}); fetch it again") from error


def write_parcel(path: Path, files: Mapping[str, bytes]) -> int:
    """Write *files* by name as the archive *path*, whole or not at all; return its bytes.

    The same files give the same bytes.

    Raises:
        PackageError: it cannot be written there.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
            for name in sorted(files):
                info = zipfile.ZipInfo(name, _EPOCH)
                info.create_system, info.external_attr = 3, 0o644 << 16
                archive.writestr(info, files[name])
        part.replace(path)
    except (OSError, zipfile.LargeZipFile) as error:
        part.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or error
        raise PackageError(f"{path}: {reason}; free or name another place") from error
    return path.stat().st_size


def _require_small_directory(path: Path, stream: BinaryIO) -> None:
    """Refuse an archive whose directory ``zipfile`` would read without end."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END - _LOCATOR))
    tail = stream.read(_END + _LOCATOR)
    end = tail[-_END:]
    directory = int.from_bytes(end[12:16], "little")
    if len(end) < _END or not end.startswith(b"PK\5\6") or end[-2:] != b"\0\0":
        raise PackageError(f"{path}: is no package file, or is cut short; fetch it again")
    if directory > DIRECTORY_LIMIT_BYTES or tail[:-_END].startswith(b"PK\6\7"):
        raise PackageError(f"{path}: its directory is larger than a package's; fetch it again")


def _require_plain(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse names that lead elsewhere, and entries that are not stored as they are."""
    seen, size_bytes = set(), path.stat().st_size
    for one in archive.infolist():
        if not _NAME.fullmatch(one.filename) or one.filename in seen:
            raise PackageError(
                f"{path}: holds {one.filename[:80]!r}, which is no name of a package's file, or "
                "twice; fetch it from where it was signed"
            )
        stored = one.compress_type == zipfile.ZIP_STORED and one.file_size == one.compress_size
        if not stored or one.flag_bits & 1 or one.file_size > min(size_bytes, FILE_LIMIT_BYTES):
            raise PackageError(f"{path}: {one.filename} is not stored as it is; fetch it again")
        seen.add(one.filename)
