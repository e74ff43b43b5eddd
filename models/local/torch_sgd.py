"""Local SGD of any recommender with torch, one phone at a time: what ``kernels.py`` is held to."""

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Batch, Params, Recommender
from droidloop.platform.arrays import Array, Int32Array, IntArray
from droidloop.platform.draws import Draws

from .mf_sgd import Sgd, order_of


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
    group = sgd.group(negatives.shape[1])
    for epoch in order:
        for start in range(0, len(epoch), group):
            part = epoch[start : start + group]
            batch = Batch(
                users=torch.zeros(len(part), dtype=torch.int64),
                items=torch.from_numpy(items[part]),
                labels=torch.from_numpy(labels[part].astype(np.float32)),
                negatives=torch.from_numpy(negatives[part].astype(np.int64)),
            )
            _descend(recommender, params, batch, sgd)
    return params


def train_cohort_in_torch(
    recommender: Recommender,
    shared: Params,
    private: dict[str, Array],
    data: UserItems,
    negatives: Int32Array,
    ids: Int32Array,
    offsets: IntArray,
    *,
    phones: IntArray,
    sgd: Sgd,
    draws: Draws,
    counter: int,
) -> dict[str, Array]:
    """Train each phone on a copy of *shared*; return the changes by name.

    Of a table, which has one row for each item, those of the rows *ids*: (len(ids), ...); of
    everything else those of the whole: (phones, ...). *private* (phones first) is trained in
    place. Like the compiled kernels, for any recommender.
    """
    tables = recommender.tables.keys()
    change = {
        name: np.empty(
            (len(ids), *value.shape[1:]) if name in tables else (len(phones), *value.shape),
            np.float32,
        )
        for name, value in shared.items()
    }
    for k in range(len(phones)):
        mine = slice(int(data.offsets[k]), int(data.offsets[k + 1]))
        rows = slice(int(offsets[k]), int(offsets[k + 1]))
        own = {name: torch.from_numpy(column[k : k + 1]) for name, column in private.items()}
        order = order_of(draws, int(phones[k]), counter, mine.stop - mine.start, sgd.epochs)
        trained = train_phone(
            recommender,
            shared | own,
            data.items[mine],
            data.ratings[mine],
            negatives[mine],
            order,
            sgd,
        )
        touched = torch.from_numpy(ids[rows].astype(np.int64))
        for name, old in shared.items():
            moved = trained[name] - old
            change[name][rows if name in tables else k] = (
                moved[touched] if name in tables else moved
            ).numpy()
        for name, column in private.items():
            column[k] = trained[name][0].numpy()
    return change


def _descend(recommender: Recommender, params: Params, batch: Batch, sgd: Sgd) -> None:
    for value in params.values():
        value.requires_grad_(True)
    loss = recommender.loss(params, batch).sum()
    slopes = torch.autograd.grad(loss, list(params.values()), allow_unused=True)
    with torch.no_grad():
        for name, slope in zip(list(params), slopes, strict=True):
            lr = sgd.lr_rows
            if name in recommender.private:
                lr = sgd.lr_user
            elif name not in recommender.tables and sgd.lr_dense is not None:
                lr = sgd.lr_dense
            value = params[name].detach()
            params[name] = value if slope is None else value - lr * slope
