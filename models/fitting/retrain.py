"""Training again with what a pruner has left: from the first values, or from those it ended with.

Frankle and Carbin, The Lottery Ticket Hypothesis (ICLR 2019): what is left trains best from where
it began. All pruners end here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from droidloop.models.interfaces.learning import Params, Recommender
from droidloop.models.recommenders.vector_model import on_tables
from droidloop.models.tables.masked import MaskedTable, masked_by
from droidloop.platform.arrays import Array, BoolArray

from .training import Judge, Training


@dataclass(frozen=True)
class Fitted:
    """What a fitter has made: a recommender on small tables, and its parameters.

    Attributes:
        model: on the small tables.
        params: all of its parameters, trained.
        search_s: what finding the tables took, in seconds of this processor, retraining left out.
    """

    model: Recommender
    params: Params
    search_s: float = 0.0

    @property
    def nbytes(self) -> int:
        """What all tables together ship, without headers."""
        return sum(table.nbytes for table in self.model.tables.values())


def left(masks: Mapping[str, BoolArray]) -> float:
    """Return the share of all numbers that *masks* keep."""
    return sum(int(one.sum()) for one in masks.values()) / sum(one.size for one in masks.values())


def largest(scores: Mapping[str, Array], share: float) -> dict[str, BoolArray]:
    """Return masks of the *share* of all numbers with the largest *scores*, exactly so many.

    Rounded down, one at least; of equals the first.
    """
    every = np.concatenate([one.reshape(-1) for one in scores.values()])
    kept = np.zeros(every.size, np.bool_)
    order = np.argsort(-every, kind="stable")
    kept[order[: max(1, int(share * every.size + 1e-9))]] = True
    ends = np.cumsum([one.size for one in scores.values()])[:-1]
    return {
        name: part.reshape(one.shape)
        for (name, one), part in zip(scores.items(), np.split(kept, ends), strict=True)
    }


def masked_model(
    model: Recommender, params: Params, masks: Mapping[str, BoolArray]
) -> tuple[Recommender, Params]:
    """Return *model* on masked tables in place of those that *masks* name, and its parameters.

    Of *params* what the masked tables do not have is left out.
    """
    tables: dict[str, MaskedTable] = masked_by(masks)
    made = on_tables(model, tables)
    dropped = {key for name in masks for key in model.tables[name].parameters if key not in masks}
    kept = {key: value for key, value in params.items() if key not in dropped}
    for name, table in tables.items():
        kept |= table.of_values(params[name])
    return made, kept


def retrain(
    model: Recommender,
    first: Params,
    masks: Mapping[str, BoolArray],
    training: Training,
    judge: Judge | None = None,
    *,
    search_s: float = 0.0,
) -> Fitted:
    """Return *model* on masked tables, trained from the values *first*; *judge*: best epoch."""
    made, params = masked_model(model, first, masks)
    validate = None if judge is None else judge(made)
    return Fitted(made, training.train(made, params, validate), search_s)
