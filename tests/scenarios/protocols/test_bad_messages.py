"""A thousand bad messages a protocol: refused, counted by cause, and the run goes on."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from droidloop.models.interfaces.forms import Form
from droidloop.models.transforms.inspection import Cause
from droidloop.platform.draws import Draws
from droidloop.platform.ledger import read
from droidloop.platform.messages import Messages
from tests.contracts.bad_messages import SPOILT, Flood, Silent, Vandal
from tests.scenarios.protected_worlds import play

DRAWS = Draws(6, "vandals")
WAYS = {
    "rounds": [how for how in SPOILT if how != "short"],
    "buffered": [how for how in SPOILT if how != "short"],
    # tables are sent whole, so that there are no numbers of rows to spoil
    "gossip": [how for how, (_, cause) in SPOILT.items() if cause is not Cause.ROWS],
    "groups": [how for how, (_, cause) in SPOILT.items() if cause is not Cause.ROWS],
}
ROUNDS = {"rounds": 60, "buffered": 190, "gossip": 70, "groups": 70}


def refused(folder: Path) -> Counter[str]:
    """Return what the ledger says was refused, by cause."""
    events = read(folder, "events")
    mine = events[events["kind"] == b"refused"]
    counts: Counter[str] = Counter()
    for name, value in zip(mine["name"].tolist(), mine["value"].tolist(), strict=True):
        counts[name.decode()] += value
    return counts


@pytest.mark.parametrize("kind", WAYS)
def test_a_thousand_bad_messages_are_refused_by_cause_and_spoil_nothing(
    tmp_path: Path, kind: str
) -> None:
    ways = WAYS[kind]
    seen: list[int] = []
    vandals = [AtTables(how, "item", DRAWS) for how in ways]
    played = play(
        tmp_path,
        kind,
        liars=vandals,
        each=1,
        rounds=ROUNDS[kind],
        observers=(lambda number, part: seen.append(len(part)),),
    )
    counts = refused(tmp_path)
    assert sum(counts.values()) >= 1000
    assert set(counts) == {SPOILT[how][1].name.lower() for how in ways}
    assert min(counts.values()) >= 10
    assert np.isfinite(played.tables()).all()
    assert np.abs(played.tables()).max() < 10
    assert sum(seen) > sum(counts.values()), "honest messages came as well"


class AtTables(Vandal):
    """Spoils tables, and nothing else that the phone sends."""

    def send(self, honest: Messages, form: Form, inbox: Messages | None, number: int) -> Messages:
        return super().send(honest, form, inbox, number) if self.array in honest.arrays else honest


def test_what_a_server_refuses_is_as_if_it_had_never_been_sent(tmp_path: Path) -> None:
    vandals = [Vandal(how, "item", DRAWS) for how in ("nan", "kind", "weight", "large", "width")]
    with_them = play(tmp_path / "a", "rounds", liars=vandals, each=2)
    without = play(tmp_path / "b", "rounds", liars=[Silent()], each=10)
    assert sum(refused(tmp_path / "a").values()) > 10
    assert not refused(tmp_path / "b")
    np.testing.assert_array_equal(with_them.tables(), without.tables())


def test_what_is_in_a_message_that_a_phone_refuses_changes_nothing(tmp_path: Path) -> None:
    """Two runs in which other things of the same size are wrong, so that they take as long."""
    tables = []
    for folder, ways in (("a", ("nan", "kind", "weight")), ("b", ("small", "phase", "sender"))):
        vandals = [Vandal(how, "item", DRAWS) for how in ways]
        tables.append(play(tmp_path / folder, "gossip", liars=vandals, each=3).tables())
        assert sum(refused(tmp_path / folder).values()) > 10
    np.testing.assert_array_equal(tables[0], tables[1])


@pytest.mark.parametrize("kind", ["rounds", "buffered", "gossip"])
def test_who_sends_a_hundred_times_counts_once_and_pays_for_all(tmp_path: Path, kind: str) -> None:
    flooded = play(tmp_path / "a", kind, liars=[Flood()], each=3)
    plain = play(tmp_path / "b", kind)
    jobs, usual = read(tmp_path / "a", "jobs"), read(tmp_path / "b", "jobs")
    phone = jobs["phone"] < 3
    assert jobs["up_bytes"][phone].max() >= 100 * usual["up_bytes"][usual["phone"] < 3].min()
    assert refused(tmp_path / "a")["twice"] % 99 == 0
    assert refused(tmp_path / "a")["twice"] > 0
    if kind == "rounds":
        np.testing.assert_array_equal(flooded.tables(), plain.tables())
