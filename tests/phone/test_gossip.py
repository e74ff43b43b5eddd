"""Two QEMU phones gossip with fifty simulated ones, and the same again without them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.fleets.model_job import Ran
from droidloop.models.interfaces.store import PrivateStore
from droidloop.platform.arrays import IntArray
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read
from droidloop.scenarios.protocols.peer_work import PeerWork
from tests.scenarios.run.test_run import digest

from .conftest import Attached
from .playing import kept_models, play

pytestmark = [pytest.mark.phone, pytest.mark.slow]

TURNS = 4
SETTINGS = (
    "training.rule=gossip-mf",
    "protocol.kind=gossip",
    "protocol.mode=push-pull",
    "protocol.topology.kind=small-world",
    "protocol.topology.links=6",
    f"protocol.rounds={TURNS}",
    "delivery.variant=none",
    "population.phones=52",
    "population.ideal=false",
)


@pytest.fixture(scope="module", autouse=True)
def _kept_models() -> Iterator[None]:
    with kept_models():
        yield


@dataclass(frozen=True)
class Taught:
    """What a device trained in a turn: messages it had merged, how far it moved, how far it is
    from what the host makes of the same."""

    phone: int
    messages: int
    moved: float
    error: float


def taught(work: PeerWork, k: int) -> Taught:
    """Compare what the device of phone *k* has trained in *work* with what it was and would be."""
    told, mine = work.inbox, work.phones[k : k + 1]
    if told is not None:
        told = told.take(told.receiver == work.phones[k])
    columns = {name: values.copy() for name, values in work.store.columns.items()}
    host = PrivateStore(
        len(columns["user"]), lambda some: {name: v[some] for name, v in columns.items()}
    )
    before = host.gather(mine)["item"]
    work.rule.learn(mine, told, host, work.data.take(np.array([k])), work.round, work.draws)
    trained = work.trained[k]["item"]
    return Taught(
        int(mine[0]),
        0 if told is None else len(told),
        float(np.abs(trained - before).max()),
        float(np.abs(trained - host.gather(mine)["item"]).max()),
    )


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[Taught]:
    """What devices trained, in the order of turns."""
    found: list[Taught] = []
    commit = PeerWork.commit

    def note(work: PeerWork, computed: IntArray) -> IntArray:
        found.extend(taught(work, k) for k in computed.tolist() if k in work.trained)
        return commit(work, computed)

    monkeypatch.setattr(PeerWork, "commit", note)
    return found


def test_two_phones_gossip_with_fifty_and_a_replay_gives_the_same_bytes(
    pair: tuple[Attached, Attached], turns: list[Taught], tmp_path: Path
) -> None:
    run, runners = play(tmp_path / "run", pair, SETTINGS)
    jobs = read(run, "jobs")
    assert np.array_equal(jobs["measured"], np.isin(jobs["phone"], [0, 1]))
    theirs = jobs[jobs["measured"]]
    assert theirs["phone"].tolist().count(0) == theirs["phone"].tolist().count(1) == TURNS
    assert set(theirs["kind"].tolist()) == {Kind.EXCHANGE}
    assert set(theirs["outcome"].tolist()) == {Outcome.DONE}
    assert (theirs["up_bytes"] > 0).all()  # in every turn they tell a neighbour
    assert (theirs["down_bytes"][theirs["round"] > 0] > 0).any()

    # what they were told is merged into what they train, and others learn from what they tell
    events = read(run, "events")
    learned = events[events["kind"] == b"learned"]
    others = learned[~np.isin(learned["phone"], [0, 1])]
    for phone in (0, 1):
        assert (learned["phone"] == phone).any()
        assert (others["value"] == phone).any()

    assert [turn.phone for turn in turns] == [0, 1] * TURNS
    for phone in (0, 1):
        assert sum(turn.messages for turn in turns if turn.phone == phone) > 0
    assert all(turn.moved > 1e-3 and turn.error < 1e-5 for turn in turns), turns
    assert any(turn.error > 0 for turn in turns), "this is the host's own result"

    # models went there, programs ran, and what came back is what was kept
    measures = read(run, "measures")
    assert len(measures) == 2 * TURNS
    for name in ("sent_bytes", "sent_us", "invoke_us", "cpu_us", "received_bytes", "received_us"):
        assert (measures[name] > 0).all(), name
    for runner in runners:
        assert len(runner.results) == TURNS
        assert all(isinstance(result, Ran) and result.outputs for result in runner.results)

    replayed, _ = play(tmp_path / "replay", [], SETTINGS, replay=run)
    assert digest(replayed) == digest(run)
    for one in pair:
        assert one.listing() == []
