"""DIN's attention does not work here, because its gain over a mean is within chance.

On ml-100k (row ``din-ml-100k``), in AUC by user; as a model of a history and feature fields it is
as good as its mean. What a user wants depends on what is asked about: attention over the history.

Zhou et al., Deep Interest Network for Click-Through Rate Prediction (KDD 2018). The user vector is
sum_j a(e_j, e_t) e_j over the history, where a is a small network on [e_j, e_t, e_j * e_t,
e_j - e_t]; the a do not sum to 1 (no softmax). Here the sum is divided by how many items the
history has, which the paper does not do: histories grow from none to ``length``, and vectors that
grow with them train worse. ``pooling = "mean"`` is the baseline: the plain mean, a = 1.
The same function as ``din_kernels.py``, written in torch for any number of users.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from droidloop.models.data.fields import Fields, has_movielens_fields, movielens_fields
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Batch, Context, Cost, EmbeddingTable, Params
from droidloop.models.numerics.losses import log_loss
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, Section, Size

Pooling = Literal["attention", "mean"]


@dataclass(frozen=True, eq=False)
class DIN:
    """Scores (logits) of items for users with a history and feature fields.

    The network reads the user vector v, the item vector e (the id's and the mean of its flags'),
    v * e, and the user's fields: the mean of the private ``user`` and of each field's vector; 0 if
    there are none.
    Without a context there is no history, and v is 0. Parameters: ``item``; ``flag`` (flags, dim);
    ``field_NAME`` (size, dim); ``key``, ``ask``, ``both`` (dim, width), the first layer of the
    attention on e_j, e_t and e_j * e_t (what the layer makes of e_j - e_t is within the first
    two), ``attend_bias``, ``attend`` (width,), ``attend_out`` (1,); ``hidden`` (4 dim, hidden),
    ``hidden_bias``, ``out`` (hidden,), ``out_bias`` (1,).

    Attributes:
        n_items: how many items there are.
        fields: features of users and items.
        dim: the length of all vectors.
        width: of the attention's hidden layer.
        hidden: of the network's hidden layer.
        length: the longest history.
        pooling: ``attention`` or ``mean``; attention begins near 1 for all.
        personal: whether each user has a private vector; the paper's users have none.
    """

    n_items: int
    fields: Fields = field(default_factory=Fields)
    dim: int = 16
    width: int = 16
    hidden: int = 32
    length: int = 30
    pooling: Pooling = "attention"
    tables: dict[str, EmbeddingTable] = field(init=False, repr=False)
    personal: bool = True
    private: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.pooling not in get_args(Pooling):
            raise ValueError(f"no pooling is called {self.pooling!r}: {get_args(Pooling)}")
        object.__setattr__(self, "tables", {"item": DenseTable(self.n_items, self.dim)})
        object.__setattr__(self, "private", frozenset({"user"} if self.personal else ()))

    def init(self, draws: Draws) -> Params:
        """Return fresh shared parameters."""
        dim, width, hidden = self.dim, self.width, self.hidden
        params = self.tables["item"].init(draws)
        if self.fields.items is not None:
            params["flag"] = _normal(draws, "flag", self.fields.items.shape[1], dim, 0.1)
        for name, size in self.fields.sizes.items():
            params[f"field_{name}"] = _normal(draws, f"field_{name}", size, dim, 0.1)
        for name in ("key", "ask", "both"):
            params[name] = _normal(draws, name, dim, width, 1 / np.sqrt(dim))
        return params | {
            "attend_bias": torch.zeros(width),
            "attend": _normal(draws, "attend", 1, width, 0.1)[0],
            "attend_out": torch.ones(1),
            "hidden": _normal(draws, "hidden", 4 * dim, hidden, 1 / np.sqrt(2 * dim)),
            "hidden_bias": torch.zeros(hidden),
            "out": _normal(draws, "out", 1, hidden, 1 / np.sqrt(hidden))[0],
            "out_bias": torch.zeros(1),
        }

    def init_private(self, draws: Draws, users: IntArray) -> Params:
        """Return fresh vectors of *users*, shape (len(users), dim); nothing if not personal."""
        if not self.personal:
            return {}
        rows = normal_rows(draws.child("user"), np.asarray(users, np.int64), self.dim, 0.1)
        return {"user": torch.from_numpy(rows)}

    def score(
        self,
        params: Params,
        users: torch.Tensor,
        items: torch.Tensor,
        context: Context | None = None,
    ) -> torch.Tensor:
        """Return scores; *users* and *items* broadcast.

        With a *context* its first axis is the first one of both.
        """
        shape = np.broadcast_shapes(tuple(users.shape), tuple(items.shape))
        users, items = users.expand(shape), items.expand(shape)
        item = self.item_vectors(params)[items]
        own = self.own(params, users)
        vector = self.user_vector(params, items, context)
        read = torch.cat([vector, item, vector * item, own], dim=-1)
        hidden = torch.relu(read @ params["hidden"] + params["hidden_bias"])
        return (hidden * params["out"]).sum(-1) + params["out_bias"][0]

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the log loss of each item's label, and of negatives as not liked, (batch,).

        Labels are 1 or 0.
        """
        ids = batch.items[:, None]
        if batch.negatives is not None:
            ids = torch.cat([ids, batch.negatives], dim=1)
        scores = self.score(params, batch.users[:, None], ids.clamp(min=0), batch.context)
        labels = torch.zeros_like(scores)
        labels[:, 0] = batch.labels
        return (log_loss(scores, labels) * (ids >= 0).to(torch.float32)).sum(-1)

    def user_vector(
        self, params: Params, items: torch.Tensor, context: Context | None
    ) -> torch.Tensor:
        """Return what the history says about *items*, shape ``items.shape + (dim,)``."""
        if context is None or context.history is None:
            return torch.zeros(*items.shape, self.dim)
        more = [1] * (items.dim() - 1)
        history = context.history.reshape(len(items), *more, -1)
        there = (history >= 0).to(torch.float32)[..., None]
        table, ids = self.item_vectors(params), history.clamp(min=0)
        seen, count = table[ids] * there, there.sum(-2).clamp(min=1)
        if self.pooling == "mean":
            return (seen.sum(-2) / count).expand(*items.shape, self.dim)
        item = table[items]
        first = (table @ params["key"])[ids] + (table @ params["ask"])[items][..., None, :]
        first = first + (seen * item[..., None, :]) @ params["both"] + params["attend_bias"]
        weight = (torch.relu(first) * params["attend"]).sum(-1) + params["attend_out"][0]
        return (weight[..., None] * seen).sum(-2) / count

    def item_vectors(self, params: Params) -> torch.Tensor:
        """Return the vectors of all items with those of their flags, (n_items, dim)."""
        if self.fields.items is None:
            return params["item"]
        flags = torch.from_numpy(self.fields.items)
        share = flags / flags.sum(1, keepdim=True).clamp(min=1)
        return params["item"] + share @ params["flag"]

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward over *examples* take.

        Of each example forward: 2 dim width + 6 width + 2 dim for each of *length* items, and
        8 dim hidden + 2 hidden for the network; backward takes twice as much. Vectors and
        network are read twice and written once. In memory: all parameters, and the vectors of a
        history.
        """
        dim, hidden = self.dim, self.hidden
        read = 2 * dim if self.pooling == "mean" else 2 * dim * self.width + 6 * self.width
        forward = self.length * (read + 2 * dim) + 8 * dim * hidden + 2 * hidden
        vectors = 4 * dim * (self.length + 2)
        network = 4 * (3 * dim * self.width + 4 * dim * hidden)
        return Cost(
            flops=3 * forward * examples,
            moved_bytes=3 * (vectors + network) * examples,
            ram_bytes=4 * dim * self.n_items + network + 2 * vectors + 8 * examples,
        )

    def own(self, params: Params, users: torch.Tensor) -> torch.Tensor:
        """Return the mean of the vectors of all fields of *users*, ``users.shape + (dim,)``."""
        parts = [params["user"][users]] if self.personal else []
        for name, values in self.fields.users.items():
            parts.append(params[f"field_{name}"][torch.from_numpy(values)[users]])
        return torch.stack(parts).mean(0) if parts else torch.zeros(*users.shape, self.dim)


def _normal(draws: Draws, name: str, rows: int, dim: int, sd: float) -> torch.Tensor:
    return torch.from_numpy(normal_rows(draws.child(name), np.arange(rows), dim, float(sd)))


class DINSection(Section):
    """Attention does not work here, because it gains by chance alone: an item beside a history."""

    dim: Size = 32
    """The length of all vectors."""
    hidden: Size = 16
    """The width of the network's layer."""
    history: Count = 20
    """Items before a sample that the model reads."""


def build(section: DINSection, task: TaskData) -> DIN:
    """Return DIN without users' vectors, with the fields of the data of *task*, if they have some.

    Age, gender, occupation and genres are read where MovieLens' ``u.user`` and ``u.item`` lie
    beside the data.
    """
    fields, data = Fields(), task.interactions
    if task.path is not None and has_movielens_fields(Path(task.path)):
        fields = movielens_fields(Path(task.path), data.user_labels, data.item_labels)
    return DIN(
        task.split.n_items,
        fields,
        dim=section.dim,
        hidden=section.hidden,
        length=section.history,
        personal=False,
    )


METHOD = Method(
    kind="recommender",
    name="din",
    section=DINSection,
    build=build,
    source="Zhou et al.: Deep Interest Network (KDD 2018)",
    gives=frozenset({"din"}),
)
