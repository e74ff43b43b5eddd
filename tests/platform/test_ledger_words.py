"""Words in the ledger: of any length and alphabet, told once, in any order."""

from pathlib import Path

import numpy as np

from droidloop.platform.ledger import Ledger, Words, read, texts

from .test_ledger import EVENT, files

WORDS = ["x" * 100, "x" * 101, "région", "", "a", "région "]


def test_words_of_any_length_and_alphabet_come_back_and_are_never_cut(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.note("events", t_us=0, **EVENT | {"name": WORDS, "value": np.arange(6)})
    ledger.close()
    found = read(tmp_path, "events")
    assert texts(found["name"]) == [WORDS[value] for value in found["value"]]
    assert sorted(found["value"]) == list(range(6))


def test_bytes_do_not_depend_on_which_word_came_first(tmp_path: Path) -> None:
    for folder, order in (("a", [0, 1, 2, 3, 4, 5]), ("b", [5, 3, 1, 2, 0, 4])):
        ledger = Ledger(tmp_path / folder)
        for k in order:
            ledger.note("events", t_us=0, **EVENT | {"name": WORDS[k], "value": 7})
        ledger.close()
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert texts(read(tmp_path / "a", "events")["name"]) == sorted(WORDS)


def test_a_column_of_words_may_be_a_few_names_and_whose_they_are(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    names = Words(["one", "two"], np.array([1, 0, 1]))
    ledger.note("events", t_us=[0, 1, 2], **EVENT | {"name": names})
    ledger.close()
    assert texts(read(tmp_path, "events")["name"]) == ["two", "one", "two"]
