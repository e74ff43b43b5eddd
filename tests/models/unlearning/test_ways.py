"""Each way of forgetting: where it begins, how many turns it takes, what they are made of."""

from typing import Any

import numpy as np
import pytest

from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.interfaces.learning import Cohort
from droidloop.models.learning.learning import FederatedLearning
from droidloop.models.local.sgd import Sgd
from droidloop.models.recommenders.mf import MF
from droidloop.models.unlearning.ascent import Climbs
from droidloop.models.unlearning.fru import Replays, Rows
from droidloop.models.unlearning.unlearner import Unlearner
from droidloop.models.unlearning.update_log import Records, UpdateLog
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from droidloop.platform.registry import find
from droidloop.scenarios.run.experiment import prepare
from tests.contracts.client_rule import ClientRuleContract
from tests.contracts.tiny import tiny_data
from tests.scenarios.churning import PHONES, scenario

EVERYBODY = np.arange(PHONES)
DRAWS, USERS = Draws(13, "ways"), 12
MODEL = MF(30, 6)
DOWN = FedMF(MODEL, Sgd(epochs=2, batch=20))
UP = FedMF(MODEL, Sgd(lr_user=0.0, lr_rows=-0.1, epochs=2, batch=20))


class TestClimbing(ClientRuleContract):
    rule = Climbs(DOWN, UP, 2.0)
    recommender = MODEL
    data = tiny_data(DRAWS, USERS, 30)
    server = staticmethod(lambda: row_average(MODEL.init(DRAWS)))


def records(number: int) -> tuple[Records, Records]:
    """Return what each phone knows of one update: that rows 0 to 9, and what is private, moved."""
    log, phones = UpdateLog(MODEL.dim, None), np.arange(USERS)
    place, row = np.repeat(phones, 10), np.tile(np.arange(10), USERS)
    moved = 0.1 + DRAWS.child("moved").uniform(place, row)
    private = np.zeros((USERS, MODEL.dim), np.float32)
    numbers = np.full(USERS, number)
    far = np.linspace(0.5, 0.7, USERS)
    log.add(phones, numbers, numbers, (place, row, moved), private, far)
    return log.lengths, log.undo


class TestReplaying(ClientRuleContract):
    """The turn is that of the log, whichever it is now."""

    random = False
    rule = Replays(DOWN, Rows({"item": (30, 6)}), *records(3), 2, "drop")
    recommender = MODEL
    data = tiny_data(DRAWS, USERS, 30)
    server = staticmethod(lambda: row_average(MODEL.init(DRAWS)))


class TestReplayingAllRows(TestReplaying):
    rule = Replays(DOWN, Rows({"item": (30, 6)}), *records(3), 1, "keep")


LATE = np.array([1, 4])


def learning() -> FederatedLearning:
    made = prepare(scenario()).learning
    assert isinstance(made, FederatedLearning)
    return made


def way_of(one: FederatedLearning, kind: str, **keys: Any) -> Unlearner:
    method = find("unlearning", kind)
    made: Unlearner = method.build(method.section(**keys), one)
    return made


def turn(one: FederatedLearning, way: Unlearner, phones: IntArray, number: int) -> Messages:
    """Have *phones* learn once, as a protocol would; return what they have sent."""
    way.asked(phones)
    [inbox] = one.server.broadcast(phones)
    cohort = Cohort(phones, number, one.store.gather(phones))
    sent = one.client.step(cohort, inbox, one.data.take(phones), one.draws)
    way.computed(cohort, one.store.gather(phones), sent)
    one.store.commit(phones, cohort.private)
    one.server.absorb(sent)
    one.server.close()
    return sent


def table(one: FederatedLearning) -> Array:
    return np.array(one.server.params["item"].numpy())


def replayed(one: FederatedLearning, way: Unlearner, number: int) -> tuple[IntArray, Messages]:
    """Play a turn of unlearning; return who was asked and what they have sent."""
    phones = way.asks(number)
    assert phones is not None
    how = way.way(number)
    [inbox] = how.server.broadcast(phones)
    cohort = Cohort(phones, number, one.store.gather(phones))
    sent = how.client.step(cohort, inbox, one.data.take(phones), how.draws)
    one.store.commit(phones, cohort.private)
    how.server.absorb(sent)
    how.server.close()
    way.closed(number)
    return phones, sent


