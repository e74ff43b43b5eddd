"""SSEDS: one backward pass tells which dimensions of which field the loss would miss.

Qu, Ye, Tang, Zhang, Shi, Yin: Single-shot Embedding Dimension Search in Recommender System (SIGIR
2022). Every dimension of every field is multiplied with a mask of 1; the salience of a dimension
is the size of the slope of the loss by its mask. The share of all dimensions with the largest
saliences is kept, each field gets a linear map to the length of all, and is trained again.
"""

import time
from collections.abc import Sequence

import numpy as np
import torch

from droidloop.models.interfaces.learning import (
    Batch,
    EmbeddingTable,
    Params,
    Recommender,
)
from droidloop.models.recommenders.vector_model import on_tables
from droidloop.models.tables.mixed import MixedTable
from droidloop.models.tables.scaled import ScaledTable
from droidloop.platform.arrays import BoolArray, FloatArray

from .retrain import Fitted
from .training import Judge, Training


def salience(
    model: Recommender, params: Params, names: Sequence[str], batches: Sequence[Batch]
) -> dict[str, FloatArray]:
    """Return |d L / d mask| of every dimension of the tables *names*, (dim,) each.

    L is the mean loss of *batches*, one or more; *params* those of a trained model on dense tables.
    """
    scaled, values = _scaled(model, params, names)
    masks = [values[f"{name}_mask"].requires_grad_(True) for name in names]
    total = [np.zeros(len(one)) for one in masks]
    for batch in batches:
        slopes = torch.autograd.grad(scaled.loss(values, batch).mean(), masks)
        for mine, slope in zip(total, slopes, strict=True):
            mine += slope.numpy() / len(batches)
    return {name: np.abs(mine) for name, mine in zip(names, total, strict=True)}


def removal(
    model: Recommender, params: Params, names: Sequence[str], batches: Sequence[Batch]
) -> dict[str, FloatArray]:
    """Return by how much the mean loss of *batches* grows without each dimension, one at a time."""
    scaled, values = _scaled(model, params, names)

    def loss() -> float:
        with torch.no_grad():
            found = [float(scaled.loss(values, batch).double().mean()) for batch in batches]
        return float(np.mean(found))

    whole, grown = loss(), {}
    for name in names:
        mask = values[f"{name}_mask"]
        grown[name] = np.empty(len(mask))
        for k in range(len(mask)):
            mask[k] = 0.0
            grown[name][k] = loss() - whole
            mask[k] = 1.0
    return grown


def _scaled(model: Recommender, params: Params, names: Sequence[str]) -> tuple[Recommender, Params]:
    tables: dict[str, EmbeddingTable] = {
        name: ScaledTable(model.tables[name].n, model.tables[name].dim, name=name) for name in names
    }
    masks = {f"{name}_mask": torch.ones(tables[name].dim) for name in names}
    return on_tables(model, tables), {**params, **masks}


def kept_dimensions(saliences: dict[str, FloatArray], share: float) -> dict[str, BoolArray]:
    """Return which dimensions each field keeps: *share* of all, rounded down, exactly.

    Of each field its best, so that none is without a vector, then the largest of all.
    """
    every = np.concatenate(list(saliences.values()))
    starts = np.cumsum([0, *(len(one) for one in saliences.values())])
    kept = np.zeros(len(every), np.bool_)
    wanted = max(len(saliences), int(share * len(every) + 1e-9))
    fields = zip(starts, saliences.values(), strict=False)
    best = [start + int(one.argmax()) for start, one in fields]
    kept[best] = True
    rest = [k for k in np.argsort(-every, kind="stable").tolist() if not kept[k]]
    kept[rest[: wanted - len(best)]] = True
    return {
        name: kept[start : start + len(one)]
        for start, (name, one) in zip(starts, saliences.items(), strict=False)
    }


def narrowed(
    model: Recommender, params: Params, kept: dict[str, BoolArray]
) -> tuple[Recommender, Params]:
    """Return *model* on tables of the *kept* dimensions, with maps that put them where they were.

    The vectors are those of *params* with 0 for the dimensions that are gone.
    """
    tables: dict[str, EmbeddingTable] = {}
    values = {key: one for key, one in params.items() if key not in kept}
    for name, there in kept.items():
        table, width = model.tables[name], int(there.sum())
        made = MixedTable(*(table.n, table.dim, (width,), np.zeros(table.n, np.int64)), name=name)
        tables[name] = made
        values[f"{name}_0"] = params[name][:, torch.from_numpy(there)].clone()
        if width < table.dim:
            values[f"{name}_0_map"] = torch.eye(table.dim)[torch.from_numpy(there)]
    return on_tables(model, tables), values


def sseds(
    model: Recommender,
    first: Params,
    trained: Params,
    names: Sequence[str],
    share: float,
    training: Training,
    judge: Judge,
) -> Fitted:
    """Return *model* on the *share* of the dimensions of *names*, trained again from *first*.

    Args:
        model: on dense tables, of which *trained* are the parameters after pretraining.
        first: its first values.
        trained: see *model*.
        names: of the tables that become narrower.
        share: of all their dimensions that is kept.
        training: how it is trained again; the first batch of its feed tells the salience.
        judge: what makes a figure of merit of the model that comes out.
    """
    started = time.process_time()
    batch = next(iter(training.feed(0)))
    kept = kept_dimensions(salience(model, trained, names, [batch]), share)
    took = time.process_time() - started
    made, params = narrowed(model, first, kept)
    return Fitted(made, training.train(made, params, judge(made)), took)
