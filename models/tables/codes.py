"""The codes table: it is trained whole, and ships as codes over codebooks that are learned then.

Lian, Wang, Liu, Lian, Chen, Xie: LightRec (WWW 2020). A vector is the sum of one codeword of each
codebook; an item is the numbers of its codewords. LightRec learns codes and vectors together,
straight through a softmax; here codes are found for the vectors that training has made
(``coding.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError, ScenarioError
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, Section

from .code_bits import code_bytes, collisions, packed_codes, unpacked_codes
from .coding import Coded, learn_codes
from .float_rows import every_vector, float_bytes
from .row_table import RowTable

MOST_WORDS = 256
"""A code is a byte in a ``.tflite`` file."""


SCORER = f"{__name__}:Scorer"
"""The kind of a graph that scores codes."""


def constants_of(coded: Coded) -> dict[str, Array]:
    """Return what ``Scorer`` is made of: codewords one after the other, and codes book by book."""
    words = coded.words.reshape(-1, coded.words.shape[2])
    return {"words": words, "codes": (coded.codes.T - MOST_WORDS // 2).astype(np.int8)}


def coded_of(constants: Mapping[str, Array]) -> Coded:
    """Return the codes and codewords of a ``Scorer``; the inverse of ``constants_of``."""
    codes = constants["codes"].T.astype(np.int64) + MOST_WORDS // 2
    return Coded(codes, constants["words"].reshape(codes.shape[1], -1, constants["words"].shape[1]))


@dataclass(frozen=True)
class CodebookTable(RowTable):
    """What ships: *n* vectors e_x = sum over b of C_b[codes[x, b]], with *words* codewords a book.

    Parameter ``name``: the codewords, (books * words, dim), book by book. Every rule trains them,
    as an id reads one row of each book; its *codes*, (n, books), stay. Its bytes are the codewords
    and, of each code, as many bits as it needs.

    >>> CodebookTable(3706, 64, 32, np.zeros((3706, 8), np.int64)).nbytes
    84066
    """

    words: int
    codes: IntArray = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        shape = np.shape(self.codes)
        if len(shape) != 2 or shape[0] != self.n or not shape[1] or self.dim < 1 or self.sd < 0:
            raise ValueError(f"codes of shape {shape} are not those of {self.n} x {self.dim}")
        if not 1 <= self.words <= MOST_WORDS or self.codes.min(initial=0) < 0:
            raise ValueError(f"a codebook has 1 to {MOST_WORDS} codewords, not {self.words}")
        if self.codes.max(initial=0) >= self.words:
            raise ValueError(f"a code is {self.codes.max()} where there are {self.words} codewords")

    @classmethod
    def of(cls, coded: Coded, *, name: str, sd: float) -> tuple["CodebookTable", Params]:
        """Return the table of *coded* and its parameters."""
        n, (_, words, dim) = len(coded.codes), coded.words.shape
        table = cls(n, dim, words, coded.codes, name=name, sd=sd)
        return table, {name: torch.from_numpy(coded.words.reshape(-1, dim).copy())}

    def coded(self, params: Params) -> Coded:
        """Return codes and codewords; the inverse of ``of``."""
        rows = params[self.name].detach().numpy()
        return Coded(self.codes, rows.reshape(self.books, self.words, self.dim))

    @property
    def books(self) -> int:
        """How many codebooks there are."""
        return int(self.codes.shape[1])

    @property
    def parameters(self) -> dict[str, Parameter]:
        """One row for each codeword."""
        return {self.name: Parameter((self.books * self.words, self.dim), by_row=True)}

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the codeword of each book of each id."""
        rows = self.codes[ids] + self.words * np.arange(self.books)
        return {self.name: np.where(ids[..., None] < 0, -1, rows)}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the sums of the codewords."""
        return parts[self.name].sum(-2)

    @property
    def row_sd(self) -> float:
        """What gives the numbers of a sum the standard deviation *sd*."""
        return self.sd / float(np.sqrt(self.books))

    @property
    def flops(self) -> int:
        """A sum of one codeword of each book; gradients are copies."""
        return self.books * self.dim

    @property
    def collisions(self) -> int:
        """How many ids have the vector of another: codes are learned, and may be equal."""
        return collisions(self.codes)

    @property
    def nbytes(self) -> int:
        """Four bytes a number of the codewords, and the bits of the codes."""
        return float_bytes(self) + code_bytes(self.n * self.books, self.words)

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"cod1"

    def pack(self, params: Params) -> bytes:
        """Return header, codewords and codes."""
        return super().pack(params) + packed_codes(self.codes, self.words)

    def read(self, data: bytes) -> tuple["CodebookTable", Params]:
        """Return the table of this shape that *data* hold, with codes of its own.

        Raises:
            PackageError: *data* are not what ``pack`` returns.
        """
        params = super().unpack(data)
        bits = data[len(data) - self.nbytes + float_bytes(self) :]
        codes = unpacked_codes(bits, self.n * self.books, self.words)
        if codes.max(initial=0) >= self.words:
            raise PackageError(f"table {self.name!r}: a code is too large; pack it again")
        codes = codes.reshape(self.n, self.books)
        same = (self.n, self.dim, self.words, codes)
        return CodebookTable(*same, name=self.name, sd=self.sd), params

    def unpack(self, data: bytes) -> Params:
        """Return the parameters; see ``EmbeddingTable.unpack``."""
        table, params = self.read(data)
        if not np.array_equal(table.codes, self.codes):
            raise PackageError(f"table {self.name!r}: the packed codes are others; pack it again")
        return params

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that looks an item's score up, one number a codebook."""
        return SCORER, constants_of(self.coded(params))


