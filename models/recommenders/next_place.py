"""NextPlace: attention over a user's recent visits, with place, kind of place, hour and distance.

The same function as ``place_kernels.py``, written in torch for any number of users, for central
training and as what the kernels are held to.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from pydantic import PositiveInt

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import Places, by_hours
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Batch, Context, Cost, EmbeddingTable, Params
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.law import kernel
from droidloop.platform.registry import Method
from droidloop.platform.section import Section

from .place_features import first_network, gap_of, hour_of, near_of, sizes, turn_of, visits_of


@dataclass(frozen=True)
class Practice:
    """How a phone trains in one turn: plain SGD, one visit at a time, oldest first.

    A visit is predicted from those before it, against places drawn at random: half of them from
    the places that the phone holds, half from its own visits. Cross entropy. A first visit may be
    predicted against held places alone that were not visited before, as in a list of new places:
    then what tells a return from a first visit no longer hides what tells places apart.

    Attributes:
        step: of place rows and of what is private.
        step_network: of the weights that all places share.
        examples: visits in a turn, drawn anew; all, where a phone has fewer.
        negatives: places drawn against each.
        length: visits before it that the model reads.
        unvisited: whether first visits are told from unvisited places alone.
    """

    step: float = 0.05
    step_network: float = 0.02
    examples: int = 64
    negatives: int = 15
    length: int = 32
    unvisited: bool = False

    def __post_init__(self) -> None:
        if min(self.examples, self.negatives, self.length) < 1:
            raise ValueError("a turn has at least one example, one negative and one visit to read")

    @property
    def steps(self) -> Float32Array:
        """The two steps as the kernels read them."""
        return np.array([self.step, self.step_network], np.float32)


@dataclass(frozen=True, eq=False)
class NextPlace:
    """Scores of places for users who were somewhere before, and ask at some hour.

    Without a context (no history) a place scores by its bias and the product of its vector with
    the private vector of the user. Parameters: ``place`` and ``bias`` by place, and those of
    ``place_features.sizes``.

    Attributes:
        places: each with a category.
        dim: the length of a vector.
        private: names that never leave a phone.
    """

    places: Places
    dim: int
    tables: dict[str, EmbeddingTable] = field(init=False, repr=False)
    private: frozenset[str] = frozenset({"user"})

    def __post_init__(self) -> None:
        if (self.places.category < 0).any():
            raise ValueError("the model needs the category of every place; see places.by_hours")
        table = DenseTable(len(self.places), self.dim, name="place", sd=0.3 / np.sqrt(self.dim))
        object.__setattr__(self, "tables", {"place": table})

    def init(self, draws: Draws) -> Params:
        """Return fresh shared parameters."""
        rows = np.arange(self.places.categories)
        vectors = normal_rows(draws.child("category"), rows, self.dim, 0.1)
        network = first_network(self.dim, self.places.categories, vectors)
        bias = torch.zeros(len(self.places))
        return self.tables["place"].init(draws) | {"bias": bias} | self.named(network)

    def init_private(self, draws: Draws, users: IntArray) -> Params:
        """Return fresh vectors of *users*, shape (len(users), dim)."""
        rows = normal_rows(draws.child("user"), np.asarray(users, np.int64), self.dim, 0.05)
        return {"user": torch.from_numpy(rows)}

    def named(self, network: Float32Array) -> Params:
        """Return the parts of a phone's *network* vector by name."""
        parts, start = {}, 0
        for name, shape in sizes(self.dim, self.places.categories).items():
            size = int(np.prod(shape))
            parts[name] = torch.from_numpy(network[start : start + size].reshape(shape).copy())
            start += size
        return parts

    def score(
        self,
        params: Params,
        users: torch.Tensor,
        items: torch.Tensor,
        context: Context | None = None,
    ) -> torch.Tensor:
        """Return scores; *users* and *items* broadcast.

        With a *context* (see ``context_of``) the first axis of *items* (users, width) is that of
        the context, and every user has a history.
        """
        user = torch.nn.functional.embedding(users, params["user"])
        place = self._places(params, items)
        if context is None or context.history is None:
            return (user * place).sum(-1) + params["bias"][items]
        seen, attention = self._attend(params, context)
        mean = (attention[:, :, None] * seen).sum(1)
        answer = (params["value"] * mean[:, None, :]).sum(-1)[:, None] + user
        there = context.history[:, None, :] == items[:, :, None]
        copied = (attention[:, None, :] * there).sum(-1)
        near = _nears(self.places.plane_km(), context.history[:, -1].numpy(), items.numpy())
        visits = torch.gather(context.features["visits"], 1, items)
        return (
            (answer * place).sum(-1)
            + params["bias"][items]
            + params["near"][torch.from_numpy(near)]
            + params["visits"][visits]
            + params["copy"] * copied
        )

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the cross entropy of each item among itself and its negatives, (batch,)."""
        ids = batch.items[:, None]
        if batch.negatives is not None:
            ids = torch.cat([ids, batch.negatives], dim=1)
        scores = self.score(params, batch.users[:, None], ids.clamp(min=0), batch.context)
        scores = torch.where(ids >= 0, scores, torch.full_like(scores, -torch.inf))
        return torch.logsumexp(scores, dim=1) - scores[:, 0]

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward over *examples* take, as in a phone's turn."""
        one = turn_cost(Practice(), self.dim, np.asarray(examples, np.int64))
        table = 4 * len(self.places) * (self.dim + 1)
        return Cost(one.flops, one.moved_bytes, one.ram_bytes + table)

    def context_of(self, history: UserItems, now_s: IntArray, length: int) -> Context:
        """Return what is known of users with *history*, one visit at least, at *now_s*.

        Features: ``hour`` (users,), ``gap`` and ``turn`` (users, length), ``visits`` (users,
        places), all of them buckets.
        """
        n = history.n_users
        items = np.full((n, length), -1, np.int64)
        gap, turn = np.zeros((n, length), np.int64), np.zeros((n, length), np.int64)
        visits = np.zeros((n, len(self.places)), np.int64)
        _look_back(history.items, history.times_s, history.offsets, now_s, items, gap, turn, visits)
        features = {"gap": gap, "turn": turn, "visits": visits, "hour": now_s // 3600 % 24}
        named = {name: torch.from_numpy(values) for name, values in features.items()}
        return Context(torch.from_numpy(items), named)

    def _places(self, params: Params, items: torch.Tensor) -> torch.Tensor:
        kind = torch.from_numpy(self.places.category)[items]
        return self.tables["place"].lookup(params, items) + params["category"][kind]

    def _attend(self, params: Params, context: Context) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the visits' vectors (users, length, dim) and the attention to each."""
        assert context.history is not None
        there, features = context.history >= 0, context.features
        seen = self._places(params, context.history.clamp(min=0))
        last = seen[:, -1]
        query = params["hour"][features["hour"]] + (params["query"] * last[:, None]).sum(-1)
        logits = (query[:, None] * seen).sum(-1) / np.sqrt(self.dim)
        logits = logits + params["gap"][features["gap"]] + params["turn"][features["turn"]]
        logits = torch.where(there, logits, torch.full_like(logits, -torch.inf))
        return seen, torch.softmax(logits, dim=1)


def turn_cost(practice: Practice, dim: int, examples: IntArray) -> Cost:
    """Return what a turn over *examples* visits takes.

    Of each example, forward: 5 dim flops a visit read (attention and mean), 4 dim^2 for query and
    value, 4 dim and the search of the history a candidate; backward takes twice as much. Rows of
    visits and candidates and both matrices are read twice and written once. In memory: two copies
    of the visits and one of the candidates.
    """
    reads, candidates = practice.length, practice.negatives + 1
    forward = 5 * dim * reads + 4 * dim * dim + candidates * (4 * dim + reads)
    touched = 4 * ((reads + candidates) * dim + 2 * dim * dim)
    return Cost(
        flops=3 * forward * examples,
        moved_bytes=3 * touched * examples,
        ram_bytes=4 * dim * (2 * reads + candidates) + 16 * examples,
    )


@kernel
def _nears(at_km: Float32Array, last: IntArray, items: IntArray) -> IntArray:
    out = np.empty(items.shape, np.int64)
    for r in range(items.shape[0]):
        for k in range(items.shape[1]):
            out[r, k] = near_of(at_km, last[r], items[r, k])
    return out


@kernel
def _look_back(
    every: IntArray,
    times_s: IntArray,
    offsets: IntArray,
    now_s: IntArray,
    items: IntArray,
    gap: IntArray,
    turn: IntArray,
    visits: IntArray,
) -> None:
    length = items.shape[1]
    for user in range(offsets.size - 1):
        first, end = offsets[user], offsets[user + 1]
        for e in range(first, end):
            visits[user, every[e]] += 1
        for place in range(visits.shape[1]):
            visits[user, place] = visits_of(visits[user, place])
        for e in range(max(first, end - length), end):
            k = length - (end - e)
            items[user, k] = every[e]
            gap[user, k] = gap_of(now_s[user] - times_s[e])
            turn[user, k] = turn_of(hour_of(now_s[user]), hour_of(times_s[e]))


class NextPlaceSection(Section):
    """An attentive model of the next place, from the visits before; for data with places."""

    dim: PositiveInt = 32
    """The length of a vector."""
    categories: PositiveInt = 16
    """Kinds of places, made of the hours of visits where the data name none."""


def build(section: NextPlaceSection, task: TaskData) -> NextPlace:
    """Return the model on the places of *task*.

    Raises:
        ScenarioError: the data name no places.
    """
    places = task.places
    if places is None:
        raise ScenarioError(
            "model.kind = 'next-place': the data name no places; set data.places = true "
            "or data.path to a folder of foursquare-nyc"
        )
    if (places.category < 0).any():
        draws = task.draws.child("places").child("categories")
        places = by_hours(places, task.split.train, section.categories, draws)
    return NextPlace(places, section.dim)


METHOD = Method(
    kind="recommender",
    name="next-place",
    section=NextPlaceSection,
    build=build,
    source="ours",
    gives=frozenset({"next-place"}),
)
