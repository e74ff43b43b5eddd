"""Phones that learn the next place: what each of them holds, its first values, and its scores.

The server leaves the vectors of all places (``place_vectors.pretrained``) on every phone, and goes.
A phone trains and shares only the rows of its *area*: the places that it visited, and those
nearest to them. So a message holds some hundred rows, and names an area rather than visits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import Places
from droidloop.models.evaluation.metrics import Scores
from droidloop.models.fitting.pretrain_places import pretrained
from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.place_kernels import answer, desk, moment_of, score_all
from droidloop.models.local.place_sgd import hold, let_go
from droidloop.models.recommenders.next_place import NextPlace, first_users
from droidloop.models.recommenders.place_features import (
    PlaceData,
    Weights,
    first_network,
    network_size,
    weights_in,
)
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import Array, Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import kernel
from droidloop.platform.workers import for_chunks

COLUMNS = ("rows", "user", "network")
"""The columns of the store that are a model."""


class Held(NamedTuple):
    """What the kernels need to know of all phones: constant, phone axis first.

    ``areas`` (phones, held) are place numbers, rising, -1 behind the last; ``dims`` (phones,);
    ``kind`` (phones,) is the row of ``bases`` (kinds, places, widest) that a phone was given.
    """

    areas: IntArray
    dims: IntArray
    kind: IntArray
    bases: Float32Array
    popular: Float32Array
    at_km: Float32Array
    category: IntArray
    categories: int


class State(NamedTuple):
    """The models of all phones: the columns of the store."""

    rows: Float32Array
    user: Float32Array
    network: Float32Array


@dataclass(frozen=True, eq=False)
class PlacePhones:
    """Phones with a next-place model each, of one size or of several.

    Attributes:
        places: every place, each with a category.
        visits: local data of all phones: where their areas come from.
        dims: the length of the vectors on each phone, (phones,).
        draws: the chance of the first values.
        held: places in an area, at most.
        length: visits that the model reads.
        pretrain: whether the server trains place vectors first; if not, they are random.
    """

    places: Places
    visits: UserItems
    dims: IntArray
    draws: Draws
    held: int = 512
    length: int = 128
    pretrain: bool = True

    def __post_init__(self) -> None:
        if len(self.dims) != self.visits.n_users or min(self.dims, default=1) < 1:
            raise ValueError(f"{len(self.dims)} sizes for {self.visits.n_users} phones")
        if (self.places.category < 0).any():
            raise ValueError("the model needs the category of every place; see places.by_hours")
        if self.held < 1 or self.length < 1:
            raise ValueError("a phone holds at least one place and reads at least one visit")

    @property
    def n_phones(self) -> int:
        """How many phones there are."""
        return self.visits.n_users

    @cached_property
    def known(self) -> Held:
        """What the kernels need; made once."""
        kinds, kind = np.unique(self.dims, return_inverse=True)
        at_km = self.places.plane_km()
        bases = np.zeros((len(kinds), len(self.places), int(kinds.max())), np.float32)
        for number, dim in enumerate(kinds):
            bases[number, :, :dim] = self._vectors(int(dim))
        areas = areas_of(at_km, self.visits.items, self.visits.offsets, self.held)
        category = self.places.category
        return Held(
            areas, np.asarray(self.dims, np.int64), kind.astype(np.int64).reshape(-1),
            bases, self.places.popularity(), at_km, category, self.places.categories,
        )  # fmt: skip

    def store(self) -> PrivateStore:
        """Return what phones know at first.

        Columns ``rows``, ``user`` and ``network`` are the model, wide enough for the largest, zero
        behind the end of smaller ones; ``age`` counts the turns that it was trained in, ``loss``
        is that of the last one; ``diverged`` counts turns that were taken back.
        """
        known, wide = self.known, self.known.bases.shape[2]
        networks = self._networks()

        def fill(phones: IntArray) -> dict[str, Array]:
            m, kind = len(phones), known.kind[phones]
            rows = np.zeros((m, self.held, wide + 1), np.float32)
            area = known.areas[phones]
            rows[:, :, :wide] = known.bases[kind[:, None], np.maximum(area, 0)]
            rows[np.arange(m)[:, None], np.arange(self.held), known.dims[phones][:, None]] = (
                known.popular[np.maximum(area, 0)]
            )
            rows[area < 0] = 0
            user = first_users(self.draws, phones, wide)
            user[np.arange(wide + 1) >= known.dims[phones][:, None]] = 0
            return {
                "rows": rows, "user": user, "network": networks[kind],
                "age": np.zeros(m, np.int64), "loss": np.zeros(m, np.float32),
                "diverged": np.zeros(m, np.int64),
            }  # fmt: skip

        return PrivateStore(self.n_phones, fill)

    def scorer(
        self, store: PrivateStore, history: UserItems, now_s: IntArray
    ) -> Callable[[IntArray], Scores]:
        """Return a function that gives the scores of all places for some users.

        *history* has a row for every phone, *now_s* the time at which it asks.
        """
        return lambda users: self.scores(store, users, history.take(users), now_s[users])

    def scores(
        self, store: PrivateStore, phones: IntArray, history: UserItems, now_s: IntArray
    ) -> Scores:
        """Return the scores of all places, (len(phones), places).

        Row k is what ``phones[k]`` says after the visits of row k of *history*, at ``now_s[k]``.
        Without history: popularity.
        """
        store.ensure(phones)
        out = np.empty((len(phones), len(self.places)), np.float32)
        state = state_of(store)

        def work(low: int, high: int) -> None:
            _score(
                low, high, phones, self.known, state, self.length,
                history.items, history.times_s, history.offsets, now_s, out,
            )  # fmt: skip

        for_chunks(work, len(phones), 1)
        return out

    @property
    def network_numbers(self) -> int:
        """The length of the network vector of the largest model."""
        return network_size(int(self.dims.max()), self.known.categories)

    def recommender(self, phone: int) -> NextPlace:
        """Return the function that *phone* computes, for ``params``."""
        return NextPlace(self.places, int(self.dims[phone]))

    def params(self, store: PrivateStore, phone: int) -> Params:
        """Return the parameters of one phone by name, its user the only one: for torch."""
        store.ensure(np.array([phone]))
        known, dim = self.known, int(self.dims[phone])
        area = known.areas[phone]
        rows = store.columns["rows"][phone][area >= 0]
        place, bias = known.bases[known.kind[phone], :, :dim].copy(), known.popular.copy()
        place[area[area >= 0]], bias[area[area >= 0]] = rows[:, :dim], rows[:, dim]
        return {
            "place": torch.from_numpy(place),
            "bias": torch.from_numpy(bias),
            "user": torch.from_numpy(store.columns["user"][phone : phone + 1, : dim + 1].copy()),
            **self.recommender(phone).named(store.columns["network"][phone]),
        }

    def _vectors(self, dim: int) -> Float32Array:
        draws = self.draws.child(f"places/{dim}")
        if self.pretrain:
            return pretrained(self.places, dim, draws)
        return normal_rows(draws, np.arange(len(self.places)), dim, 0.3 / np.sqrt(dim))

    def _networks(self) -> Float32Array:
        known = self.known
        kinds = np.unique(self.dims)
        longest = network_size(int(kinds.max()), known.categories)
        out = np.zeros((len(kinds), longest), np.float32)
        for number, dim in enumerate(kinds.tolist()):
            rows = np.arange(known.categories)
            vectors = normal_rows(self.draws.child(f"categories/{dim}"), rows, dim, 0.1)
            network = first_network(dim, known.categories, vectors)
            out[number, : len(network)] = network
        return out


def state_of(store: PrivateStore) -> State:
    """Return the models in *store*, to be changed in place."""
    return State(*(store.columns[name] for name in COLUMNS))


@kernel
def areas_of(at_km: Float32Array, items: IntArray, offsets: IntArray, most: int) -> IntArray:
    """Return for each user the places of its area, rising, -1 behind the last, (users, most).

    First the visited places, those of most visits before others, then the places nearest to any
    visited one; ties go to the smaller number. Without a visit: those nearest the middle.
    """
    n = at_km.shape[0]
    out = np.full((offsets.size - 1, most), -1, np.int64)
    gap = np.empty(n, np.float64)
    for user in range(offsets.size - 1):
        mine = items[offsets[user] : offsets[user + 1]]
        gap[:] = np.inf
        for item in np.unique(mine):
            for j in range(n):
                east = at_km[item, 0] - at_km[j, 0]
                north = at_km[item, 1] - at_km[j, 1]
                gap[j] = min(gap[j], east * east + north * north)
        if mine.size == 0:
            for j in range(n):
                gap[j] = at_km[j, 0] * at_km[j, 0] + at_km[j, 1] * at_km[j, 1]
        for item in mine:
            gap[item] = 0.0
        for item in mine:
            gap[item] -= 1.0
        kept = min(most, n)
        out[user, :kept] = np.sort(np.argsort(gap, kind="mergesort")[:kept])
    return out


@kernel
def model(known: Held, phone: int, rows: Float32Array, user: Float32Array, network: Float32Array) -> Weights:  # fmt: skip  # noqa: E501
    """Return the model of *phone* as views of its *rows*, *user* and *network*."""
    return weights_in(rows, user[: known.dims[phone] + 1], network, known.categories)


@kernel
def ground_of(known: Held, phone: int) -> PlaceData:
    """Return what *phone* was given."""
    return PlaceData(known.bases[known.kind[phone]], known.popular, known.at_km, known.category)


@kernel
def _score(
    low: int,
    high: int,
    users: IntArray,
    known: Held,
    state: State,
    length: int,
    items: IntArray,
    times_s: IntArray,
    offsets: IntArray,
    now_s: IntArray,
    out: Float32Array,
) -> None:
    slot = np.full(out.shape[1], -1, np.int64)
    for k in range(low, high):
        phone, mine = users[k], items[offsets[k] : offsets[k + 1]]
        if mine.size == 0:
            out[k] = known.popular
            continue
        w = model(known, phone, state.rows[phone], state.user[phone], state.network[phone])
        ground = ground_of(known, phone)
        hold(slot, known.areas[phone])
        first = max(0, mine.size - length)
        times = times_s[offsets[k] : offsets[k + 1]]
        b = desk(length, 1, known.dims[phone])
        answer(w, ground, slot, mine[first:], times[first:], now_s[k], b)
        moment = moment_of(mine[first:], times[first:], now_s[k])
        score_all(w, ground, slot, mine[first:], moment, b, out[k])
        let_go(slot, known.areas[phone])
