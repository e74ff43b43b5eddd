"""Steps without a slope: forward the step, backward the slope of the smooth one."""

import torch

from droidloop.models.numerics.through import one_hot_through, straight_through


def test_gradients_pass_straight_through_to_all_lengths() -> None:
    logits = torch.tensor([[0.0, 1.0, 0.5]], requires_grad=True)
    chosen = one_hot_through(logits, 1.0)
    assert chosen.tolist() == [[0.0, 1.0, 0.0]]
    (chosen * torch.tensor([1.0, 2.0, 3.0])).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert (logits.grad != 0).all()


def test_what_is_passed_on_is_the_gradient_of_the_smooth_one() -> None:
    soft = torch.tensor([0.3, 0.8], requires_grad=True)
    found = straight_through((soft.detach() > 0.5).to(torch.float32), soft.square())
    assert found.tolist() == [0.0, 1.0]
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert soft.grad is not None
    torch.testing.assert_close(soft.grad, 2 * soft.detach())
