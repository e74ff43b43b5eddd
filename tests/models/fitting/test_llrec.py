"""LLRec: every visit is asked for once, students follow teachers, questions need no network."""

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.fitting.llrec import (
    PlaceTeaching,
    Practice,
    place_scorer,
    sequences_of,
    train_places,
)
from droidloop.models.recommenders.place_rnn import PlaceRNN
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.tensor_chain import TensorChainTable
from droidloop.platform.draws import Draws

DRAWS = Draws(7, "llrec")
PLACES, USERS, EACH = 24, 30, 20


def round_trips() -> UserItems:
    """Everybody goes round a circle of places, by a step of their own."""
    visit, user = np.arange(EACH), np.arange(USERS)
    items = (5 * user[:, None] + (1 + user[:, None] % 2) * visit) % PLACES
    times = np.tile(visit * 7200, USERS)
    offsets = np.arange(USERS + 1) * EACH
    return UserItems(items.ravel(), offsets, times, np.ones(items.size))


DATA = round_trips()
PRACTICE = Practice(epochs=12, lr=0.02, batch=16, length=8, rivals=24)
TEACHER = PlaceRNN(DenseTable(PLACES, 16, name="place", sd=0.3), hours=True)
STUDENT = PlaceRNN(TensorChainTable(PLACES, 8, 4, name="place", sd=0.3))


def test_every_visit_but_the_first_is_asked_for_once_and_read_before() -> None:
    data = UserItems(np.arange(9), np.array([0, 0, 1, 9]), np.arange(9) * 3600, np.ones(9))
    pieces = sequences_of(data, 3)
    there = pieces.wanted >= 0
    assert pieces.wanted[there].tolist() == [2, 3, 4, 5, 6, 7, 8]
    np.testing.assert_array_equal(pieces.items[there] + 1, pieces.wanted[there])
    np.testing.assert_array_equal(pieces.hours[there] + 1, pieces.now[there])
    assert (pieces.items[~there] == -1).all()


def share_right(model: PlaceRNN, params: dict[str, torch.Tensor]) -> float:
    """Return for how many users the place after all visits is the first."""
    scores = place_scorer(model, params, 8)(np.arange(USERS), DATA, np.full(USERS, EACH * 7200))
    step = 1 + np.arange(USERS) % 2
    last = DATA.items.reshape(USERS, EACH)[:, -1]
    return float((scores.argmax(axis=1) == (last + step) % PLACES).mean())


def test_a_model_learns_and_its_student_is_nearer_to_it_than_one_that_is_not_taught() -> None:
    taught = train_places(TEACHER, DATA, PRACTICE, DRAWS)
    assert share_right(TEACHER, taught) > 0.8
    gaps, data = [], sequences_of(DATA, 8)
    items, hours, now = (torch.from_numpy(one) for one in (data.items, data.hours, data.now))
    every = torch.arange(PLACES)

    def said(model: PlaceRNN, params: dict[str, torch.Tensor]) -> torch.Tensor:
        asked = model.asked(params, model.states(params, items, hours), now)
        return torch.softmax(model.scores(params, asked, every), dim=-1)

    brief = Practice(epochs=4, lr=0.02, batch=16, length=8, rivals=24)
    for teaching in (None, PlaceTeaching(TEACHER, taught, soft=3.0, hidden=0.1)):
        made = train_places(STUDENT, DATA, brief, DRAWS, teaching=teaching)
        assert made.keys() == STUDENT.init(DRAWS).keys()
        gaps.append(float((said(STUDENT, made) - said(TEACHER, taught)).abs().sum(-1).mean()))
    assert gaps[1] < gaps[0]


def test_the_best_epoch_is_kept_and_the_same_draws_find_it_again() -> None:
    seen = []

    def judge(params: dict[str, torch.Tensor]) -> float:
        seen.append(-abs(float(params["mix"][0]) - 1.02))
        return seen[-1]

    brief = Practice(epochs=3, lr=0.02, batch=16, length=8, rivals=12, dropout=0.2, decay=0.01)
    made = train_places(STUDENT, DATA, brief, DRAWS, validate=judge)
    again = train_places(STUDENT, DATA, brief, DRAWS, validate=judge)
    assert -abs(float(made["mix"][0]) - 1.02) == max(seen)
    assert all(torch.equal(value, again[name]) for name, value in made.items())
