"""OptEmbed: which ids have a vector at all, and how many numbers those of each field have.

Lyu, Tang, Guo, Tang, Zhang, Liu: OptEmbed, Learning Optimal Embedding Table for Click-through Rate
Prediction (CIKM 2022). A threshold on the length of a vector, learned with it, prunes whole rows;
every step of training sees the first numbers of each field's vectors, as many as it draws (a
supernet); an evolutionary search then picks those numbers by what the supernet reaches on
validation, and what is left is trained again. What differs: widths are drawn for each step, not
for each sample; the price of rows is a weight on the mean of exp(-threshold), as in the paper.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from droidloop.models.interfaces.learning import EmbeddingTable, Parameter, Params, Recommender
from droidloop.models.numerics.through import straight_through
from droidloop.models.recommenders.vector_model import on_tables
from droidloop.models.tables.float_rows import beside
from droidloop.models.tables.row_table import RowTable
from droidloop.models.tables.sparse_rows import sizes
from droidloop.platform.arrays import BoolArray
from droidloop.platform.draws import Draws

from .evolution import Evolution, Found, Genome, evolve
from .retrain import Fitted, retrain
from .training import Judge, Training

_SHARPNESS = 10.0
"""Of the sigmoid whose slope the step of a threshold is trained by; ours."""


@dataclass(frozen=True)
class NormThresholdTable(RowTable):
    """*n* vectors of *dim* numbers; one whose mean size is not above the threshold is 0.

    Parameters: ``name`` (n, dim), and ``name_least`` (1,), the threshold.

    Attributes:
        width: how many of the first numbers count; the others are 0.
        supernet: whether each step of training draws a width.
    """

    width: int | None = None
    supernet: bool = False
    least: float = field(default=0.0, kw_only=True)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The numbers and the threshold."""
        return {**super().parameters, f"{self.name}_least": Parameter((1,))}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the rows that are long enough, up to the width; zeros for others."""
        rows = parts[self.name]
        above = rows.abs().mean(-1, keepdim=True) - beside(parts[f"{self.name}_least"], rows, 1)
        soft = torch.sigmoid(_SHARPNESS * above / max(self.sd, 1e-6))
        there = straight_through((above > 0).to(rows.dtype), soft)
        if self.width is not None:
            first = torch.arange(self.dim) < self.width
            rows = rows * first.to(rows.dtype)
        return rows * there

    def init(self, draws: Draws) -> Params:
        """Return fresh numbers, and a threshold that prunes none of any size."""
        made = super().init(draws)
        return {**made, f"{self.name}_least": torch.full((1,), self.least)}

    def in_step(self, draws: Draws, row: int, counter: int) -> EmbeddingTable:
        """Return the table of a width that is drawn, 1 to *dim*, if it is a supernet."""
        if not self.supernet:
            return self
        drawn = 1 + int(draws.child(f"width/{self.name}").integers(row, counter, self.dim))
        return replace(self, width=drawn, supernet=False)

    def rows_left(self, params: Params) -> BoolArray:
        """Return which ids have a vector, (n,)."""
        mean = params[self.name].detach().abs().mean(-1)
        return np.asarray((mean > params[f"{self.name}_least"].detach()).numpy())


@dataclass(frozen=True)
class Chosen:
    """What OptEmbed has chosen: rows and widths by table, and how the search went."""

    rows: dict[str, BoolArray]
    widths: dict[str, int]
    found: Found


def optembed(
    model: Recommender,
    first: Params,
    names: Sequence[str],
    hunt: Training,
    training: Training,
    judge: Judge,
    *,
    price: float,
    budget_bytes: int | None = None,
    evolution: Evolution | None = None,
) -> tuple[Fitted, Chosen]:
    """Return *model* on the rows and widths that were found, trained again from *first*.

    Args:
        model: on dense tables.
        first: its first values.
        names: of the tables that are pruned, each a field.
        hunt: how the supernet is trained.
        training: how what is left is trained.
        judge: what makes a figure of merit of a model, for the search and for the best epoch.
        price: of rows, in units of the loss.
        budget_bytes: that all tables of *names* may take, in compressed rows; None: any.
        evolution: how the search goes.
    """
    started = time.process_time()
    tables = {
        name: NormThresholdTable(
            model.tables[name].n, model.tables[name].dim, supernet=True, name=name, sd=0.01
        )
        for name in names
    }
    least = {one: t.init(hunt.draws)[one] for t in tables.values() for one in (f"{t.name}_least",)}

    def penalty(values: Params) -> torch.Tensor:
        return price * torch.stack([torch.exp(-values[one]).mean() for one in least]).sum()

    params = hunt.train(on_tables(model, tables), {**first, **least}, penalty=penalty)
    rows = {name: one.rows_left(params) for name, one in tables.items()}

    def reached(genome: Genome) -> float:
        narrow = {
            name: replace(one, width=width, supernet=False)
            for (name, one), width in zip(tables.items(), genome, strict=True)
        }
        made = on_tables(model, narrow)
        return judge(made)(params)

    def fits(genome: Genome) -> bool:
        return budget_bytes is None or row_bytes(rows, dict(zip(names, genome, strict=True))) <= (
            budget_bytes
        )

    most = [one.dim for one in tables.values()]
    found = evolve(most, reached, hunt.draws.child("evolution"), evolution, fits)
    widths = dict(zip(names, found.best, strict=True))
    masks = {
        name: rows[name][:, None] & (np.arange(tables[name].dim) < widths[name]) for name in names
    }
    took = time.process_time() - started
    made = retrain(model, first, masks, training, judge, search_s=took)
    return made, Chosen(rows, widths, found)


def row_bytes(rows: dict[str, BoolArray], widths: dict[str, int]) -> int:
    """Return the bytes of all tables as compressed rows, their columns and offsets included."""
    total = 0
    for name, there in rows.items():
        dim = max(widths[name], 2)
        total += sizes(len(there), dim, int(there.sum()) * widths[name])["rows"]
    return total
