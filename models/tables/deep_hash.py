"""The deep hash table: a vector is what a small network makes of many hashes of the id.

Kang, Cheng, Yao, Yi, Chen, Hong, Chi: Learning to Embed Categorical Features without Embedding
Tables for Recommendation (KDD 2021). There is no row for an id, so its bytes do not depend on how
many ids there are, and an id that nobody has seen has a vector. Where the paper normalises over
a batch, this normalises over the units of one id (Ba, Kiros, Hinton: Layer Normalization, 2016): a
phone alone has no batch.
"""

from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from droidloop.models.interfaces.learning import Cost, Ids, Parameter, Params
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.numerics.row_products import row_products
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import Section, Size

from .float_rows import float_bytes, look_up_once, normal_rows
from .row_table import RowTable

PRIME = 16_777_213
"""The largest below 2^24. A hash a x + b modulo a prime (Carter, Wegman 1979) gives different ids
below it different numbers, and float32 tells as many apart: no two ids share a code."""
_CODES = "_codes"
_DIGITS = 128
_WHOLE = 64
"""Numbers: a multiple of what any processor takes at once."""
_MISH_SQUARE = 0.4523
"""The mean square of Mish of a standard normal number (integrated numerically)."""


@cache
def multipliers(hashes: int) -> tuple[IntArray, IntArray]:
    """Return a and b of each hash; the same everywhere, so they do not ship."""
    draws, each = Draws(0, "deep hash"), np.arange(hashes)
    return 1 + draws.integers(each, 0, PRIME - 1), draws.integers(each, 1, PRIME)


def hashes_of(ids: Ids, hashes: int) -> Array:
    """Return the code of each id, float32 in [-1, 1], shape ``ids.shape + (hashes,)``."""
    a, b = multipliers(hashes)
    middle = (PRIME - 1) // 2
    centred = (np.asarray(ids, np.int64)[..., None] * a + b) % PRIME - middle
    return centred.astype(np.float32) / np.float32(middle)


