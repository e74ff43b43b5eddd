"""The adaptive-length table: a twin network on a vector says how many of its numbers count.

Yan, Wang, Zhang, Li, Zhou, Xu, Zheng: Learning Effective and Efficient Embedding via an
Adaptively-Masked Twins-based Layer (AMTL, CIKM 2021). One branch is for what is frequent, one for
what is rare; the weight of an id's frequency mixes what they say of each length. In a step forward
the best length is taken, backward all of them, by a softmax (straight through).
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.models.numerics.through import one_hot_through
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws

from .float_rows import beside, normal_rows, times
from .row_table import RowTable

WHOLE = 2.0
"""What the whole length is ahead of the others at first, in logits; ours."""
_BRANCHES = ("high", "low")


@dataclass(frozen=True)
class AdaptiveLengthTable(RowTable):
    """*n* vectors of *dim* numbers, each cut after as many as its twin network says.

    Parameters: ``name`` (n, dim); ``name_frequency`` (n, 1), between 0 (rarest) and 1, which
    nothing trains; of each branch, high and low, ``name_high`` (dim, hidden), ``name_high_out``
    (hidden, dim) and ``name_high_first`` (dim,), the logits of the lengths 1 to *dim*. Fresh, all
    lengths are whole: on the rows of a trained table it changes nothing.

    Attributes:
        frequency: of each id, (n,), between 0 and 1.
        hidden: the width of a branch.
        temperature: of the softmax that gradients pass.
    """

    frequency: FloatArray = field(repr=False, compare=False)
    hidden: int = 8
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if len(self.frequency) != self.n or self.hidden < 1 or self.temperature <= 0:
            raise ValueError(f"{len(self.frequency)} frequencies of {self.n} ids")

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The numbers, the frequencies, and the two branches."""
        found = {
            **super().parameters,
            f"{self.name}_frequency": Parameter((self.n, 1), by_row=True, trained=False),
        }
        for branch in _BRANCHES:
            one = f"{self.name}_{branch}"
            found[one] = Parameter((self.dim, self.hidden))
            found[f"{one}_out"] = Parameter((self.hidden, self.dim))
            found[f"{one}_first"] = Parameter((self.dim,))
        return found

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the row of each id, of numbers and frequency."""
        return {**super().rows_of(ids), f"{self.name}_frequency": ids}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the first numbers of each row, and zeros."""
        rows = parts[self.name]
        chosen = one_hot_through(self._logits(parts), self.temperature)
        return rows * _prefixes(chosen)

    def expected(self, params: Params) -> torch.Tensor:
        """Return the mean length of all ids, by the softmax: what a price can be put on."""
        soft = torch.softmax(self._logits(params) / self.temperature, dim=-1)
        return _prefixes(soft).sum(-1).mean()

    def lengths(self, params: Params) -> IntArray:
        """Return the length of each id, (n,)."""
        with torch.no_grad():
            return np.asarray(self._logits(params).argmax(-1).numpy(), np.int64) + 1

    def init(self, draws: Draws) -> Params:
        """Return fresh numbers, and branches that leave all of them."""
        made = {}
        for name, one in self.parameters.items():
            values = normal_rows(
                draws.child(name), np.arange(one.shape[0]), one.row_numbers, self.sd
            )
            made[name] = torch.from_numpy(values.reshape(one.shape))
        made[f"{self.name}_frequency"] = torch.from_numpy(
            self.frequency.astype(np.float32)[:, None]
        )
        for branch in _BRANCHES:
            made[f"{self.name}_{branch}_out"].zero_()
            first = torch.zeros(self.dim)
            first[-1] = WHOLE
            made[f"{self.name}_{branch}_first"] = first
        return made

    @property
    def flops(self) -> int:
        """Two branches forward and twice back, and a softmax."""
        return 24 * self.dim * self.hidden + 30 * self.dim

    def _logits(self, parts: Params) -> torch.Tensor:
        """Return the logits of each length, (..., dim); no gradient reaches rows through them."""
        rows, weight = parts[self.name].detach(), parts[f"{self.name}_frequency"]
        high, low = (self._branch(parts, rows, branch) for branch in _BRANCHES)
        return weight * high + (1 - weight) * low

    def _branch(self, parts: Params, rows: torch.Tensor, branch: str) -> torch.Tensor:
        one = f"{self.name}_{branch}"
        into, out, first = parts[one], parts[f"{one}_out"], parts[f"{one}_first"]
        hidden = torch.tanh(times(rows, into))
        return times(hidden, out) + beside(first, rows, 1)


def _prefixes(chosen: torch.Tensor) -> torch.Tensor:
    """Return, of weights of the lengths 1 to dim, how much each number counts."""
    return chosen.flip(-1).cumsum(-1).flip(-1)
