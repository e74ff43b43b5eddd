"""AutoDim and AutoEmb: how wide vectors are, by weights of candidates that validation trains.

Zhao, Liu, Liu, Tang, Guo, Shi, Wang, Gao, Long: AutoDim, Field-aware Embedding Dimension Search in
Recommender Systems (WWW 2021): a width for each field. Zhao, Liu, Fan, Liu, Tang, Wang: AutoEmb,
Automated Embedding Dimensionality Search in Streaming Recommendations (ICDM 2021): a width for each
id, by how popular it is. What the papers do not have is a price of numbers, without which nothing
asks for less memory; with 0 there is none. AutoEmb is fitted to all data at once, not to a stream.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.interfaces.learning import Params, Recommender
from droidloop.models.recommenders.vector_model import on_tables
from droidloop.models.tables.candidates import CandidatesTable
from droidloop.platform.arrays import FloatArray, IntArray

from .retrain import Fitted
from .sized import train_sized
from .torch_descent import Feed
from .training import Judge, Training
from .two_level import Upper, two_level


@dataclass(frozen=True)
class Hunt:
    """How sizes are searched.

    Attributes:
        training: of all that does not choose.
        valid: batches of validation.
        widths: of the candidates.
        lr: of what chooses.
        every: steps of training for one of what chooses.
        price: of the share of all numbers that is expected to be there, in units of the loss.
        temperature: of the softmax of the candidates.
        sd: of fresh vectors.
    """

    training: Training
    valid: Feed
    widths: tuple[int, ...]
    lr: float = 0.01
    every: int = 1
    price: float = 0.0
    temperature: float = 1.0
    sd: float = 0.1


@dataclass(frozen=True)
class Sizes:
    """What was found: the width of each id by table, and the expected ones before the choice."""

    chosen: dict[str, IntArray]
    expected: dict[str, FloatArray]


def standing(counts: IntArray) -> FloatArray:
    """Return how popular each id is: its place in the order of *counts*, from -1 to 1."""
    order = np.argsort(np.argsort(counts, kind="stable"), kind="stable")
    return 2 * order / max(1, len(counts) - 1) - 1


def find_sizes(
    model: Recommender, params: Params, hunt: Hunt, counts: Mapping[str, IntArray | None]
) -> Sizes:
    """Return widths for the tables that *counts* name, searched together.

    With the counts of its ids a table gets a width for each of them by how popular it is (AutoEmb),
    without (None) one for all (AutoDim).
    """
    tables = {
        name: CandidatesTable(
            *(model.tables[name].n, model.tables[name].dim, hunt.widths),
            None if often is None else standing(often),
            temperature=hunt.temperature,
            name=name,
            sd=hunt.sd,
        )
        for name, often in counts.items()
    }
    values = dict(params)
    for table in tables.values():
        values |= table.init(hunt.training.draws)
    whole = sum(one.n * one.dim for one in tables.values())

    def penalty(now: Params) -> torch.Tensor:
        count = torch.stack([one.n * one.expected(now).mean() for one in tables.values()]).sum()
        return hunt.price * count / whole

    names = frozenset(key for one in tables.values() for key in one.choice)
    upper = Upper(names, hunt.valid, hunt.lr, hunt.every, penalty if hunt.price else None)
    found = two_level(on_tables(model, dict(tables)), values, hunt.training, upper)
    return Sizes(
        {name: one.chosen(found) for name, one in tables.items()},
        {
            name: np.broadcast_to(one.expected(found).numpy(), one.n).astype(np.float64)
            for name, one in tables.items()
        },
    )


def autosized(
    model: Recommender,
    params: Params,
    counts: Mapping[str, IntArray | None],
    hunt: Hunt,
    training: Training,
    judge: Judge,
) -> tuple[Fitted, Sizes]:
    """Return *model* on tables of the widths that were found, trained anew, and those widths.

    See ``find_sizes`` for *counts*: AutoDim without, AutoEmb with them.
    """
    started = time.process_time()
    sizes = find_sizes(model, params, hunt, counts)
    took = time.process_time() - started
    made = train_sized(model, params, sizes.chosen, training, judge, sd=hunt.sd, search_s=took)
    return made, sizes
