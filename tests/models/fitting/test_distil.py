"""Distillation: a student follows its teacher, by soft targets and by vectors."""

from typing import Any

import numpy as np
import pytest
import torch

from droidloop.models.fitting.added import Added
from droidloop.models.fitting.distil import (
    Teaching,
    distil,
    of_choices,
    of_pairs,
    of_vectors,
    soft_targets,
)
from droidloop.models.fitting.fit import Hyperparameters
from droidloop.models.fitting.light_rec import light_rec
from droidloop.models.fitting.od_rec import eod_rec, od_rec
from droidloop.models.interfaces.learning import Params, init_all
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.codes import CodebookTable
from droidloop.models.tables.float_rows import every_vector
from droidloop.models.tables.joint_codes import JointCodesTable
from droidloop.models.tables.tensor_chain import TensorChainTable
from droidloop.platform.draws import Draws
from tests.contracts.recommender import RecommenderContract
from tests.contracts.tiny import equal_data

DRAWS = Draws(7, "distil")
N_USERS, N_ITEMS, DIM = 20, 30, 8
DATA = equal_data(DRAWS, N_USERS, N_ITEMS, 6)
TEACHER = init_all(MF(N_ITEMS, DIM, sd=0.8), DRAWS.child("teacher"), N_USERS)
STUDENT = MF(9, 8, "log")
CHOSEN = Hyperparameters(epochs=30, lr=0.03, batch=32, negatives=4)


class TestAdded(RecommenderContract):
    recommender = Added(STUDENT, soft_targets(STUDENT, init_all(STUDENT, DRAWS, 5), Teaching()))
    n_items = 9


def scores(params: Params) -> torch.Tensor:
    return params["user"] @ params["item"].T


def test_soft_targets_are_least_where_the_scores_are_the_teachers() -> None:
    said = torch.linspace(-3, 3, 7).requires_grad_()
    for heat in (1.0, 4.0):
        of_pairs(said, said.detach(), heat).sum().backward()  # type: ignore[no-untyped-call]
        of_choices(said, said.detach(), heat).backward()  # type: ignore[no-untyped-call]
        assert said.grad is not None
        torch.testing.assert_close(said.grad, torch.zeros(7), atol=1e-6, rtol=0)


def test_the_slopes_of_soft_choices_hardly_depend_on_the_heat() -> None:
    said, slopes = torch.tensor([0.3, -0.2, 0.1]), []
    for heat in (10.0, 20.0):
        found = torch.zeros(3, requires_grad=True)
        of_choices(found, said, heat).backward()  # type: ignore[no-untyped-call]
        assert found.grad is not None
        slopes.append(found.grad)
    torch.testing.assert_close(slopes[0], slopes[1], atol=2e-3, rtol=0)


def test_the_contrast_is_least_for_the_teachers_own_vectors() -> None:
    vectors = TEACHER["item"]
    own, others = (of_vectors(rows, vectors).mean() for rows in (2 * vectors, vectors.roll(1, 0)))
    assert own < others / 4


@pytest.mark.parametrize("contrast", [0.0, 0.5])
def test_a_student_that_listens_is_nearer_to_its_teacher(contrast: float) -> None:
    student = MF(N_ITEMS, DIM)
    first, gaps = init_all(student, DRAWS, N_USERS), []
    for teaching in (Teaching(0.0), Teaching(5.0, contrast=contrast)):
        made = distil(student, first, TEACHER, DATA, CHOSEN, teaching, draws=DRAWS)
        gaps.append(float((scores(made) - scores(TEACHER)).square().mean()))
    assert gaps[1] < 0.8 * gaps[0]


def test_light_rec_ships_codes_and_keeps_the_best_epoch() -> None:
    seen = []

    def judge(table: CodebookTable, params: Params) -> float:
        vectors = torch.from_numpy(every_vector(table, params))
        seen.append(-float((params["user"] @ vectors.T - scores(TEACHER)).square().mean()))
        return seen[-1]

    setting: dict[str, Any] = {"books": 2, "words": 6, "l2": 0.0, "draws": DRAWS}
    table, params = light_rec(TEACHER, DATA, CHOSEN, **setting, validate=judge)
    assert table.nbytes == 4 * 12 * DIM + -(-N_ITEMS * 2 * 3 // 8)
    assert judge(table, params) == max(seen)
    assert len(seen) == CHOSEN.epochs + 1
    assert np.isfinite(seen).all()


def test_a_taught_chain_is_nearer_to_its_teacher_than_one_that_is_not() -> None:
    table, gaps = TensorChainTable(N_ITEMS, DIM, 4), []
    for teaching in (Teaching(0.0), Teaching(3.0)):
        made = od_rec(TEACHER, table, DATA, CHOSEN, teaching, l2=0.0, draws=DRAWS)
        found = made["user"] @ torch.from_numpy(every_vector(table, made)).T
        gaps.append(float((found - scores(TEACHER)).square().mean()))
    assert gaps[1] < 0.9 * gaps[0]


def test_taught_codes_ship_as_codes() -> None:
    table = JointCodesTable(N_ITEMS, DIM, 2, 6)
    teaching = Teaching(contrast=0.5)
    shipped, made = eod_rec(TEACHER, table, DATA, CHOSEN, teaching, l2=0.0, draws=DRAWS)
    assert shipped.nbytes == 4 * 12 * DIM + -(-N_ITEMS * 2 * 3 // 8)
    assert every_vector(shipped, made).shape == (N_ITEMS, DIM)
    assert made["user"].shape == (N_USERS, DIM)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="heats above it"):
        Teaching(heat=0.0)
