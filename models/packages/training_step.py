"""One step of local SGD of matrix factorisation as a torch module with fixed shapes.

The arithmetic is that of ``kernels``: the gradient of the *sum* of a batch's losses, for the user
vector and for the rows that the batch touches. Only the order of float32 sums differs.
"""

from collections.abc import Callable

import torch
from torch import nn


class LocalStep(nn.Module):
    """A step on a batch of B pairs, *width* for each item: itself and its negatives.

    Pairs that are none (padding, missing negatives) have mask 0 and any slot. The rate of *l2*
    falls on each pair's row and user, as often as the pair occurs.
    """

    def __init__(self, loss: str, width: int) -> None:
        super().__init__()
        self._slopes = _SLOPES[loss]
        self._width = width

    def forward(
        self,
        rows: torch.Tensor,
        user: torch.Tensor,
        slots: torch.Tensor,
        labels: torch.Tensor,
        mask: torch.Tensor,
        rates: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Return ``new_rows`` (R, d) and ``new_user`` (1, d).

        Args:
            rows: the rows that the phone touches, (R, d).
            user: its own vector, (1, d).
            slots: for each pair the place of its item among *rows*, int32 (B,).
            labels: what each pair should be, (B,).
            mask: 1 for a pair, 0 for none, (B,).
            rates: step of the user, step of the rows, and l2, (3,).
        """
        picked = rows[slots.long()]
        scores = (picked * user).sum(-1)
        slopes = self._slopes(scores, labels, mask, self._width)
        numbers = torch.arange(rows.shape[0], dtype=torch.int32)
        # one-hot: LiteRT has no scatter that adds on every runtime
        places = (slots[:, None] == numbers[None, :]).float().T
        pull = places @ slopes[:, None]
        hits = places @ mask[:, None]
        gradient = (slopes[:, None] * picked).sum(0, keepdim=True)
        keep_rows = 1.0 - rates[1] * rates[2] * hits
        keep_user = 1.0 - rates[0] * rates[2] * mask.sum()
        return {
            "new_rows": keep_rows * rows - rates[1] * (pull * user),
            "new_user": keep_user * user - rates[0] * gradient,
        }


def _log(
    scores: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor, width: int
) -> torch.Tensor:
    return (torch.sigmoid(scores) - labels) * mask


def _squared(
    scores: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor, width: int
) -> torch.Tensor:
    return 2.0 * (scores - labels) * mask


def _bpr(
    scores: torch.Tensor, labels: torch.Tensor, mask: torch.Tensor, width: int
) -> torch.Tensor:
    groups = scores.reshape(-1, width)
    others = torch.sigmoid(groups[:, 1:] - groups[:, :1]) * mask.reshape(-1, width)[:, 1:]
    return torch.cat([-others.sum(1, keepdim=True), others], 1).reshape(-1)


_SLOPES: dict[str, Callable[..., torch.Tensor]] = {"log": _log, "squared": _squared, "bpr": _bpr}
"""The derivative of each loss by the scores."""


def builder(loss: str) -> Callable[..., nn.Module]:
    """Return what makes the module of *loss* from the constant ``width``, shape (1,)."""

    def build(width: torch.Tensor) -> nn.Module:
        return LocalStep(loss, int(width[0]))

    return build


STEP_BUILDERS = {f"step-{loss}": builder(loss) for loss in _SLOPES}
"""By the kind of graph."""