class Scorer(nn.Module):
    """Scores every item for one user: the products with all codewords once, then sums of them.

    A book's codes are picked by its number plus a zero that depends on the user, as the converter
    would else widen them; they are 128 less than they were: it knows no unsigned constants.
    """

    words: torch.Tensor
    codes: torch.Tensor

    def __init__(self, words: torch.Tensor, codes: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("words", words)
        self.register_buffer("codes", codes)

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        books = len(self.codes)
        values = nn.functional.linear(user, self.words).reshape(books, -1)
        zero = torch.clamp(user[0, :1].abs(), max=0.0).to(torch.int32)
        scores = torch.zeros(1)
        for book in range(books):
            codes = torch.index_select(self.codes, 0, zero + book)[0].to(torch.int32)
            picked = nn.functional.embedding(codes + MOST_WORDS // 2, values[book][:, None])
            scores = scores + picked[:, 0]
        return {"scores": scores[None]}


@dataclass(frozen=True)
class CodesTable(RowTable):
    """*n* vectors of *dim* numbers, trained as they are, that ship as codes over *books* codebooks.

    Parameter ``name``, as in a dense table.
    """

    books: int
    words: int

    def __post_init__(self) -> None:
        if self.n < 1 or self.dim < 1 or self.books < 1 or self.sd < 0:
            raise ValueError(f"no {self.n} vectors of {self.dim} numbers have {self.books} books")
        if not 1 <= self.words <= MOST_WORDS:
            raise ValueError(f"a codebook has 1 to {MOST_WORDS} codewords, not {self.words}")

    @property
    def flops(self) -> int:
        """Nothing: a vector is a row while it is trained."""
        return 0

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"cds1"

    def coded(self, params: Params) -> tuple[CodebookTable, Params]:
        """Return the table that ships, and its parameters; the same vectors give the same codes."""
        learned = learn_codes(
            every_vector(self, params), self.books, self.words, Draws(0, "codes of a table")
        )
        return CodebookTable.of(learned, name=self.name, sd=self.sd)

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the scorer of the table that ships."""
        table, coded = self.coded({name: value.detach() for name, value in params.items()})
        return table.scorer(coded)


class CodesSection(Section):
    """Vectors that are trained whole and ship as codes over learned codebooks."""

    books: Count = 8
    """How many codebooks there are: codewords that are added up to a vector."""
    words: Annotated[int, Field(ge=2, le=MOST_WORDS)] = 32
    """How many codewords a codebook has."""


def build(section: CodesSection, n: int, dim: int, *, name: str = "item", sd: float) -> CodesTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants.

    Raises:
        ScenarioError: codebooks and codes take no fewer bytes than the vectors.
    """
    worth_shipping(n, dim, section.books, section.words)
    return CodesTable(n, dim, section.books, section.words, name=name, sd=sd)


def worth_shipping(n: int, dim: int, books: int, words: int) -> None:
    """Raise ScenarioError where codebooks and codes take no fewer bytes than *n* vectors."""
    ships = CodebookTable(n, dim, words, np.zeros((n, books), np.int64)).nbytes
    if ships >= 4 * n * dim:
        raise ScenarioError(
            f"model.table.books = {books}: codebooks of {words} codewords and the "
            f"codes of {n} items take {ships} bytes, their vectors {4 * n * dim}; take fewer"
        )


METHOD = Method(
    kind="table",
    name="codes",
    section=CodesSection,
    build=build,
    source="Lian et al., LightRec: A Memory and Search-Efficient Recommender System, WWW 2020",
    gives=frozenset(),
)
