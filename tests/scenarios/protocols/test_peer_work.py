"""Real devices in gossip: what they train on what they merged is what the host would train."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.android.runners.host_runner import HostRunner
from droidloop.devices.fleets.model_job import Ran
from droidloop.devices.fleets.work import WrongOutputError
from droidloop.models.packages.step_export import TrainingModels
from droidloop.models.peer.gossip_mf import GossipMF, gossip_store
from droidloop.models.recommenders.mf import MF
from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.ledger import read
from droidloop.scenarios.protocols.peer_work import PeerWork
from tests.contracts.tiny import tiny_data
from tests.phone.image import CACHE
from tests.scenarios.run.test_mixed import play
from tests.scenarios.run.test_run import digest

DRAWS = Draws(4, "peer work")
MODEL = MF(80, 8)
PHONES = np.arange(5)
DATA = tiny_data(DRAWS, len(PHONES), 80)
RULE = GossipMF(MODEL, updates="once")
GOSSIP = {
    "training.rule": "gossip-mf",
    "protocol.kind": "gossip",
    "protocol.mode": "push-pull",
    "protocol.topology.kind": "complete",
    "delivery.variant": "none",
    "population.phones": 6,
}


@pytest.fixture(autouse=True)
def kept_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training steps take long to export."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE / "cache"))


def work(by_row: bool = True) -> PeerWork:
    """Return a turn in which phone 0 gets two tables, phone 1 one, phone 2 none."""
    store = gossip_store(MODEL, DRAWS, len(PHONES), by_row=by_row)
    RULE.learn(PHONES, None, store, DATA, 0, DRAWS)  # so that tables differ
    sent = RULE.share(np.array([3, 4, 2]), store, 1, DRAWS)
    inbox = replace(sent, receiver=np.array([0, 0, 1]))
    models = TrainingModels(CACHE / "cache" / "droidloop" / "steps")
    return PeerWork(RULE, RULE, store, PHONES, inbox, DATA, 1, DRAWS, models)


@pytest.mark.parametrize("by_row", [True, False])
def test_devices_train_what_the_host_would_have_trained(by_row: bool) -> None:
    turn, device = work(by_row), HostRunner()
    for k in range(len(PHONES)):
        result = device.run(turn.order(k))
        assert isinstance(result, Ran)
        turn.accept(k, result.outputs)
    left = turn.commit(PHONES)
    assert left.tolist() == []
    host = work(by_row)
    RULE.learn(PHONES, host.inbox, host.store, DATA, 1, DRAWS)
    for name, expected in host.store.columns.items():
        np.testing.assert_allclose(turn.store.columns[name], expected, rtol=0, atol=1e-5)
    assert not np.array_equal(turn.store.columns["item"], host.store.columns["item"])


def test_a_phone_that_gave_nothing_is_left_to_the_host_and_others_are_not() -> None:
    turn = work()
    result = HostRunner().run(turn.order(1))
    assert isinstance(result, Ran)
    turn.accept(1, result.outputs)
    assert turn.commit(np.array([0, 1, 4])).tolist() == [0, 4]


def test_what_cannot_be_right_is_refused() -> None:
    turn = work()
    result = HostRunner().run(turn.order(1))
    assert isinstance(result, Ran)
    with pytest.raises(WrongOutputError, match="not finite"):
        turn.accept(1, {name: values * np.nan for name, values in result.outputs.items()})
    with pytest.raises(WrongOutputError, match="cannot be used"):
        turn.accept(1, {name: values[:1, :3] for name, values in result.outputs.items()})
    assert turn.trained == {}


def test_two_devices_gossip_among_simulated_phones_and_a_replay_gives_the_same_bytes(
    tmp_path: Path,
) -> None:
    run = play(tmp_path / "run", {1: HostRunner(), 4: HostRunner()}, GOSSIP)
    rows = read(run, "jobs")
    assert np.array_equal(rows["measured"], np.isin(rows["phone"], [1, 4]))
    assert (rows["down_bytes"][rows["measured"]] > 0).any()
    again = play(tmp_path / "again", {}, GOSSIP, replay=run)
    assert digest(again) == digest(run)


def test_rules_that_devices_cannot_follow_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    buffered = {"protocol.kind": "buffered", "play": "exact"}
    with pytest.raises(ScenarioError, match="need play"):
        play(tmp_path / "run", {0: HostRunner()}, buffered)
    assert not (tmp_path / "run").exists()
