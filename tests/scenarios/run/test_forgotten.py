"""Who was forgotten is in no store, log, checkpoint or message that is written afterwards."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from droidloop.platform.checkpoint import read_checkpoint
from droidloop.platform.errors import DataError
from droidloop.platform.ledger import read
from droidloop.platform.state import Tree
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import execute, resume
from tests.scenarios.churning import GONE, scenario
from tests.scenarios.run.test_churn import KilledError, killed_in

BEFORE, AFTER = 3, 6
"""Turns: before the wish, and after it was granted."""
BY_PHONE = ("sender", "receiver", "phones", "phone")
"""What trees call the numbers of phones."""


@pytest.fixture(autouse=True)
def at_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have checkpoints be written whatever they cost."""
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)


def named(tree: Tree, above: str = "") -> Iterator[str]:
    """Yield the ways to all places of *tree* that name the phone."""
    if isinstance(tree, dict):
        for name, part in tree.items():
            numbers = isinstance(part, np.ndarray) and part.dtype.names is None
            if name in BY_PHONE and numbers and (part == GONE).any():
                yield f"{above}/{name}"
            yield from named(part, f"{above}/{name}")
    elif isinstance(tree, list):
        for k, part in enumerate(tree):
            yield from named(part, f"{above}/{k}")
    elif isinstance(tree, np.ndarray) and "phone" in (tree.dtype.names or ()):
        yield from [above] * int((tree["phone"] == GONE).any())


def private_bytes(tree: Tree) -> list[bytes]:
    """Return what the phone had learned, by column, as the bytes that would stand in a file."""
    store = tree["rule"]["store"]["of"]
    [row] = np.flatnonzero(store["phones"] == GONE)
    learned = [rows[row] for rows in store["rows"].values() if rows.dtype.kind == "f"]
    found = [np.ascontiguousarray(one).tobytes() for one in learned if one.size > 1 and one.any()]
    assert found
    return found


@pytest.mark.parametrize(
    ("way", "kind"),
    [
        *(("rounds", kind) for kind in ("none", "retrain", "fru", "ascent", "rapid")),
        *(("over-selecting", "fru"), ("buffered", "fru")),
        *(("gossip", "retrain"), ("groups", "retrain")),
    ],
)
def test_it_is_in_nothing_that_is_written_afterwards(tmp_path: Path, way: str, kind: str) -> None:
    one = scenario(way, {"kind": kind})
    trees = {}
    for turn in (BEFORE, AFTER):
        with pytest.raises(KilledError):
            execute(one, tmp_path / str(turn), replay=None, progress=killed_in(turn))
        trees[turn] = read_checkpoint(tmp_path / str(turn))
    assert list(named(trees[BEFORE]["rule"])), "it was in the store before"
    tree = trees[AFTER]
    assert tree["roster"]["forgotten"][GONE]
    jobs_of_the_world = tree["recorder"].pop("under_way"), tree["recorder"].pop("ledger")
    assert jobs_of_the_world
    assert list(named(tree)) == []
    assert not tree["rule"]["took_part"][GONE]
    written = (tmp_path / str(AFTER) / "checkpoint.safetensors").read_bytes()
    assert [one for one in private_bytes(trees[BEFORE]) if one in written] == []

    answer = resume(tmp_path / str(AFTER), progress=lambda *_: None)
    granted_us = answer["unlearning"]["hours"] * 3.6e9 + 3.5 * 3.6e9
    jobs = read(tmp_path / str(AFTER), "jobs")
    assert not (jobs["plan_us"][jobs["phone"] == GONE] > granted_us).any()
    for table in ("metrics", "ranks", "lists"):
        rows = read(tmp_path / str(AFTER), table)
        assert len(rows)
        assert not (rows["phone"] == GONE).any()
    assert [
        path.name
        for path in (tmp_path / str(AFTER)).rglob("*")
        if path.is_file() and any(one in path.read_bytes() for one in private_bytes(trees[BEFORE]))
    ] == []


def test_a_run_whose_judges_have_all_been_forgotten_says_so(tmp_path: Path) -> None:
    everybody = {"events": [{"leaves_h": 1.5, "share": 1.0, "how": "forget"}]}
    one = scenario(unlearning={"kind": "none"}, churn=everybody)
    with pytest.raises(
        DataError, match=r"event in the valid part has been forgotten.*forget_share"
    ):
        execute(one, tmp_path / "run", replay=None, progress=lambda *_: None)
