"""Local SGD of any recommender on any table with torch, one phone at a time.

What compiled kernels are held to, and what trains where there is none.
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch

from droidloop.models.interfaces.learning import Batch, Params, Recommender
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.recommenders.vector_model import in_step
from droidloop.platform.arrays import Array, Int32Array, IntArray

from .sgd import Examples, Sgd, Touched, batches, order_of


def train_phone(
    recommender: Recommender,
    params: Params,
    items: IntArray,
    labels: Array,
    negatives: Int32Array,
    order: IntArray,
    sgd: Sgd,
) -> Params:
    """Return *params* after local SGD on the sum of the losses of each batch.

    Args:
        recommender: gives the loss and the names of what is private.
        params: shared parameters and this phone's private ones, user axis of length 1.
        items: local items, (n,); with *labels* (n,) and *negatives* (n, k).
        labels: see *items*.
        negatives: see *items*.
        order: the order of the examples in each epoch, (epochs, n).
        sgd: steps and batch; its number of epochs is that of *order*.
    """
    params = {name: value.clone() for name, value in params.items()}
    rates = _rates(recommender, params, sgd)
    for part in batches(order, sgd.group(negatives.shape[1])):
        batch = Batch(
            users=torch.zeros(len(part), dtype=torch.int64),
            items=torch.from_numpy(items[part]),
            labels=torch.from_numpy(labels[part].astype(np.float32)),
            negatives=torch.from_numpy(negatives[part].astype(np.int64)),
        )
        _descend(recommender, params, batch, rates)
    return params


def train_cohort_in_torch(
    model_of: Callable[[int], Recommender],
    shared: dict[str, Array],
    private: dict[str, Array],
    examples: Examples,
    touched: Touched,
    sgd: Sgd,
) -> dict[str, Array]:
    """Train each phone on a copy of *shared*; return the changes by name.

    Of what is *touched* by row, those rows, one phone after the other; of every other parameter
    that is trained (phones, ...). *private* (phones first) is trained in place. Like the compiled
    kernels, for any recommender: that of phone *k* is ``model_of(k)``.
    """
    data, phones = examples.data, examples.phones
    rows, offsets = touched.rows, touched.offsets
    tensors = {name: torch.from_numpy(array) for name, array in shared.items()}
    fixed = _fixed(model_of(0)) if len(phones) else set()
    change = {
        name: np.empty(
            (len(rows[name]) if name in rows else len(phones), *value.shape[name in rows :]),
            np.float32,
        )
        for name, value in shared.items()
        if name not in fixed
    }
    with one_thread():  # a phone is too small to share
        for k in range(len(phones)):
            mine = slice(int(data.offsets[k]), int(data.offsets[k + 1]))
            own = {name: torch.from_numpy(column[k : k + 1]) for name, column in private.items()}
            order = order_of(
                *(examples.draws, int(phones[k]), examples.counter),
                *(mine.stop - mine.start, sgd.epochs),
            )
            model = in_step(model_of(k), examples.draws, int(phones[k]), examples.counter)
            trained = train_phone(
                *(model, tensors | own, data.items[mine], data.ratings[mine]),
                *(examples.negatives[mine], order, sgd),
            )
            for name, moved in change.items():
                if name in rows:
                    part = slice(int(offsets[name][k]), int(offsets[name][k + 1]))
                    ids = rows[name][part]
                    moved[part] = trained[name].numpy()[ids] - shared[name][ids]
                else:
                    moved[k] = trained[name].numpy() - shared[name]
            for name, column in private.items():
                column[k] = trained[name][0].numpy()
    return change


def _fixed(model: Recommender) -> set[str]:
    """Return the names of shared parameters that no training moves."""
    tables = model.tables.values()
    return {name for table in tables for name, one in table.parameters.items() if not one.trained}


def _descend(
    recommender: Recommender, params: Params, batch: Batch, rates: dict[str, float]
) -> None:
    for name in rates:
        params[name].requires_grad_(True)
    loss = recommender.loss(params, batch).sum()
    slopes = torch.autograd.grad(loss, [params[name] for name in rates], allow_unused=True)
    with torch.no_grad():
        for (name, rate), slope in zip(rates.items(), slopes, strict=True):
            value = params[name].detach()
            params[name] = value if slope is None else value - rate * slope


def _rates(recommender: Recommender, names: Iterable[str], sgd: Sgd) -> dict[str, float]:
    """Return the step of each parameter that is trained."""
    tables = recommender.tables.values()
    by_row = {n for table in tables for n, one in table.parameters.items() if one.by_row}
    fixed = _fixed(recommender)
    return {
        name: sgd.lr_user if name in recommender.private else sgd.rate(name in by_row)
        for name in names
        if name not in fixed
    }
