"""Training DIN in one place, on samples in time order, and scoring with it."""

import numpy as np
import torch

from droidloop.models.data.samples import Samples
from droidloop.models.interfaces.learning import Batch, Context, Params, Recommender, init_all
from droidloop.models.metrics.auc import auc
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.recommenders.din import DIN
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DroidloopError


def train_din(
    din: DIN,
    train: Samples,
    valid: Samples,
    draws: Draws,
    *,
    epochs: int = 20,
    lr: float = 0.002,
    batch: int = 1024,
    decay: float = 1e-4,
    patience: int = 2,
) -> Params:
    """Return the parameters of the epoch with the best AUC on *valid*, private rows by user.

    Adam (Kingma and Ba 2015) on the mean log loss with weight decay; stops after *patience* epochs
    without a better one. The same *draws* give the same bits.

    Raises:
        DroidloopError: the loss became NaN or infinite.
    """
    first = init_all(din, draws, len(train.offsets) - 1)
    values = {name: value.clone().requires_grad_() for name, value in first.items()}
    descent = torch.optim.Adam(list(values.values()), lr=lr, weight_decay=decay)
    best, best_auc, waited = first, -1.0, 0
    for epoch in range(epochs):
        order = np.argsort(draws.child("order").bits(np.arange(len(train)), epoch), kind="stable")
        with one_thread():
            for start in range(0, len(order), batch):
                descent.zero_grad()
                loss = din.loss(values, batch_of(train, order[start : start + batch])).mean()
                if not torch.isfinite(loss):
                    raise DroidloopError(f"training: the loss is {loss.item()}; lower lr")
                loss.backward()  # type: ignore[no-untyped-call]
                descent.step()
        now = {name: value.detach().clone() for name, value in values.items()}
        reached, waited = auc(valid.labels, scores_of(din, now, valid)), waited + 1
        if reached > best_auc:
            best, best_auc, waited = now, reached, 0
        elif waited >= patience:
            break
    return best


def batch_of(samples: Samples, rows: IntArray) -> Batch:
    """Return the samples of *rows* as a batch with their histories."""
    return Batch(
        torch.from_numpy(samples.users[rows]),
        torch.from_numpy(samples.items[rows].astype(np.int64)),
        torch.from_numpy(samples.labels[rows]),
        context=Context(torch.from_numpy(samples.history[rows].astype(np.int64))),
    )


def scores_of(
    model: Recommender, params: Params, samples: Samples, batch: int = 4096
) -> Float32Array:
    """Return the score of each of *samples*, (n,)."""
    parts = [np.empty(0, np.float32)]
    with torch.no_grad(), one_thread():
        for start in range(0, len(samples), batch):
            some = batch_of(samples, np.arange(start, min(start + batch, len(samples))))
            parts.append(model.score(params, some.users, some.items, some.context).numpy())
    return np.concatenate(parts)
