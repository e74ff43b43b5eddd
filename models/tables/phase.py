"""The phase table: signs, and in two bits how long the vector is.

Zhang, Wang, Ruan, Ma: Preference Preserving Hashing for Efficient Recommendation (SIGIR 2014): the
direction of a vector is its signs, the length one of four levels. A product of a user's signs with
such a vector is a count of bits times the level.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from droidloop.models.interfaces.learning import Parameter, Params
from droidloop.platform.arrays import Array, Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import Section

from .binary import Codes, codes_of, popcount_scores, signs_of
from .binary import Scorer as SignScorer
from .code_bits import code_bytes, packed_codes, unpacked_codes
from .float_rows import finite, headed, numbers_of
from .row_table import RowTable

LEVELS = 4
"""Two bits."""


def levels_of(lengths: Array) -> Float32Array:
    """Return the four levels that *lengths* are told by: the means of their quarters."""
    quarters = np.array_split(np.sort(np.asarray(lengths, np.float64)), LEVELS)
    means = [float(one.mean()) if len(one) else 0.0 for one in quarters]
    return np.maximum.accumulate(np.array(means)).astype(np.float32)


@dataclass(frozen=True)
class PhaseTable(RowTable):
    """*n* vectors of *dim* signs, times one of four levels; parameters: what is behind them.

    ``name``, (n, dim), gives signs and, by its root mean square, the level that is nearest;
    ``name_levels``, (4, 1), are the levels, which every id reads. Both are trained, straight
    through the signs and the choice.

    >>> PhaseTable(3706, 64).nbytes
    30591
    """

    def __post_init__(self) -> None:
        if self.n < 0 or self.dim < 1 or self.sd < 0:
            raise ValueError(f"no table has {self.n} rows of {self.dim} signs, sd {self.sd}")

    @property
    def levels(self) -> str:
        """The name of the levels."""
        return f"{self.name}_levels"

    @property
    def parameters(self) -> dict[str, Parameter]:
        """A row for each id, and the levels."""
        return {**super().parameters, self.levels: Parameter((LEVELS, 1))}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return signs times levels; gradients go to the latent numbers and to the levels."""
        latent, levels = parts[self.name], parts[self.levels]
        still = latent.detach()
        code = self._codes(still, levels.detach())
        if levels.dim() == 3:
            phones = torch.arange(len(levels)).reshape([-1] + [1] * (code.dim() - 1))
            level = levels[phones, code]
        else:
            level = levels[code]
        signs = torch.where(still >= 0, 1.0, -1.0)
        return signs * level + (latent - still)

    def _codes(self, latent: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        """Return which level is nearest to the root mean square of each row."""
        length = latent.square().mean(-1, keepdim=True).sqrt()
        every = levels[..., 0]
        if every.dim() == 2:
            every = every.reshape(len(every), *[1] * (length.dim() - 2), LEVELS)
        return (length - every).abs().argmin(-1)

    def init(self, draws: Draws) -> Params:
        """Return fresh rows, and the levels that their lengths have."""
        made = {self.name: super().init(draws)[self.name]}
        return made | {self.levels: self.fitted(made[self.name])}

    def fitted(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the levels of *latent*, (4, 1)."""
        length = latent.square().mean(-1).sqrt().numpy()
        return torch.from_numpy(levels_of(length))[:, None]

    def coded(self, params: Params) -> tuple[Codes, IntArray]:
        """Return the signs as bits and the number of the level of each row."""
        latent, levels = (params[name].detach() for name in (self.name, self.levels))
        level: IntArray = self._codes(latent, levels).numpy()
        return codes_of(latent.numpy()), level

    @property
    def nbytes(self) -> int:
        """A bit a sign, whole bytes for each vector, two bits a level, and the four levels."""
        return self.n * -(-self.dim // 8) + code_bytes(self.n, LEVELS) + 4 * LEVELS

    @property
    def flops(self) -> int:
        """A sign, a square and a product of each number."""
        return 4 * self.dim

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"phs1"

    def pack(self, params: Params) -> bytes:
        """Return header, levels, signs and level numbers."""
        finite(self, self.name, params[self.name])
        levels = finite(self, self.levels, params[self.levels])
        signs, level = self.coded(params)
        data = levels.astype("<f4").tobytes() + signs.tobytes() + packed_codes(level, LEVELS)
        return headed(self, self.magic, data)

    def unpack(self, data: bytes) -> Params:
        """Return signs times levels as latent numbers; see ``EmbeddingTable.unpack``."""
        numbers = numbers_of(self, self.magic, data)
        levels = np.frombuffer(numbers, "<f4", LEVELS).astype(np.float32)
        size = self.n * -(-self.dim // 8)
        signs = np.frombuffer(numbers, np.uint8, size, 4 * LEVELS).reshape(self.n, -1)
        level = unpacked_codes(numbers[4 * LEVELS + size :], self.n, LEVELS)
        latent = signs_of(signs, self.dim) * levels[level][:, None]
        tensors = {self.name: latent, self.levels: levels[:, None]}
        return {name: torch.from_numpy(value.astype(np.float32)) for name, value in tensors.items()}

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that scores signs and multiplies by levels."""
        signs, level = self.coded(params)
        return f"{__name__}:Scorer", {
            "codes": (signs.T.astype(np.int16) - 128).astype(np.int8),
            "levels": params[self.levels].detach().numpy(),
            "level": level.astype(np.int8)[None],
        }


def phase_scores(
    users: Codes, items: Codes, level: IntArray, levels: Array, dim: int
) -> Float32Array:
    """Return the products of users' signs with items' vectors: counts of bits times levels."""
    return popcount_scores(users, items, dim) * levels.reshape(-1)[level].astype(np.float32)


class Scorer(nn.Module):
    """Scores every item for one user: the signs as a binary table does, times the item's level."""

    levels: torch.Tensor
    level: torch.Tensor

    def __init__(self, codes: torch.Tensor, levels: torch.Tensor, level: torch.Tensor) -> None:
        super().__init__()
        self._signs = SignScorer(codes)
        self.register_buffer("levels", levels)
        self.register_buffer("level", level)

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        zero = torch.clamp(user[0, :1].abs(), max=0.0).to(torch.int32)
        level = torch.index_select(self.level, 0, zero)[0].to(torch.int32)
        factors = nn.functional.embedding(level, self.levels)[:, 0]
        return {"scores": self._signs(user)["scores"] * factors[None]}


class PhaseSection(Section):
    """Vectors of signs, one bit each, times one of four lengths, two bits."""


def build(section: PhaseSection, n: int, dim: int, *, name: str = "item", sd: float) -> PhaseTable:
    """Return the table of *n* vectors of *dim* signs that *section* wants."""
    return PhaseTable(n, dim, name=name, sd=sd)


METHOD = Method(
    kind="table",
    name="phase",
    section=PhaseSection,
    build=build,
    source="Zhang et al., Preference Preserving Hashing for Efficient Recommendation, SIGIR 2014",
    gives=frozenset(),
)
