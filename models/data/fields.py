"""Feature fields of users and items, and the reader of those of MovieLens 100K.

The files are the user's own: ``u.user`` (id, age, gender, occupation, zip code) and ``u.item``
(id, title, ..., 19 genre flags), both separated by ``|``, packed with gzip or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.errors import DataError
from droidloop.platform.reading import unpacked

from .interactions import Labels

AGES = (18, 25, 35, 45, 50, 56)
"""Where the age groups of MovieLens 1M begin; group 0 is below the first."""
MAX_FIELDS_BYTES = 1 << 28
"""A thousand times the larger file of MovieLens 100K."""
MOST_DIGITS = 18
"""Of a whole number: it fits into 64 bits, and reading it takes no time."""
_GENRES = 19
_GENDERS = ("F", "M")


@dataclass(frozen=True)
class Fields:
    """What is known of users and items beside their ids.

    Attributes:
        users: by name, the value of each user as a number from 0, (n_users,).
        sizes: by name, how many values there are.
        items: the flags of each item, (n_items, flags); None: nothing is known of items.
    """

    users: dict[str, IntArray] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    items: np.ndarray[Any, np.dtype[np.float32]] | None = None


def has_movielens_fields(folder: Path) -> bool:
    """Return whether ``u.user`` and ``u.item`` are both in *folder*."""
    return all(_found(folder, name) is not None for name in ("u.user", "u.item"))


def movielens_fields(folder: Path, users: Labels, items: Labels) -> Fields:
    """Return age group, gender and occupation of *users*, and the genres of *items*, by label.

    Raises:
        DataError: a file is missing or not as described, or does not hold one of the labels.
    """
    people, films = _rows(folder, "u.user", 5), _rows(folder, "u.item", 5 + _GENRES)
    file = _file(folder, "u.user")
    jobs = sorted({row[3] for row in people.values()})
    values = np.empty((len(users), 3), np.int64)
    for k, label in enumerate(users.tolist()):
        row = _row(file, people, label, "user")
        values[k] = (
            np.searchsorted(AGES, _whole(file, label, "age", row[1]), side="right"),
            _number(file, label, "gender", row[2], _GENDERS),
            jobs.index(row[3]),
        )
    file = _file(folder, "u.item")
    flags = np.empty((len(items), _GENRES), np.float32)
    for k, label in enumerate(items.tolist()):
        genres = _row(file, films, label, "item")[-_GENRES:]
        flags[k] = [_number(file, label, "genre", flag, ("0", "1")) for flag in genres]
    names = ("age", "gender", "occupation")
    sizes = (len(AGES) + 1, len(_GENDERS), len(jobs))
    return Fields(
        dict(zip(names, values.T.copy(), strict=True)),
        dict(zip(names, sizes, strict=True)),
        flags,
    )


def _found(folder: Path, name: str) -> Path | None:
    both = (folder / name, folder / f"{name}.gz")
    return next((file for file in both if file.is_file()), None)


def _file(folder: Path, name: str) -> Path:
    if (file := _found(folder, name)) is not None:
        return file
    raise DataError(f"{folder}: no {name} or {name}.gz in this folder; copy it there")


def _rows(folder: Path, name: str, columns: int) -> dict[str, list[str]]:
    """Return the cells of each row by its first one."""
    file = _file(folder, name)
    text = unpacked(file, MAX_FIELDS_BYTES).decode("latin-1")
    rows: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.split("|")
        if len(cells) != columns:
            raise DataError(
                f"{file}: row {number} has {len(cells)} cells, not {columns}; "
                "use the file of MovieLens 100K"
            )
        rows[cells[0]] = cells
    return rows


def _row(file: Path, rows: dict[str, list[str]], label: object, what: str) -> list[str]:
    if (row := rows.get(str(label))) is None:
        raise DataError(f"{file}: has no {what} {label}; use the file that belongs to the ratings")
    return row


def _whole(file: Path, label: object, name: str, cell: str) -> int:
    if not cell.isdecimal() or len(cell) > MOST_DIGITS:
        raise DataError(
            f"{file}: id {label}: {name} {cell[:40]!r} is no whole number of up to {MOST_DIGITS} "
            "digits; correct it"
        )
    return int(cell)


def _number(file: Path, label: object, name: str, cell: str, known: Sequence[str]) -> int:
    if cell not in known:
        raise DataError(f"{file}: id {label}: {name} {cell!r} is none of {', '.join(known)}")
    return known.index(cell)
