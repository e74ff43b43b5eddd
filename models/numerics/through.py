"""Steps that have no slope, trained as if they had that of a smooth one (straight through).

Bengio, Leonard, Courville: Estimating or Propagating Gradients Through Stochastic Neurons (2013).
"""

import torch


def straight_through(hard: torch.Tensor, soft: torch.Tensor) -> torch.Tensor:
    """Return *hard*, whose gradient is passed on to *soft*."""
    return hard + (soft - soft.detach())


def one_hot_through(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return 1 for the largest of *logits*, 0 for others; the gradient is that of a softmax."""
    soft = torch.softmax(logits / temperature, dim=-1)
    hard = torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).to(soft.dtype)
    return straight_through(hard, soft)
