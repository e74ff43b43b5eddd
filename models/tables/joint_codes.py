"""The joint-codes table: codes and codewords are learned together with the vectors behind them.

Lian, Wang, Liu, Lian, Chen, Xie: LightRec (WWW 2020). A vector is the sum of one codeword of each
codebook; which one says the number row of the id, whose gradient passes straight through the
choice by way of a softmax over the codewords. What ships is what ``codes.py`` ships.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from droidloop.models.interfaces.learning import Parameter, Params
from droidloop.models.numerics.row_products import row_products
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import Positive

from .codes import MOST_WORDS, CodebookTable, CodesSection, worth_shipping
from .coding import Coded
from .float_rows import look_up_once, normal_rows
from .row_table import RowTable


@dataclass(frozen=True)
class JointCodesTable(RowTable):
    """*n* vectors, sums of a codeword of each of *books* codebooks of *words*.

    Parameters: ``name``, the rows that choose, (n, dim), and ``name_words``, (books * words, dim),
    book by book, which every id reads whole. The first book's codeword is the nearest to the row,
    the next one's the nearest to what is left of it, and so on. Of codewords at squared distances
    q the weights in the softmax are exp(-q / (2 heat dim sd^2)).
    """

    books: int
    words: int
    heat: float = 1.0

    def __post_init__(self) -> None:
        if min(self.n, self.dim, self.books) < 1 or self.sd < 0 or self.heat <= 0:
            raise ValueError(f"no {self.n} vectors of {self.dim} numbers have {self.books} books")
        if not 1 <= self.words <= MOST_WORDS:
            raise ValueError(f"a codebook has 1 to {MOST_WORDS} codewords, not {self.words}")

    @property
    def codewords(self) -> str:
        """The name of the codewords."""
        return f"{self.name}_words"

    @property
    def parameters(self) -> dict[str, Parameter]:
        """A row for each id, and the codewords."""
        shape = (self.books * self.words, self.dim)
        return {**super().parameters, self.codewords: Parameter(shape)}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the sums of the chosen codewords; gradients are those of the softmax, too."""
        return self._chosen(parts)[0]

    def lookup(self, params: Params, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors of *ids*, each computed once; see ``EmbeddingTable.lookup``."""
        return look_up_once(self, params, ids)

    def _chosen(self, parts: Params) -> tuple[torch.Tensor, list[torch.Tensor]]:
        left, words = parts[self.name], parts[self.codewords]
        if words.dim() == 3:
            each = [
                self._chosen({self.name: mine, self.codewords: own})
                for mine, own in zip(left, words, strict=True)
            ]
            by_book = zip(*(codes for _, codes in each), strict=True)
            return torch.stack([one for one, _ in each]), [torch.stack(one) for one in by_book]
        total, chosen = torch.zeros_like(left), list[torch.Tensor]()
        scale = 1 / (self.heat * self.dim * max(self.sd, 1e-9) ** 2)
        for book in words.reshape(self.books, self.words, self.dim):
            lower = -book.square().sum(-1, keepdim=True) / 2
            near = row_products(left, torch.cat([book, lower], dim=1).T)
            weights = torch.softmax(scale * near, dim=-1)
            code = near.detach().argmax(-1)
            hard = torch.nn.functional.embedding(code, book)
            soft = weights @ book if torch.is_grad_enabled() else hard
            word = hard + (soft - soft.detach())
            total, left = total + word, left - hard.detach()
            chosen.append(code)
        return total, chosen

    def init(self, draws: Draws) -> Params:
        """Return fresh rows, and codewords whose sums have *sd*."""
        rows = np.arange(self.books * self.words)
        spread = self.sd / np.sqrt(self.books)
        words = normal_rows(draws.child(self.codewords), rows, self.dim, spread)
        every = normal_rows(draws.child(self.name), np.arange(self.n), self.dim, self.sd)
        return {self.name: torch.from_numpy(every), self.codewords: torch.from_numpy(words)}

    def started(self, coded: Coded, vectors: Array) -> Params:
        """Return parameters that begin at *coded*, which were found for *vectors* (n, dim)."""
        return {
            self.name: torch.from_numpy(np.array(vectors, np.float32)),
            self.codewords: torch.from_numpy(coded.words.reshape(-1, self.dim).copy()),
        }

    @property
    def flops(self) -> int:
        """Of a vector: products with all codewords, forward and back."""
        return 6 * self.books * self.words * self.dim

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"jcd1"

    def coded(self, params: Params) -> tuple[CodebookTable, Params]:
        """Return the table that ships, and its parameters."""
        still = {name: value.detach() for name, value in params.items()}
        with torch.no_grad():
            codes: IntArray = torch.stack(self._chosen(still)[1], dim=1).numpy()
        words = still[self.codewords].numpy().reshape(self.books, self.words, self.dim)
        return CodebookTable.of(Coded(codes, words), name=self.name, sd=self.sd)

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the scorer of the table that ships."""
        table, coded = self.coded(params)
        return table.scorer(coded)


class JointCodesSection(CodesSection):
    """Vectors that ship as codes over codebooks which are trained together with them."""

    heat: Annotated[Positive, Field(ge=1e-3, le=1e3)] = 1.0
    """How soft the choice of a codeword is for gradients."""


def build(
    section: JointCodesSection, n: int, dim: int, *, name: str = "item", sd: float
) -> JointCodesTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants.

    Raises:
        ScenarioError: codebooks and codes take no fewer bytes than the vectors.
    """
    books, words = section.books, section.words
    worth_shipping(n, dim, books, words)
    return JointCodesTable(n, dim, books, words, section.heat, name=name, sd=sd)


METHOD = Method(
    kind="table",
    name="joint-codes",
    section=JointCodesSection,
    build=build,
    source="Lian et al., LightRec: A Memory and Search-Efficient Recommender System, WWW 2020",
    gives=frozenset(),
)