def test_retraining_begins_where_everything_began() -> None:
    one = learning()
    way, first = way_of(one, "retrain"), table(one)
    users = one.store.gather(EVERYBODY)["user"]
    for number in range(3):
        turn(one, way, EVERYBODY, number)
    assert way.begin(LATE, 3) == 3
    assert np.array_equal(table(one), first)
    assert np.array_equal(one.store.gather(EVERYBODY)["user"], users)


def test_fru_rolls_back_to_where_the_forgotten_came_in() -> None:
    one = learning()
    way, others = way_of(one, "fru"), np.setdiff1d(EVERYBODY, LATE)
    turn(one, way, others, 0)
    before, users = table(one), one.store.gather(others)["user"]
    for number in (1, 2):
        turn(one, way, EVERYBODY, number)
    assert way.begin(LATE, 3) == 2, "the turns since then are replayed, and no other"
    assert np.array_equal(table(one), before)
    assert np.array_equal(one.store.gather(others)["user"], users)


def test_a_replay_keeps_lengths_and_leaves_out_the_forgotten() -> None:
    one = learning()
    way = way_of(one, "fru")
    sent = [turn(one, way, EVERYBODY, number) for number in (0, 1)]
    assert way.begin(LATE, 2) == 2
    for number, was in enumerate(sent):
        phones, now = replayed(one, way, number)
        assert phones.tolist() == np.setdiff1d(EVERYBODY, LATE).tolist()
        for k, phone in enumerate(phones.tolist()):
            then, again = was.take([phone]), now.take([k])
            assert again.rows["item"].tolist() == then.rows["item"].tolist(), "the same rows"
            length, before = (float(np.linalg.norm(x.arrays["item"])) for x in (again, then))
            assert length == pytest.approx(before, rel=1e-4)


def test_who_took_no_part_takes_nothing_to_forget() -> None:
    one = learning()
    way = way_of(one, "fru")
    turn(one, way, np.setdiff1d(EVERYBODY, LATE), 0)
    before = table(one)
    assert way.begin(LATE, 1) == 0
    assert np.array_equal(table(one), before)


def test_climbing_goes_against_what_the_forgotten_has_learned_and_not_too_far() -> None:
    one = learning()
    way = way_of(one, "ascent", passes=3, radius=2.0, mending_turns=4)
    assert way.begin(LATE, 9) == 5
    assert way.asks(0) is LATE
    assert way.asks(1) is None
    sent = [
        client.step(
            Cohort(LATE, 0, one.store.gather(LATE)),
            one.server.broadcast(LATE)[0],
            one.data.take(LATE),
            one.draws,
        )
        for client in (one.client, way.way(0).client)
    ]
    honest, climbed = (part.arrays["item"] for part in sent)
    assert float((honest * climbed).sum()) < 0, "the same rows, the other way"
    far = [np.linalg.norm(part.take([0]).arrays["item"]) for part in sent]
    assert 0 < far[1] <= 2.0 * far[0] * (1 + 1e-6)
    assert way.way(1).client is one.client


def test_rapid_retraining_hands_what_its_fold_has_made_to_the_server() -> None:
    one = learning()
    way, first = way_of(one, "rapid", turns_share=0.5, step=0.1), table(one)
    for number in range(3):
        turn(one, way, EVERYBODY, number)
    assert way.begin(LATE, 3) == 2
    assert np.array_equal(table(one), first)
    how = way.way(0)
    phones = np.setdiff1d(EVERYBODY, LATE)
    [inbox] = how.server.broadcast(phones)
    cohort = Cohort(phones, 0, one.store.gather(phones))
    how.server.absorb(how.client.step(cohort, inbox, one.data.take(phones), how.draws))
    how.server.close()
    way.closed(0)
    moved = np.abs(table(one) - first)
    assert 0 < moved.max() <= 0.1 * (1 + 1e-3), "the first step of Adam is as long as its rate"


def test_rows_that_the_log_has_not_kept_are_left_out_or_are_as_long_as_they_are() -> None:
    sent = {}
    for unlogged in ("drop", "keep"):
        one = learning()
        way = way_of(one, "fru", log_bytes=100, unlogged=unlogged)
        turn(one, way, EVERYBODY, 0)
        assert way.begin(LATE, 1) == 1
        sent[unlogged] = replayed(one, way, 0)[1]
    assert 0 < len(sent["drop"].rows["item"]) < len(sent["keep"].rows["item"])
