"""FCF: each phone solves for its user vector and sends its part of the items' gradient.

Ammad-ud-din et al., Federated Collaborative Filtering for Privacy-Preserving Personalized
Recommendation System (2019), on the loss of Hu, Koren and Volinsky, Collaborative Filtering for
Implicit Feedback Datasets (ICDM 2008):

    J = sum over all (u, i) of c_ui (r_ui - p_u . q_i)^2 + l2 (sum |p_u|^2 + sum |q_i|^2)

r_ui is 1 where the user had the item and 0 elsewhere, c_ui = 1 + alpha times the rating. The
server rule is ``adaptive.adam`` with the same ``l2``.
"""

from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems, each_once
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.client_checks import check_local, received
from droidloop.models.interfaces.learning import (
    Cohort,
    Cost,
    EmbeddingTable,
    Params,
    check_private,
)
from droidloop.models.learning.learning import FederatedLearning
from droidloop.models.learning.shared_model import shared_learning
from droidloop.models.numerics.normal_equations import gram, solve_row
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.float_rows import every_vector, own_rows
from droidloop.platform.arrays import Array, Float32Array, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.law import kernel
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import NotNegative, Positive, Section
from droidloop.platform.workers import for_chunks

from .adaptive import adam


@dataclass(frozen=True)
class FCF:
    """Client rule of federated collaborative filtering; nothing in it is random.

    Attributes:
        recommender: MF on any table; gives names and scores, its loss is not used. What the
            gradient of an item's vector means for the rows that it is made of, the table says;
            the server's ``l2`` falls on these rows.
        alpha: how much an event of rating 1 adds to the confidence of its item.
        l2: weight of the regulariser; above 0.
        threads: None: one a processor. The result does not depend on it.
    """

    recommender: MF
    alpha: float = 10.0
    l2: float = 1.0
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.alpha < 0 or self.l2 <= 0:
            raise ValueError(f"alpha {self.alpha} must not be negative, l2 {self.l2} above 0")

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Solve for ``user``, given the received table; return the gradient of all its rows.

        The vector minimises the user's part of J; one of a user without items is 0, and so is the
        gradient. A phone on which the solution is not a number keeps its old vector; its upload
        shows what happened, and server rules refuse it.

        Raises:
            ValueError: the inbox is not one table, *data* not one row a phone, or items are
                unknown.
        """
        items, n, dim = self.recommender.items, self.recommender.n_items, self.recommender.dim
        wanted = {name: one.shape for name, one in items.parameters.items()}
        shared, base = received(cohort, inbox, wanted)
        check_local(cohort, data, n)
        params = {name: torch.from_numpy(values) for name, values in shared.items()}
        table, m = every_vector(items, params), len(cohort)
        user, gradient = np.empty((m, dim), np.float32), np.empty((m * n, dim), np.float32)
        squares, once = np.empty((dim, dim)), each_once(data)
        gram(table, squares)
        extra = self.alpha * once.ratings

        def work(low: int, high: int) -> None:
            mine = once.items, once.offsets, extra
            _solve_all(low, high, *mine, table, squares, self.l2, user, gradient)

        for_chunks(work, m, self.threads)
        finite = np.isfinite(user).all(axis=1)
        cohort.private["user"][finite] = user[finite]
        arrays = {items.name: gradient} if own_rows(items) else _chained(items, params, gradient)
        messages = Messages(
            kind="gradient",
            sender=cohort.phones,
            receiver=np.full(m, SERVER, np.int64),
            arrays=arrays,
            weight=data.counts.astype(np.float64),
            base=base,
            offsets={name: np.arange(m + 1) * wanted[name][0] for name in arrays},
        )
        return check_private(messages, self.recommender)

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what the step takes on each phone.

        2 flops for each pair of numbers of a row, of every item (in the product of the table with
        itself) and of each local item again; a third of the cube for Cholesky's factors and 2
        squares to solve; 3 dim + 3 for an item's gradient, and what its vector takes. Vectors are
        read twice and the gradient, as large as the table, written once. In memory at once: both
        and two matrices of float64.
        """
        n, dim, items = self.recommender.n_items, self.recommender.dim, self.recommender.items
        solve = n * dim * (dim + 1) + dim**3 // 3 + 2 * dim**2 + n * (3 * dim + 3)
        solve += int(items.cost(n).flops)
        every = np.ones(len(cohort), np.int64)
        return Cost(
            flops=solve + data.counts * dim * (dim + 1),
            moved_bytes=8 * n * dim + items.nbytes + 4 * dim * data.counts,
            ram_bytes=(2 * items.nbytes + 16 * dim**2) * every,
        )


