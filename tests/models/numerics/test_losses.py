import math

import pytest
import torch

from droidloop.models.numerics.losses import bpr, log_loss, squared_error


@pytest.mark.parametrize("logit", [-3.0, 0.0, 0.7, 5.0])
def test_log_loss_is_minus_the_logarithm_of_the_probability_of_the_label(logit: float) -> None:
    p = 1 / (1 + math.exp(-logit))
    got = log_loss(torch.tensor([logit, logit], dtype=torch.float64), torch.tensor([1.0, 0.0]))
    assert got.tolist() == pytest.approx([-math.log(p), -math.log(1 - p)])


def test_log_loss_of_a_huge_logit_does_not_overflow() -> None:
    got = log_loss(torch.tensor([1000.0, -1000.0]), torch.tensor([0.0, 1.0]))
    assert got.tolist() == [1000.0, 1000.0]


def test_bpr_is_the_log_loss_of_the_difference() -> None:
    chosen, other = torch.tensor([0.3, -2.0]), torch.tensor([1.0, -5.0])
    expected = log_loss(chosen - other, torch.ones(2))
    torch.testing.assert_close(bpr(chosen, other), expected)


def test_bpr_does_not_change_when_both_scores_move() -> None:
    chosen, other = torch.tensor([0.5]), torch.tensor([0.25])
    assert torch.equal(bpr(chosen, other), bpr(chosen + 4, other + 4))


def test_squared_error_has_the_gradient_of_fedmf() -> None:
    score = torch.tensor([2.5], requires_grad=True)
    (slope,) = torch.autograd.grad(squared_error(score, torch.tensor([4.0])).sum(), score)
    assert slope.item() == 2 * (2.5 - 4.0)
