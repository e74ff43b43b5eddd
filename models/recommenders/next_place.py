"""NextPlace: a place that the user visited, by attention to those visits, or a new one.

The same function as ``place_kernels.py``, written in torch for any number of users, for central
training and as what the kernels are held to.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import Places, by_hours, counted
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Batch, Context, Cost, EmbeddingTable, Params
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.law import kernel
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, Section, Size

from .place_features import first_network, gap_of, hour_of, near_of, sizes, stay_of, turn_of


@dataclass(frozen=True)
class LocalSettings:
    """How a phone trains in one turn: plain SGD, one visit at a time, oldest first.

    A visit is predicted from those before it: a return among them, a first visit against places
    drawn at random of those that the phone holds. Cross entropy.

    Attributes:
        step: of place rows and of the private vector.
        step_network: of the weights that all places share.
        step_visits: of the odds of a return, and of what a visit counts by its age, its hour and
            the place before it.
        examples: visits in a turn, drawn anew; all, where a phone has fewer.
        negatives: places drawn against each first visit.
        length: visits before it that the model reads.
    """

    step: float = 0.05
    step_network: float = 0.02
    step_visits: float = 0.1
    examples: int = 64
    negatives: int = 15
    length: int = 128

    def __post_init__(self) -> None:
        if min(self.examples, self.negatives, self.length) < 1:
            raise ValueError("a turn has at least one example, one negative and one visit to read")

    @property
    def steps(self) -> Float32Array:
        """The three steps as the kernels read them."""
        return np.array([self.step, self.step_network, self.step_visits], np.float32)


@dataclass(frozen=True, eq=False)
class NextPlace:
    """Scores of places for users who were somewhere before, and ask at some hour.

    With a context a score is the logarithm of a probability. Without one (no history) a place
    scores by its bias and the product of its vector with that of the user. Parameters: ``place``
    and ``bias`` by place, those of ``place_features.sizes``, and the private ``user``: a vector
    and, behind it, the log-odds that the next visit is a return.

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
        bias = torch.from_numpy(self.places.popularity())
        return self.tables["place"].init(draws) | {"bias": bias} | self.named(network)

    def init_private(self, draws: Draws, users: IntArray) -> Params:
        """Return fresh vectors of *users* and even odds, shape (len(users), dim + 1)."""
        return {"user": torch.from_numpy(first_users(draws, users, self.dim))}

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
        if context is None or context.history is None:
            place = self._places(params, items)
            return (user[..., :-1] * place).sum(-1) + params["bias"][items]
        share, new = self._shares(params, user.flatten(1), context)
        new = new - torch.logsumexp(new, dim=1, keepdim=True)
        known, unknown = _log_odds(user)
        every = torch.where(_there(share), known + torch.log(share + 1e-30), unknown + new)
        return every.gather(1, items.expand(len(every), -1))

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the cross entropy of each item, (batch,).

        Of a return among the user's visits, of a first visit among its negatives, and of which of
        both it was; without a context among the negatives alone.
        """
        ids = batch.items[:, None]
        if batch.negatives is not None:
            ids = torch.cat([ids, batch.negatives], dim=1)
        users, there, wanted = batch.users[:, None], ids >= 0, batch.items[:, None]
        if batch.context is None or batch.context.history is None:
            return _among(self.score(params, users, ids.clamp(min=0)), there)
        user = params["user"][users]
        share, new = self._shares(params, user.flatten(1), batch.context)
        mine, (known, unknown) = share.gather(1, wanted)[:, 0], _log_odds(user)
        there = there & ~_there(share).gather(1, ids.clamp(min=0))
        there[:, 0] = True
        told = _among(new.nan_to_num(neginf=0.0).gather(1, ids.clamp(min=0)), there)
        back = -known[:, 0] - torch.log(mine + 1e-30)
        return torch.where(_there(mine), back, told - unknown[:, 0])

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward over *examples* take, as in a phone's turn."""
        one = turn_cost(LocalSettings(), self.dim, np.asarray(examples, np.int64))
        table = 4 * len(self.places) * (self.dim + 1)
        return Cost(one.flops, one.moved_bytes, one.ram_bytes + table)

    def context_of(self, history: UserItems, now_s: IntArray, length: int) -> Context:
        """Return what is known of users with *history*, one visit at least, at *now_s*.

        Features: ``hour`` and ``stay`` (users,), ``gap``, ``turn`` and ``after`` (users, length),
        all of them buckets; ``after`` is -1 for the first of the visits that are read.
        """
        n = history.n_users
        items = np.full((n, length), -1, np.int64)
        gap, turn = np.zeros((n, length), np.int64), np.zeros((n, length), np.int64)
        after, stay = np.full((n, length), -1, np.int64), np.empty(n, np.int64)
        _look_back(
            history.items, history.times_s, history.offsets, now_s, self.places.plane_km(),
            items, gap, turn, after, stay,
        )  # fmt: skip
        features: dict[str, IntArray] = {"gap": gap, "turn": turn, "after": after}
        features |= {"hour": now_s // 3600 % 24, "stay": stay}
        named = {name: torch.from_numpy(values) for name, values in features.items()}
        return Context(torch.from_numpy(items), named)

    def _shares(
        self, params: Params, user: torch.Tensor, context: Context
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return every place's share of the visits, and what speaks for it if it has none.

        Both (users, places); -1 and -inf where it is the other of the two.
        """
        assert context.history is not None
        history, items = context.history, torch.arange(len(self.places))
        seen, attention = self._attend(params, context)
        ids = history.clamp(min=0)
        visited = torch.zeros(len(ids), len(items)).scatter_add(1, ids, (history >= 0).float()) > 0
        share = torch.zeros(len(ids), len(items)).scatter_add(1, ids, attention)
        mean = (attention[:, :, None] * seen).sum(1)
        answer = (params["value"] * mean[:, None, :]).sum(-1) + user[:, :-1]
        near = _nears(self.places.plane_km(), history[:, -1].numpy())
        kind, hour = torch.from_numpy(self.places.category), context.features["hour"]
        new = (
            answer @ self._places(params, items).T
            + params["bias"]
            + params["near"][context.features["stay"][:, None], torch.from_numpy(near)]
            + params["clock"][hour][:, kind]
        )
        none = torch.full_like(new, -torch.inf)
        return torch.where(visited, share, -torch.ones_like(share)), torch.where(visited, none, new)

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
        after = features["after"]
        logits = logits + torch.where(after >= 0, params["after"][after.clamp(min=0)], 0.0)
        logits = torch.where(there, logits, torch.full_like(logits, -torch.inf))
        return seen, torch.softmax(logits, dim=1)


def turn_cost(practice: LocalSettings, dim: int, examples: IntArray) -> Cost:
    """Return what a turn over *examples* visits takes.

    Of each example, forward: 5 dim flops a visit read (attention and mean), 4 dim^2 for query and
    value, 4 dim and the search of the history a candidate, as if all were first visits; backward
    takes twice as much. Rows of
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


def first_users(draws: Draws, users: IntArray, dim: int) -> Float32Array:
    """Return the first private values of *users*: a vector and the log-odds 0, (users, dim + 1)."""
    rows = normal_rows(draws.child("user"), np.asarray(users, np.int64), dim, 0.05)
    return np.column_stack([rows, np.zeros(len(rows), np.float32)])


def _there(share: torch.Tensor) -> torch.Tensor:
    return share >= 0


def _log_odds(user: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logarithms of the probabilities that a visit is a return, and that it is new."""
    habit = user[..., -1].reshape(len(user), 1)
    return torch.nn.functional.logsigmoid(habit), torch.nn.functional.logsigmoid(-habit)


def _among(scores: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of the first of *scores* among those that are *there*."""
    scores = torch.where(there, scores, torch.full_like(scores, -torch.inf))
    return torch.logsumexp(scores, dim=1) - scores[:, 0]


@kernel
def _nears(at_km: Float32Array, last: IntArray) -> IntArray:
    out = np.empty((last.size, at_km.shape[0]), np.int64)
    for r in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[r, k] = near_of(at_km, last[r], k)
    return out


@kernel
def _look_back(
    every: IntArray,
    times_s: IntArray,
    offsets: IntArray,
    now_s: IntArray,
    at_km: Float32Array,
    items: IntArray,
    gap: IntArray,
    turn: IntArray,
    after: IntArray,
    stay: IntArray,
) -> None:
    length = items.shape[1]
    for user in range(offsets.size - 1):
        first, end = offsets[user], offsets[user + 1]
        stay[user] = stay_of(now_s[user] - times_s[end - 1])
        for e in range(max(first, end - length), end):
            k = length - (end - e)
            items[user, k] = every[e]
            gap[user, k] = gap_of(now_s[user] - times_s[e])
            turn[user, k] = turn_of(hour_of(now_s[user]), hour_of(times_s[e]))
            if e > max(first, end - length):
                after[user, k] = near_of(at_km, every[e - 1], every[end - 1])


class NextPlaceSection(Section):
    """An attentive model of the next place, from the visits before; for data with places."""

    dim: Size = 32
    """The length of a vector."""
    categories: Count = 16
    """Kinds of places, made of the hours of visits where the data name none."""


def required(places: Places | None, key: str) -> Places:
    """Return *places*, or raise ScenarioError: there are none, and *key* asks for them."""
    if places is None:
        raise ScenarioError(
            f"{key}: the data name no places; set data.places = true "
            "or data.path to a folder of foursquare-nyc"
        )
    return places


def places_of(section: NextPlaceSection, task: TaskData, key: str) -> Places:
    """Return the places of *task* with categories and with visitors counted.

    Raises:
        ScenarioError: the data name no places; *key* is what asked for them.
    """
    places, train = required(task.places, key), task.split.train
    if (places.category < 0).any():
        draws = task.draws.child("places").child("categories")
        places = by_hours(places, train, section.categories, draws)
    return counted(places, train)


def build(section: NextPlaceSection, task: TaskData) -> NextPlace:
    """Return the model on the places of *task*.

    Raises:
        ScenarioError: the data name no places.
    """
    return NextPlace(places_of(section, task, "model.kind = 'next-place'"), section.dim)


METHOD = Method(
    kind="recommender",
    name="next-place",
    section=NextPlaceSection,
    build=build,
    source="ours",
    gives=frozenset({"next-place"}),
)
