"""Reading files that nobody vouches for: never more of them than the reader has room for."""

import gzip
import os
import stat
import tomllib
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

from .errors import DataError, DroidloopError

_PIECE = 1 << 20
MAX_TOML_BYTES = 1 << 24
"""Of a scenario, a sweep, a profile: more than people write; a list of a million phones fits."""


def bounded(path: Path, most: int, error: type[DroidloopError] = DataError) -> bytes:
    """Return what the regular file *path* holds, at most *most* bytes of it.

    Raises:
        DroidloopError: of class *error*: it is larger, or no regular file (a pipe never ends).
        OSError: it cannot be read.
        ValueError: its name holds a zero.
    """
    # without waiting: a pipe that nobody writes to would be waited for
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        about = os.fstat(stream.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise error(f"{path}: not a regular file; give one")
        found = _read(stream, most)
    if len(found) > most:
        raise error(f"{path}: more than {most} bytes; give a smaller file")
    return found


def toml_of(path: Path, error: type[DroidloopError]) -> dict[str, Any]:
    """Return the tables of the TOML file *path*.

    Raises:
        DroidloopError: of class *error*: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(bounded(path, MAX_TOML_BYTES, error).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise error(f"{path}: not TOML: {wrong}") from wrong
    except (OSError, ValueError) as wrong:
        raise error(f"{path}: cannot be read: {getattr(wrong, 'strerror', wrong)}") from wrong


def _read(stream: Any, most: int) -> bytes:
    """Return *most* bytes of *stream* and one more; memory for them is taken as they come."""
    parts, left = [], most + 1
    while left > 0 and (part := stream.read(min(left, _PIECE))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def unpacked(path: Path, most: int, error: type[DroidloopError] = DataError) -> bytes:
    """Return what *path* holds, unpacked where its name ends in ``.gz``; at most *most* bytes.

    Raises:
        DroidloopError: of class *error*: it cannot be read or unpacked, or holds more.
    """
    try:
        if path.suffix != ".gz":
            return bounded(path, most, error)
        packed = BytesIO(bounded(path, most, error))
        with gzip.GzipFile(fileobj=packed) as stream:
            found = _read(stream, most)
    except (OSError, EOFError, ValueError, zlib.error) as wrong:
        said = " ".join(str(wrong).split())[:200]
        raise error(f"{path}: cannot be read: {said}; check the file") from wrong
    if len(found) > most:
        raise error(f"{path}: more than {most} bytes, unpacked; give a smaller file")
    return found
