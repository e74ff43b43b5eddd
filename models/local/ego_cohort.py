"""Local training of a cohort on ego graphs of their own: compiled, or in torch on any table."""

from dataclasses import dataclass

import numpy as np

from droidloop.models.graphs.ego_graphs import Neighbours, ego_graphs
from droidloop.models.graphs.propagation import Bipartite
from droidloop.models.recommenders.lightgcn import LightGCN
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.float_rows import own_rows
from droidloop.platform.arrays import Array, IntArray

from .cohort import Changes, Engine, rows_touched
from .ego_sgd import train_on_ego_graphs
from .sgd import Examples, Sgd
from .torch_sgd import train_cohort_in_torch


@dataclass(frozen=True)
class EgoTraining:
    """How phones train LightGCN, each on the graph of its user and the user's items.

    Attributes:
        model: the parameters, the loss and the regulariser.
        layers: of LightGCN.
        sgd: steps, epochs and batch.
        degrees: by item, how many users have it; None: each item counts as if the phone alone
            had it.
    """

    model: MF
    layers: int
    sgd: Sgd
    degrees: IntArray | None = None


def train_on_own_graphs(
    training: EgoTraining,
    shared: dict[str, Array],
    private: dict[str, Array],
    examples: Examples,
    engine: Engine = "numba",
    threads: int | None = None,
) -> Changes:
    """Train every phone on copies of *shared*; see ``train_locally``.

    The kernel moves the vectors of a graph's items one by one, so it trains tables in which every
    item has a row of its own. Vectors that share rows, or are made of several, move together:
    torch passes their gradients on to the rows.
    """
    touched = rows_touched(training.model.items, examples, threads)
    if engine == "numba" and own_rows(training.model.items):
        [name] = touched.rows
        rows = touched.rows[name].astype(np.int64), touched.offsets[name]
        return Changes(
            {name: _compiled(training, shared[name], private["user"], examples, rows, threads)},
            touched,
        )
    data, model = examples.data, training.model

    def model_of(k: int) -> LightGCN:
        graph = Bipartite.of(data.take(np.array([k])), model.n_items, training.degrees)
        return LightGCN(
            *(graph, model.dim, training.layers, model.loss_name, model.l2, model.sd),
            table=model.items,
        )

    moves = train_cohort_in_torch(
        *(model_of, shared, private, examples, touched, training.sgd),
    )
    return Changes(moves, touched)


def _compiled(
    training: EgoTraining,
    table: Array,
    user: Array,
    examples: Examples,
    rows: tuple[IntArray, IntArray],
    threads: int | None,
) -> Array:
    """Return the change of *rows*; *user* is trained in place."""
    data, model = examples.data, training.model
    none = Neighbours.none(data.n_users, model.dim)
    ego = ego_graphs(data, none, rows, training.degrees)
    before = table[ego.ids]
    item = before.copy()
    train_on_ego_graphs(
        *(ego, model, training.layers, user, item, examples, training.sgd, threads),
    )
    change: Array = item - before
    return change
