"""``df``: room on file systems, as toolbox (to Android 6), toybox and busybox print it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from droidloop.devices.android.errors import ParseError

from .text import lines_of

SOURCE = "df"
_SIZE = re.compile(r"(-?[0-9]{1,15}(?:\.[0-9]{1,3})?)([KMGTP]?)")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "P": 1024**5}
_BLOCKS = re.compile(r"([0-9]{1,6})(K?)-blocks|(Size)")


@dataclass(frozen=True)
class Mount:
    """One file system.

    Attributes:
        exact: False where sizes were printed rounded (``23.4G``).
    """

    path: str
    total_bytes: int
    used_bytes: int
    free_bytes: int
    exact: bool


def parse_df(text: str) -> tuple[Mount, ...]:
    """Return the file systems in *text*; unreadable and unmounted ones are left out.

    Raises:
        ParseError: there is no known header, or a line fits none of the forms.
    """
    lines = [line for line in lines_of(text) if line.strip()]
    start = next((n for n, line in enumerate(lines) if line.startswith("Filesystem")), None)
    if start is None:
        raise ParseError(SOURCE, "no header", text)
    header = lines[start].split()
    toolbox = header[1:] == ["Size", "Used", "Free", "Blksize"]
    unit = 0 if toolbox else _unit(header)
    mounts = []
    for row in _rows(lines[start + 1 :]):
        mount = _toolbox(row) if toolbox else _toybox(row, unit)
        if mount is not None:
            mounts.append(mount)
    return tuple(mounts)


def mount_of(mounts: Sequence[Mount], path: str) -> Mount:
    """Return the file system that holds *path*: the one with the longest path above it.

    Raises:
        ParseError: none of *mounts* is above it.
    """
    above = [m for m in mounts if (path + "/").startswith(m.path.rstrip("/") + "/")]
    if not above:
        raise ParseError(SOURCE, f"no file system for {path}")
    # Of two mounts at one place the later one hides the earlier.
    return max(reversed(above), key=lambda mount: len(mount.path))


def _unit(header: list[str]) -> int:
    """Return the bytes in a unit of the columns, 0 where each value brings its own."""
    match = _BLOCKS.fullmatch(header[1]) if len(header) > 1 else None
    named = header[3:4] in (["Available"], ["Avail"]) and header[5:] == ["Mounted", "on"]
    if match is None or not named:
        raise ParseError(SOURCE, "an unknown header", " ".join(header))
    if match[3]:
        return 0
    return int(match[1]) * (1024 if match[2] else 1)


def _rows(lines: list[str]) -> list[list[str]]:
    """Return the words of each row; a long device name may stand on a line of its own."""
    rows: list[list[str]] = []
    name: list[str] = []
    for line in lines:
        if line.endswith(": Permission denied") or line.startswith("df: "):
            continue
        words = name + line.split()
        name = words if len(words) == 1 else []
        if not name:
            rows.append(words)
    if name:
        raise ParseError(SOURCE, "a line without sizes", name[0])
    return rows


def _toolbox(row: list[str]) -> Mount | None:
    if len(row) != 5:
        raise ParseError(SOURCE, "not five columns", " ".join(row))
    total, used, free = (_size(word, 0) for word in row[1:4])
    if min(total, used, free) < 0:
        return None
    return Mount(row[0], total, used, free, exact=False)


def _toybox(row: list[str], unit: int) -> Mount | None:
    if len(row) < 6 or not (row[4].endswith("%") or row[4] == "-"):
        raise ParseError(SOURCE, "not six columns", " ".join(row))
    total, used, free = (_size(word, unit) for word in row[1:4])
    if min(total, used, free) < 0:
        return None
    return Mount(" ".join(row[5:]), total, used, free, exact=unit > 0)


def _size(word: str, unit: int) -> int:
    match = _SIZE.fullmatch(word)
    if match is None or (unit and (match[2] or "." in match[1])):
        raise ParseError(SOURCE, "not a size", word)
    return int(Decimal(match[1]) * (unit or _UNITS[match[2]]))
