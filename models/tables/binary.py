"""The binary table: a vector is signs, one bit each; scores are counts of bits.

The product of two vectors of b signs is b - 2 h, where h is in how many places they differ: the
Hamming distance of their codes, from XOR and popcount. The signs are those of latent numbers, which
training moves as if they were the signs: the straight-through estimator (Bengio, Leonard,
Courville: Estimating or Propagating Gradients Through Stochastic Neurons, 2013).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from droidloop.models.interfaces.learning import Params
from droidloop.models.numerics.through import straight_through
from droidloop.platform.arrays import Array, Float32Array
from droidloop.platform.registry import Method
from droidloop.platform.section import Section

from .float_rows import finite, headed, numbers_of
from .row_table import RowTable

Codes = np.ndarray[Any, np.dtype[np.uint8]]
"""Signs as bits, eight in a byte, the first lowest; 1 is +1. The last byte ends in zeros."""


def codes_of(vectors: Array) -> Codes:
    """Return the codes of the signs of *vectors*, (n, ceil(dim / 8)); that of 0 is +1."""
    return np.packbits(vectors >= 0, axis=-1, bitorder="little")


def signs_of(codes: Codes, dim: int) -> Float32Array:
    """Return the vectors of +1 and -1 of *codes*, (n, dim)."""
    bits = np.unpackbits(codes, axis=-1, count=dim, bitorder="little")
    return bits.astype(np.float32) * 2 - 1


def popcount_scores(users: Codes, items: Codes, dim: int) -> Float32Array:
    """Return the products of all vectors of *dim* signs behind two sets of codes, (users, items).

    They are equal to the products of the signs: whole numbers.
    """
    differ = np.zeros((len(users), len(items)), np.int32)
    for mine, theirs in zip(_words(users).T, _words(items).T, strict=True):
        differ += np.bitwise_count(mine[:, None] ^ theirs)
    return (dim - 2 * differ).astype(np.float32)


def _words(codes: Codes) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return *codes* in words of 64 bits, the last filled with zeros."""
    wide = np.zeros((len(codes), -(-codes.shape[1] // 8) * 8), np.uint8)
    wide[:, : codes.shape[1]] = codes
    return wide.view(np.uint64)


@dataclass(frozen=True)
class BinaryTable(RowTable):
    """*n* vectors of *dim* signs; parameter ``name``: the latent numbers behind them.

    Phones that train hold and send the latent numbers; what ships is a bit a sign.

    >>> BinaryTable(3706, 64).nbytes
    29648
    """

    def __post_init__(self) -> None:
        if self.n < 0 or self.dim < 1 or self.sd < 0:
            raise ValueError(f"no table has {self.n} rows of {self.dim} signs, sd {self.sd}")

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the signs; their gradient is passed on to the latent numbers."""
        latent = parts[self.name]
        signs = torch.where(latent.detach() >= 0, 1.0, -1.0)
        return straight_through(signs, latent)

    @property
    def nbytes(self) -> int:
        """Whole bytes for each vector."""
        return self.n * -(-self.dim // 8)

    @property
    def flops(self) -> int:
        """A sign of each number."""
        return self.dim

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"bin1"

    def pack(self, params: Params) -> bytes:
        """Return header and codes; see ``EmbeddingTable.pack``."""
        latent = finite(self, self.name, params[self.name])
        return headed(self, self.magic, codes_of(latent).tobytes())

    def unpack(self, data: bytes) -> Params:
        """Return +1 and -1 as latent numbers; see ``EmbeddingTable.unpack``."""
        codes = np.frombuffer(numbers_of(self, self.magic, data), np.uint8).reshape(self.n, -1)
        return {self.name: torch.from_numpy(signs_of(codes, self.dim))}

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that adds up, by byte, what the user makes of its eight signs."""
        codes = codes_of(params[self.name].detach().numpy()).T.astype(np.int16)
        return f"{__name__}:Scorer", {"codes": (codes - 128).astype(np.int8)}


class Scorer(nn.Module):
    """Scores every item for one user of float32 numbers, from codes that lie byte by byte.

    The score of each of a byte's 256 values is computed once, by the eight numbers of the user that
    it meets (8 KiB of signs); an item's score is the sum over its bytes. A byte is picked by its
    number plus a zero that depends on the user, as the converter would else fold the codes into 32
    bits for each 8. They are 128 less than they were: the converter knows no unsigned constants.
    """

    codes: torch.Tensor
    signs: torch.Tensor

    def __init__(self, codes: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)
        every = np.arange(256, dtype=np.uint8)[:, None]
        self.register_buffer("signs", torch.from_numpy(signs_of(every, 8)))

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        count = len(self.codes)
        padded = nn.functional.pad(user, (0, 8 * count - user.shape[1]))
        values = nn.functional.linear(padded.reshape(count, 8), self.signs)
        zero = torch.clamp(user[0, :1].abs(), max=0.0).to(torch.int32)
        scores = torch.zeros(1)
        for byte in range(count):
            codes = torch.index_select(self.codes, 0, zero + byte)[0].to(torch.int32) + 128
            scores = scores + nn.functional.embedding(codes, values[byte][:, None])[:, 0]
        return {"scores": scores[None]}


class BinarySection(Section):
    """Vectors of signs, one bit each, trained straight through."""


def build(
    section: BinarySection, n: int, dim: int, *, name: str = "item", sd: float
) -> BinaryTable:
    """Return the table of *n* vectors of *dim* signs that *section* wants."""
    return BinaryTable(n, dim, name=name, sd=sd)


METHOD = Method(
    kind="table",
    name="binary",
    section=BinarySection,
    build=build,
    source="Bengio, Leonard, Courville: Estimating or Propagating Gradients Through Stochastic "
    "Neurons (2013)",
    gives=frozenset(),
)
