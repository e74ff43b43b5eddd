"""The candidates table: a vector is a mix of candidates of several widths, by learned weights.

What searches of sizes train (a supernet): candidate k is the first ``widths[k]`` numbers of a row
through a map of its own. Weights are one for a whole field (Zhao et al., AutoDim, WWW 2021), with
Gumbel noise in each step of training, or those that a controller makes of how popular an id is
(Zhao et al., AutoEmb, ICDM 2021). The papers normalise candidates over a batch; here nothing does,
as a vector must not depend on what else is looked up.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from droidloop.models.interfaces.learning import EmbeddingTable, Ids, Parameter, Params
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws

from .float_rows import beside, normal_rows, times
from .row_table import RowTable


@dataclass(frozen=True)
class CandidatesTable(RowTable):
    """*n* vectors of *dim* numbers, mixed of candidates of some *widths*, the last of them *dim*.

    Parameters: ``name`` (n, dim); ``name_map0``, ... (width, dim); and ``name_choice`` (widths,),
    the logits of the candidates, or with *popularity* ``name_popularity`` (n, 1), which nothing
    trains, and the controller ``name_choice`` (1, hidden), ``name_choice_first`` (hidden,),
    ``name_choice_out`` (hidden, widths).

    Attributes:
        widths: of the candidates, growing.
        popularity: of each id, (n,), about 0 and of the size of 1; None: one choice for all.
        hidden: of the controller.
        temperature: of the softmax of the logits.
        noise: of the logits in this step of training, (widths,); None: none.
    """

    widths: tuple[int, ...]
    popularity: FloatArray | None = field(default=None, repr=False, compare=False)
    hidden: int = 8
    temperature: float = 1.0
    noise: tuple[float, ...] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if list(self.widths) != sorted({*self.widths}) or not self.widths[0] >= 1:
            raise ValueError(f"candidates of {self.widths}; give widths that grow")
        if self.widths[-1] != self.dim:
            raise ValueError(f"the last of {self.widths} is not the whole, {self.dim}")

    @property
    def choice(self) -> tuple[str, ...]:
        """The names of what chooses: what is trained on validation."""
        ends = ("",) if self.popularity is None else ("", "_first", "_out")
        return tuple(f"{self.name}_choice{end}" for end in ends)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The numbers, the maps, and what chooses."""
        found = dict(super().parameters)
        for k, width in enumerate(self.widths[:-1]):
            found[f"{self.name}_map{k}"] = Parameter((width, self.dim))
        count = len(self.widths)
        if self.popularity is None:
            return {**found, self.choice[0]: Parameter((count,))}
        into, first, out = self.choice
        return {
            **found,
            f"{self.name}_popularity": Parameter((self.n, 1), by_row=True, trained=False),
            into: Parameter((1, self.hidden)),
            first: Parameter((self.hidden,)),
            out: Parameter((self.hidden, count)),
        }

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the row of each id, of its numbers and of its popularity."""
        more = {} if self.popularity is None else {f"{self.name}_popularity": ids}
        return {**super().rows_of(ids), **more}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the candidates times their weights."""
        rows, weights = parts[self.name], self.weights(parts)
        total = weights[..., -1:] * rows
        for k, width in enumerate(self.widths[:-1]):
            mapped = times(rows[..., :width], parts[f"{self.name}_map{k}"])
            total = total + weights[..., k : k + 1] * mapped
        return total

    def weights(self, parts: Params) -> torch.Tensor:
        """Return the weights of the candidates, which sum to 1: (..., widths), or (widths,)."""
        if self.popularity is None:
            rows = parts[self.name]
            logits = beside(parts[self.choice[0]], rows, 1)
        else:
            into, first, out = (parts[one] for one in self.choice)
            popular = parts[f"{self.name}_popularity"]
            hidden = torch.tanh(times(popular, into) + beside(first, popular, 1))
            logits = times(hidden, out)
        if self.noise is not None:
            logits = logits + torch.tensor(self.noise, dtype=logits.dtype)
        return torch.softmax(logits / self.temperature, dim=-1)

    def expected(self, params: Params) -> torch.Tensor:
        """Return the expected width of each id, (n,), or of all, (1,)."""
        weights = self.weights(params)
        return (weights * torch.tensor(self.widths, dtype=weights.dtype)).sum(-1).reshape(-1)

    def chosen(self, params: Params) -> IntArray:
        """Return the width of the heaviest candidate of each id, (n,)."""
        with torch.no_grad():
            best = self.weights(params).argmax(-1).numpy().reshape(-1)
        return np.broadcast_to(np.asarray(self.widths, np.int64)[best], self.n).copy()

    def in_step(self, draws: Draws, row: int, counter: int) -> EmbeddingTable:
        """Return the table with the Gumbel noise of a step, if there is one choice for all.

        A sample of the candidates is the largest of logits and such noise (Jang, Gu, Poole:
        Categorical Reparameterization with Gumbel-Softmax, ICLR 2017).
        """
        if self.popularity is not None:
            return self
        chance = draws.child(f"gumbel/{self.name}/{row}")
        uniform = chance.uniform(np.arange(len(self.widths)), counter)
        noise = -np.log(-np.log(np.clip(uniform, 1e-12, 1 - 1e-12)))
        return replace(self, noise=tuple(noise.tolist()))

    def init(self, draws: Draws) -> Params:
        """Return fresh numbers, maps that keep their size, and weights that are alike."""
        made = {}
        for name, one in self.parameters.items():
            sd = self.sd
            if name.startswith(f"{self.name}_map") or name == self.choice[0]:
                sd = one.shape[0] ** -0.5
            values = normal_rows(draws.child(name), np.arange(one.shape[0]), one.row_numbers, sd)
            made[name] = torch.from_numpy(values.reshape(one.shape))
        if self.popularity is None:
            made[self.choice[0]].zero_()
            return made
        made[self.choice[2]].zero_()
        values = self.popularity.astype(np.float32)[:, None]
        return {**made, f"{self.name}_popularity": torch.from_numpy(values)}

    @property
    def flops(self) -> int:
        """All candidates through their maps, forward and twice back."""
        return 6 * self.dim * sum(self.widths[:-1]) + 6 * self.dim * len(self.widths)
