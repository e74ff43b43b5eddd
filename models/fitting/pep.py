"""PEP: thresholds are learned with the numbers until few are left, which are then trained again.

Liu, Gao, Chen, Jin, Li: Learnable Embedding Sizes for Recommender Systems (ICLR 2021). In the
paper the mask is what the thresholds leave at the end of an epoch; here it is exactly the wanted
share, the numbers farthest above their thresholds in the first epoch that leaves no more.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from droidloop.models.interfaces.learning import Params, Recommender
from droidloop.models.recommenders.vector_model import on_tables
from droidloop.models.tables.soft_threshold import FIRST, Grain, SoftThresholdTable
from droidloop.platform.arrays import BoolArray
from droidloop.platform.errors import DroidloopError

from .retrain import Fitted, largest, masked_model, retrain
from .training import Judge, Training


@dataclass(frozen=True)
class Search:
    """What the thresholds have left.

    Attributes:
        masks: of each table, by its name.
        shares: of all numbers that was left after each epoch.
        before: the pruned net as it stood then, not trained again.
    """

    masks: dict[str, BoolArray]
    shares: list[float]
    before: Fitted


def search(
    model: Recommender,
    params: Params,
    names: Sequence[str],
    share: float,
    training: Training,
    *,
    grain: Grain = "feature-dimension",
    first: float = FIRST,
) -> Search:
    """Return the masks that leave the *share* of all numbers of the tables *names*.

    Args:
        model: on dense tables.
        params: its first values.
        names: of the tables that are pruned, all together.
        share: of their numbers that is to be left.
        training: how thresholds and numbers are trained; its epochs are the most there are.
        grain: what has a threshold of its own.
        first: what thresholds begin at.

    Raises:
        DroidloopError: more than the share was left after the last epoch.
    """
    started = time.process_time()
    tables = {
        name: SoftThresholdTable(one.n, one.dim, grain, first, name=name)
        for name, one in ((name, model.tables[name]) for name in names)
    }
    soft, start = on_tables(model, tables), dict(params)
    for one in tables.values():
        start[one.threshold] = one.init(training.draws)[one.threshold]
    shares: list[float] = []
    for values in training.passes(soft, start):
        margins = {name: one.margins(values).numpy() for name, one in tables.items()}
        every = np.concatenate([one.reshape(-1) for one in margins.values()])
        shares.append(float((every > 0).mean()))
        if shares[-1] <= share:
            break
    else:
        raise DroidloopError(
            f"thresholds left {shares[-1]:.3f} of the numbers after {training.epochs} epochs, more "
            f"than {share}; give more epochs, or begin with larger thresholds than {first}"
        )
    masks = largest(margins, share)
    shrunk = values | {
        name: one.lookup(values, torch.arange(one.n)) for name, one in tables.items()
    }
    before, kept = masked_model(soft, shrunk, masks)
    took = time.process_time() - started
    return Search(masks, shares, Fitted(before, kept, took))


def pep(
    model: Recommender,
    params: Params,
    names: Sequence[str],
    share: float,
    training: Training,
    judge: Judge,
    hunt: Training | None = None,
    **options: Any,
) -> tuple[Fitted, Search]:
    """Return *model* with the *share* of the numbers of *names* left, and how that was found.

    The thresholds are trained as *hunt* says, if it does; *judge* chooses the epoch of the second
    training. *options* are those of ``search``.
    """
    found = search(model, params, names, share, hunt or training, **options)
    again = retrain(*(model, params, found.masks, training, judge), search_s=found.before.search_s)
    return again, found
