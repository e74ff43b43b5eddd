"""AMTL: how long the vectors of frequent and of rare ids are, learned beside a trained model.

See ``tables/adaptive_length.py``. The layer is put on trained tables (warm start) and trained on.
What the paper does not have: a price of the mean length over all ids, which says how much memory
is to be saved. What ships are the first numbers of each vector.
"""

import time
from collections.abc import Mapping

import numpy as np
import torch

from droidloop.models.interfaces.learning import EmbeddingTable, Params, Recommender
from droidloop.models.recommenders.vector_model import on_tables
from droidloop.models.tables.adaptive_length import AdaptiveLengthTable
from droidloop.platform.arrays import FloatArray, IntArray

from .retrain import Fitted, masked_model
from .training import Training


def frequency_of(counts: IntArray) -> FloatArray:
    """Return the weight of the frequency of each id, 0 to 1: its place in the order of counts."""
    order = np.argsort(np.argsort(counts, kind="stable"), kind="stable")
    return order / max(1, len(counts) - 1)


def warm(
    model: Recommender, trained: Params, counts: Mapping[str, IntArray], training: Training
) -> tuple[Recommender, Params]:
    """Return *model* with the layer on the tables that *counts* name; it scores as before."""
    tables: dict[str, EmbeddingTable] = {}
    params = dict(trained)
    for name, often in counts.items():
        before = model.tables[name]
        table = AdaptiveLengthTable(before.n, before.dim, frequency_of(often), name=name)
        tables[name] = table
        params |= table.init(training.draws) | {name: trained[name]}
    return on_tables(model, tables), params


def amtl(
    model: Recommender,
    trained: Params,
    counts: Mapping[str, IntArray],
    training: Training,
    price: float,
) -> tuple[Fitted, dict[str, IntArray]]:
    """Return *model* on vectors of learned lengths, and those lengths by table.

    Args:
        model: on dense tables, of which *trained* are the trained parameters.
        trained: see *model*.
        counts: how often each id of a table was trained on, by the names of the tables.
        training: of layer and vectors together.
        price: of the share of all numbers that count, in units of the loss.
    """
    started = time.process_time()
    layered, params = warm(model, trained, counts, training)
    tables = [one for one in layered.tables.values() if isinstance(one, AdaptiveLengthTable)]
    whole = sum(one.n * one.dim for one in tables)

    def penalty(values: Params) -> torch.Tensor:
        count = torch.stack([one.n * one.expected(values) for one in tables]).sum()
        return price * count / whole

    params = training.train(layered, params, penalty=penalty)
    lengths = {one.name: one.lengths(params) for one in tables}
    masks = {
        name: np.arange(model.tables[name].dim) < mine[:, None] for name, mine in lengths.items()
    }
    made, kept = masked_model(layered, params, masks)
    return Fitted(made, kept, time.process_time() - started), lengths
