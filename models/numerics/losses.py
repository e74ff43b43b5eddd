"""Losses on logits and scores, element by element: nothing is summed or averaged here.

The logarithm of the logistic function is torch's: its softplus gives an element other last bits
where it stands among few others.
"""

import torch
from torch.nn.functional import logsigmoid


def log_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return binary cross-entropy of *logits* against *labels* in [0, 1].

    He et al., Neural Collaborative Filtering (WWW 2017), equation 7; computed without overflow.
    """
    return -logsigmoid(-logits) - labels * logits


def bpr(chosen: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return -log sigmoid(chosen - other).

    Rendle et al., BPR: Bayesian Personalized Ranking from Implicit Feedback (UAI 2009), without
    its regulariser.
    """
    return -logsigmoid(chosen - other)


def squared_error(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return (score - label)^2, whose gradient for an item is 2 (score - label) times the user."""
    return (scores - labels) ** 2
