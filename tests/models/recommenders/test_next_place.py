"""The next-place model: the contract, and kernels that do what torch does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems, by_user
from droidloop.models.data.places import UNKNOWN, counted
from droidloop.models.data.synthetic_check_ins import generate_check_ins
from droidloop.models.interfaces.learning import Batch, Params
from droidloop.models.local.place_kernels import (
    answer,
    contrast,
    descend,
    desk,
    moment_of,
    returned,
    score,
    softmax,
)
from droidloop.models.local.place_sgd import learn_habit
from droidloop.models.recommenders.next_place import NextPlace
from droidloop.models.recommenders.place_features import (
    PlaceData,
    gap_of,
    hour_of,
    near_of,
    sizes,
    turn_of,
    weights_in,
)
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws
from tests.contracts.recommender import RecommenderContract

DRAWS = Draws(9, "next place")
N_PLACES, DIM, LENGTH = 40, 6, 8
EVENTS, PLACES = generate_check_ins(5, N_PLACES, 12, DRAWS)
VISITS = by_user(EVENTS)
MODEL = NextPlace(PLACES, DIM)


class TestNextPlace(RecommenderContract):
    recommender = MODEL
    n_items = N_PLACES


def noisy(params: Params) -> Params:
    """Return *params* with noise, so that no derivative vanishes by symmetry."""
    out = {}
    for number, (name, value) in enumerate(params.items()):
        noise = DRAWS.child(f"noise {number}").normal(np.arange(value.numel()), 0)
        moved = value + 0.1 * torch.from_numpy(noise.reshape(value.shape)).float()
        out[name] = moved.detach().requires_grad_()
    return out


def example(user: int, *, back: bool) -> tuple[UserItems, int, Array]:
    """Return the visits of one user before the last, when that was, and the candidates.

    The next place is one of the latest visits if *back*, else one that was never visited.
    """
    mine = VISITS.take(np.array([user]))
    cut = len(mine.items) - 1
    new = np.setdiff1d(np.arange(N_PLACES), mine.items)
    candidates = np.array([mine.items[cut - 2] if back else new[0], new[1], -1, new[2], new[3]])
    past = UserItems.bare(mine.items[:cut], np.array([0, cut]))
    return replace(past, times_s=mine.times_s[:cut]), int(mine.times_s[cut]), candidates


@pytest.mark.parametrize("user", range(5))
@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("step", [0.0, 0.07])
def test_a_step_of_the_kernels_is_the_gradient_of_the_loss_in_torch(
    user: int, back: bool, step: float
) -> None:
    params = noisy(MODEL.init(DRAWS) | MODEL.init_private(DRAWS, np.arange(1)))
    past, now_s, candidates = example(user, back=back)
    context = MODEL.context_of(past, np.array([now_s]), LENGTH)
    ids = torch.from_numpy(candidates)[None]
    batch = Batch(torch.tensor([0]), ids[:, 0], torch.ones(1), ids[:, 1:], context)
    loss = MODEL.loss(params, batch).sum()
    slopes = torch.autograd.grad(loss, list(params.values()), materialize_grads=True)
    wanted = {
        name: (value - step * slope).detach().numpy()
        for (name, value), slope in zip(params.items(), slopes, strict=True)
    }
    rows = torch.cat([params["place"], params["bias"][:, None]], dim=1).detach().numpy().copy()
    names = sizes(DIM, PLACES.categories)
    network = np.concatenate([params[name].detach().numpy().ravel() for name in names])
    own = params["user"].detach().numpy()[0].copy()
    w = weights_in(rows, own, network, PLACES.categories)
    unheld = np.zeros((N_PLACES, DIM), np.float32), np.zeros(N_PLACES, np.float32)
    ground = PlaceData(*unheld, PLACES.plane_km(), PLACES.category)
    slot, b = np.arange(N_PLACES), desk(LENGTH, len(candidates), DIM)
    recent = slice(max(0, len(past.items) - LENGTH), None)
    items, times_s = past.items[recent], past.times_s[recent]
    answer(w, ground, slot, items, times_s, now_s, b)
    moment = moment_of(items, times_s, now_s)
    found = learn_habit(w, back, step) - returned(items, candidates[0], b) * back
    told = candidates[:0]
    if not back:
        told = candidates
        for k, item in enumerate(told):
            if item >= 0:
                b.p[k] = score(w, ground, slot, moment, item, b, k)
        found -= softmax(b.p, told)
        b.p[0] -= 1
    np.testing.assert_allclose(found, loss.item(), rtol=1e-5)
    descend(w, ground, slot, items, moment, told, np.array([step, step, step], np.float32), b)
    np.testing.assert_allclose(rows[:, :DIM], wanted["place"], atol=2e-6)
    np.testing.assert_allclose(rows[:, DIM], wanted["bias"], atol=2e-6)
    np.testing.assert_allclose(own, wanted["user"][0], atol=2e-6)
    for name, values in MODEL.named(network).items():
        np.testing.assert_allclose(values.numpy(), wanted[name], atol=2e-6, err_msg=name)


def test_probabilities_sum_to_one_and_those_of_visited_places_to_the_habit() -> None:
    params = noisy(MODEL.init(DRAWS) | MODEL.init_private(DRAWS, np.arange(1)))
    past, now_s, _ = example(1, back=True)
    context = MODEL.context_of(past, np.array([now_s]), LENGTH)
    scores = MODEL.score(params, torch.tensor([[0]]), torch.arange(N_PLACES)[None], context)
    chances = scores.exp()[0]
    visited = torch.from_numpy(np.unique(past.items[-LENGTH:]))
    torch.testing.assert_close(chances.sum(), torch.tensor(1.0))
    odds = torch.sigmoid(params["user"][0, -1])
    torch.testing.assert_close(chances[visited].sum(), odds)


@pytest.mark.parametrize(("later_h", "power"), [(1, 2), (100, 1)])
def test_an_untrained_model_counts_own_visits_by_hour_and_age_and_then_what_is_near(
    later_h: int, power: int
) -> None:
    places = counted(PLACES, VISITS)
    model = NextPlace(places, DIM)
    params = model.init(DRAWS) | model.init_private(DRAWS, np.arange(1))
    params["user"][:] = 0
    params["value"][:] = 0
    past, _, _ = example(2, back=True)
    now_s = int(past.times_s[-1]) + later_h * 3600
    context = model.context_of(past, np.array([now_s]), len(past.items))
    found = model.score(params, torch.tensor([[0]]), torch.arange(N_PLACES)[None], context)[0]
    # at the lower end of its bucket, the age of each visit and the distance of each place
    hours = 2 ** (np.array([gap_of(now_s - t) for t in past.times_s.tolist()]) / 1.2) - 1
    visits = replace(past, times_s=now_s - (3600 * hours).astype(np.int64))
    apart = np.array([turn_of(hour_of(now_s), hour_of(t)) for t in past.times_s.tolist()])
    weight = np.exp(-apart / 2) * (1 + hours) ** -0.3
    own = np.bincount(visits.items, weight, N_PLACES)
    known = own > 0
    np.testing.assert_allclose(found[known].exp(), own[known] / own.sum() / 2, rtol=1e-4)
    assert places.visitors is not None
    at_km = places.plane_km()
    near = np.array([near_of(at_km, past.items[-1], k) for k in range(N_PLACES)])
    law = (1 + places.visitors) / ((2 ** (near / 2) - 1) / 4 + 0.1) ** power
    np.testing.assert_allclose(found[~known].exp(), law[~known] / law[~known].sum() / 2, rtol=1e-3)


def test_the_contrast_is_the_gradient_of_infonce() -> None:
    values = DRAWS.child("contrast").normal(np.arange(4)[:, None], np.arange(DIM))
    rows = values.astype(np.float32)
    own = torch.from_numpy(rows[3].copy()).requires_grad_()
    theirs = torch.from_numpy(rows[:3])
    cosines = torch.nn.functional.cosine_similarity(own[None], theirs)
    loss = 0.3 * torch.nn.functional.cross_entropy(cosines[None] / 0.5, torch.tensor([1]))
    [wanted] = torch.autograd.grad(loss, [own])
    out = np.zeros(DIM, np.float32)
    contrast(rows[3], rows[:3], 1, 2, 0.5, 0.3, out, np.empty(3))
    np.testing.assert_allclose(out, wanted.numpy(), atol=1e-6)


def test_buckets_of_ages_grow_and_hours_are_on_a_circle() -> None:
    gaps = [gap_of(3600 * hours) for hours in (-1, 0, 1, 4, 24, 24 * 7, 24 * 60, 24 * 600)]
    assert gaps == [0, 0, 1, 2, 5, 8, 12, 15]
    assert [turn_of(23, 1), turn_of(0, 12), turn_of(5, 5)] == [2, 12, 0]


def test_places_need_categories() -> None:
    unknown = replace(PLACES, category=np.full(N_PLACES, UNKNOWN))
    with pytest.raises(ValueError, match="category of every place"):
        NextPlace(unknown, DIM)