def _chained(
    items: EmbeddingTable, params: Params, gradient: Float32Array
) -> dict[str, Float32Array]:
    """Return what *gradient* (phones x n, dim) of all vectors is for the parameters, by name.

    Shapes (phones x rows, ...): a row's is the sum over the vectors that are made of it.
    """
    leaves = {name: value.requires_grad_(True) for name, value in params.items()}
    vectors = items.lookup(leaves, torch.arange(items.n))
    moved = [name for name, one in items.parameters.items() if one.trained]
    phones = torch.from_numpy(gradient.reshape(-1, items.n, items.dim))
    out = {name: np.empty((len(phones), *params[name].shape), np.float32) for name in moved}
    for k, mine in enumerate(phones):
        slopes = torch.autograd.grad(
            vectors, [leaves[name] for name in moved], mine, retain_graph=True
        )
        for name, slope in zip(moved, slopes, strict=True):
            out[name][k] = slope.numpy()
    return {name: values.reshape(-1, *values.shape[2:]) for name, values in out.items()}


@kernel
def _solve_all(
    low: int,
    high: int,
    items: IntArray,
    offsets: IntArray,
    extra: FloatArray,
    table: Float32Array,
    squares: FloatArray,
    l2: float,
    user: Float32Array,
    gradient: Array,
) -> None:
    n, dim = table.shape
    matrix, vector = np.empty((dim, dim)), np.empty(dim)
    for client in range(low, high):
        first, last = offsets[client], offsets[client + 1]
        mine, weights = items[first:last], extra[first:last]
        solve_row(mine, weights, table, squares, l2, matrix, vector)
        t = 0
        for i in range(n):
            had = t < mine.size and mine[t] == i
            confidence = 1.0 + weights[t] if had else 1.0
            error = 1.0 if had else 0.0
            t += had
            for a in range(dim):
                error -= vector[a] * table[i, a]
            for a in range(dim):
                gradient[client * n + i, a] = -2.0 * confidence * error * vector[a]
        for a in range(dim):
            user[client, a] = vector[a]


class FCFSection(Section):
    """Phones solve for their users' vectors; the server takes Adam's steps on summed gradients."""

    alpha: NotNegative = 10.0
    """How much more an item counts that a user had."""
    l2: Positive = 1.0
    """The weight of the squares of all vectors."""
    server_step: Positive = 0.05
    """Of Adam."""


def build(section: FCFSection, recommender: MF, task: TaskData) -> FederatedLearning:
    """Return FCF as *section* wants it.

    Raises:
        ScenarioError: the model's loss is one of pairs, which has no closed form.
    """
    if recommender.loss_name != "log":
        raise ScenarioError(
            f"model.loss = {recommender.loss_name!r}: the rule 'fcf' has a loss of its own, "
            "confidence-weighted squares; leave model.loss out"
        )
    first = task.draws.child("init")
    params = recommender.init(first)
    server = adam(params, section.server_step, l2=section.l2, staleness=task.staleness)
    return shared_learning(recommender, task, FCF(recommender, section.alpha, section.l2), server)


METHOD = Method(
    kind="rule",
    name="fcf",
    section=FCFSection,
    build=build,
    source="Ammad-ud-din et al.: Federated Collaborative Filtering (2019)",
    gives=frozenset({"server", "sums", "ships"}),
    needs={
        "recommender": frozenset({"mf"}),
        "protocol": frozenset({"server"}),
    },
)
