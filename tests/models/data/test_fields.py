"""The files with what is known of users and items, and what is wrong with them."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.models.data.fields import movielens_fields
from droidloop.platform.errors import DataError

GENRES = "|".join(["0"] * 18 + ["1"])
USERS, ITEMS = np.array([1, 7]), np.array([4])


def write(folder: Path, users: str = "1|17|F|other|0\n7|56|M|artist|0\n") -> Path:
    (folder / "u.user").write_text(users)
    (folder / "u.item").write_text(f"4|Caf\u00e9 (1990)|||x|{GENRES}\n", "latin-1")
    return folder


def test_groups_genders_occupations_and_genres_are_numbered(tmp_path: Path) -> None:
    fields = movielens_fields(write(tmp_path), USERS, ITEMS)
    assert {name: values.tolist() for name, values in fields.users.items()} == {
        "age": [0, 6],
        "gender": [0, 1],
        "occupation": [1, 0],
    }
    assert fields.sizes == {"age": 7, "gender": 2, "occupation": 2}
    assert fields.items is not None
    assert fields.items.tolist() == [[0.0] * 18 + [1.0]]


@pytest.mark.parametrize(
    ("users", "complaint"),
    [
        ("1|17|F|other\n", "row 1 has 4 cells, not 5"),
        ("1|17|F|other|0\n", "has no user 7"),
        ("1|young|F|other|0\n7|5|M|x|0\n", "id 1: age 'young' is no whole number"),
        (f"1|{'9' * 5000}|F|other|0\n7|5|M|x|0\n", "id 1: age '9+' is no whole number of up to 18"),
        ("1|17|X|other|0\n7|5|M|x|0\n", "id 1: gender 'X' is none of F, M"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path, users: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint) as error:
        movielens_fields(write(tmp_path, users), USERS, ITEMS)
    assert "\n" not in str(error.value)
    assert "u.user" in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no u\.user"):
        movielens_fields(tmp_path, USERS, ITEMS)