@dataclass(frozen=True)
class DeepHashTable(RowTable):
    """Vectors e_x = F(h(x)): *hashes* hashes of the id, *layers* hidden layers of *width* units.

    Parameters: ``name_0``, ``name_1``, ..., the weights of each layer, (inputs + 1, outputs) with
    what is added in the last row. They are read whole. A hidden layer is linear, normalised, Mish.

    >>> DeepHashTable(3706, 64).nbytes, DeepHashTable(10_000_000, 64).nbytes
    (143872, 143872)
    """

    hashes: int = 1024
    width: int = 32
    layers: int = 2

    def __post_init__(self) -> None:
        if min(self.dim, self.hashes, self.width, self.layers) < 1 or self.sd < 0:
            raise ValueError(
                f"no vectors of {self.dim} come of {self.hashes} hashes and {self.layers} layers "
                f"of {self.width}"
            )
        if not 0 <= self.n <= PRIME:
            raise ValueError(f"{self.n} ids do not have different codes, {PRIME} have")

    @property
    def _sizes(self) -> list[int]:
        return [self.hashes, *[self.width] * self.layers, self.dim]

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The weights of each layer."""
        sizes = self._sizes
        shapes = [(sizes[k] + 1, sizes[k + 1]) for k in range(len(sizes) - 1)]
        return {f"{self.name}_{k}": Parameter(shape) for k, shape in enumerate(shapes)}

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return nothing: every id reads the whole network."""
        return {}

    def computed(self, ids: Ids) -> Params:
        """Return the codes of *ids*."""
        return {self.name + _CODES: torch.from_numpy(hashes_of(ids, self.hashes))}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return what the network makes of the codes."""
        *hidden, last = self.parameters
        units = parts[self.name + _CODES]
        for name in hidden:
            units = row_products(units, parts[name])
            units = _mish(nn.functional.layer_norm(units, units.shape[-1:]))
        return row_products(units, parts[last])

    def lookup(self, params: Params, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors of *ids*, each computed once; see ``EmbeddingTable.lookup``."""
        return look_up_once(self, params, ids)

    def init(self, draws: Draws) -> Params:
        """Return weights that keep the spread of what they read; vectors have *sd*."""
        made, last = {}, len(self._sizes) - 2
        for k, (name, one) in enumerate(self.parameters.items()):
            inputs = one.shape[0] - 1
            sd = inputs**-0.5 if k < last else self.sd * (inputs * _MISH_SQUARE) ** -0.5
            rows = normal_rows(draws.child(name), np.arange(inputs + 1), one.shape[1], sd)
            rows[-1] = 0
            made[name] = torch.from_numpy(rows)
        return made

    def cost(self, lookups: int | IntArray) -> Cost:
        """Return what running and training the network for so many ids takes.

        Of each id two flops a weight forwards and four backwards, and 12 bytes a unit; of each
        weight once 16 bytes, to copy it and to take the difference.
        """
        count, weights = np.asarray(lookups, np.int64), float_bytes(self) // 4
        units, some = sum(self._sizes), np.minimum(count, 1)
        return Cost(
            lookups * self.flops,
            (12 * units * count + 16 * weights * some)[()],
            (self.nbytes + 4 * weights * some + 4 * units * count)[()],
        )

    @property
    def flops(self) -> int:
        """Of one id, backwards too."""
        return 6 * (float_bytes(self) // 4)

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"dhe1"

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that hashes all ids and runs the network on the codes."""
        a, b = multipliers(self.hashes)
        weights = {
            f"weights{k}": params[name].detach().numpy() for k, name in enumerate(self.parameters)
        }
        small = {"a": a.astype(np.int32), "b": b.astype(np.int32)}
        return f"{__name__}:Scorer", {**small, **weights, "n": np.array([self.n], np.int32)}


def _mish(units: torch.Tensor) -> torch.Tensor:
    """Return Mish (Misra 2019) of *units*, of each the same bits wherever it stands.

    Torch computes what is left over after whole vectors of the processor otherwise.
    """
    flat = units.reshape(-1)
    with one_thread():
        filled = nn.functional.mish(nn.functional.pad(flat, (0, -len(flat) % _WHOLE)))
    return filled[: len(flat)].reshape(units.shape)


class Scorer(nn.Module):
    """Scores every item for one user: codes, network, product; with nothing stored for an item.

    The hash of a sum is the sum of the hashes, so those of ids are put together of those of their
    digits to the base 128: products of 7 and 24 bits are whole numbers of 32 bits, all that a
    ``.tflite`` file multiplies. To the digits a zero is added that depends on the user, as the
    converter would else fold the codes.
    """

    a: torch.Tensor
    b: torch.Tensor

    def __init__(
        self, a: torch.Tensor, b: torch.Tensor, n: torch.Tensor, **weights: torch.Tensor
    ) -> None:
        super().__init__()
        self.register_buffer("a", a)
        self.register_buffer("b", b)
        for k in range(len(weights)):
            matrix = weights[f"weights{k}"]
            self.register_buffer(f"matrix{k}", matrix[:-1].T.contiguous())
            self.register_buffer(f"added{k}", matrix[-1].clone())
        self._n, self._layers = int(n[0]), len(weights)

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        zero = torch.clamp(user[0, :1].abs(), max=0.0).to(torch.int32)
        codes, weight, left = self.b[None], self.a, self._n
        while True:
            digits = torch.arange(min(_DIGITS, left), dtype=torch.int32) + zero
            places = torch.remainder(digits[:, None] * weight, PRIME)
            codes = torch.remainder(places[:, None] + codes[None], PRIME).reshape(-1, len(self.a))
            if left <= _DIGITS:
                break
            weight, left = torch.remainder(weight * _DIGITS, PRIME), -(-self._n // len(codes))
        middle = (PRIME - 1) // 2
        units = (codes - middle).to(torch.float32).reshape(-1, len(self.a))[: self._n] / middle
        for k in range(self._layers):
            units = nn.functional.linear(
                units, self.get_buffer(f"matrix{k}"), self.get_buffer(f"added{k}")
            )
            if k < self._layers - 1:
                units = nn.functional.layer_norm(units, units.shape[-1:])
                units = units * torch.tanh(nn.functional.softplus(units))
        return {"scores": nn.functional.linear(user, units)}


class DeepHashSection(Section):
    """No vectors are stored: a network makes them of hashes of the item's number."""

    hashes: Annotated[int, Field(ge=1, le=4096)] = 1024
    """How many hashes the network reads."""
    width: Size = 32
    """Of a hidden layer."""
    layers: Annotated[int, Field(ge=1, le=16)] = 2
    """How many hidden layers there are."""


def build(
    section: DeepHashSection, n: int, dim: int, *, name: str = "item", sd: float
) -> DeepHashTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants."""
    return DeepHashTable(n, dim, section.hashes, section.width, section.layers, name=name, sd=sd)


METHOD = Method(
    kind="table",
    name="deep-hash",
    section=DeepHashSection,
    build=build,
    source="Kang et al., Learning to Embed Categorical Features without Embedding Tables for "
    "Recommendation, KDD 2021",
    gives=frozenset(),
)
