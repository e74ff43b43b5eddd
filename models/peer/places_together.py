"""The next-place model trained in one place, on everybody's visits: what phones are held to."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import Places
from droidloop.models.evaluation.metrics import Scores
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.place_kernels import desk
from droidloop.models.local.place_sgd import Drill, Local, NeighbourAnswers, hold, practise
from droidloop.models.recommenders.next_place import LocalSettings, first_users
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import kernel

from .place_phones import Held, PlacePhones, State, ground_of, model, state_of
from .place_turn import Visits, drill_of

NEGATIVES, PASSES = 511, 4
"""Places against each first visit; passes. Both, and the steps, were chosen on the validation part
of foursquare-nyc."""
STEPS: dict[str, Any] = {"step": 0.07, "step_network": 0.01, "step_visits": 0.01}
"""Of the first pass, as ``LocalSettings`` has them."""


@dataclass(frozen=True, eq=False)
class PlacesTogether:
    """One model that holds every place, and a private part for each user.

    Attributes:
        server: a phone alone, whose area is the whole city.
        store: what it knows; its private part is that of nobody.
        users: the private parts, (users, dim + 1).
        practice: how it trains; every visit is an example in every epoch.
    """

    server: PlacePhones
    store: PrivateStore
    users: Float32Array
    practice: LocalSettings

    def epoch(self, visits: UserItems, draws: Draws, share: float = 1.0) -> None:
        """Go once through all *visits*, with a *share* of each step, users in a drawn order."""
        drill = drill_of(self.practice)
        drill = drill._replace(steps=drill.steps * np.float32(share))
        order = draws.order(np.arange(visits.n_users), 0)
        columns = Visits(visits.items, visits.times_s, visits.offsets)
        _epoch(
            order, self.server.known, state_of(self.store), self.users, columns,
            drill, np.uint64(draws.key),
        )  # fmt: skip

    def scores(self, users: IntArray, history: UserItems, now_s: IntArray) -> Scores:
        """Return the scores of all places for *users* after *history*, a row for each of them."""
        out = np.empty((len(users), len(self.server.places)), np.float32)
        store, one = _copied(self.store), np.zeros(1, np.int64)
        for row, user in enumerate(users):
            store.columns["user"][0] = self.users[user]
            part = np.array([row])
            out[part] = self.server.scores(store, one, history.take(part), now_s[part])
        return out


def train_together(
    places: Places,
    visits: UserItems,
    dim: int,
    draws: Draws,
    quality: Callable[[PlacesTogether], float] | None = None,
    practice: LocalSettings | None = None,
    passes: int = PASSES,
) -> PlacesTogether:
    """Return the model after *passes* over *visits*, or of the pass of the best *quality*.

    Steps fall in a line towards zero, so that those whose visits come last do not decide.
    *places* have categories, and visitors counted.
    """
    nobody = UserItems.bare(visits.items[:0], np.zeros(2, np.int64))
    practice = practice or LocalSettings(negatives=NEGATIVES, **STEPS)
    server = PlacePhones(
        places, nobody, np.array([dim]), draws.child("first"), len(places), practice.length
    )
    store = server.store()
    store.ensure(np.zeros(1, np.int64))
    users = first_users(draws.child("first"), np.arange(visits.n_users), dim)
    now = PlacesTogether(server, store, users, practice)
    best, top = now, -np.inf
    for number in range(passes):
        now.epoch(visits, draws.child(f"epoch/{number}"), 1 - number / passes)
        if quality is None:
            continue
        found = quality(now)
        if found > top:
            best, top = _copy(now), found
    return best


def _copy(now: PlacesTogether) -> PlacesTogether:
    return replace(now, store=_copied(now.store), users=now.users.copy())


def _copied(store: PrivateStore) -> PrivateStore:
    columns = store.gather(np.zeros(1, np.int64))
    copy = PrivateStore(1, lambda rows: {name: values[rows] for name, values in columns.items()})
    copy.ensure(np.zeros(1, np.int64))
    return copy


@kernel
def _epoch(
    order: IntArray,
    known: Held,
    state: State,
    users: Float32Array,
    visits: Visits,
    drill: Drill,
    key: np.uint64,
) -> None:
    slot, area = np.full(known.at_km.shape[0], -1, np.int64), known.areas[0]
    hold(slot, area)
    dim = known.dims[0]
    ground, b = ground_of(known, 0), desk(drill.length, drill.negatives + 1, dim)
    none = NeighbourAnswers(np.empty((0, dim), np.float32), 0.0, 1.0, 0)
    for user in order:
        part = slice(visits.offsets[user], visits.offsets[user + 1])
        own = Local(visits.items[part], visits.times_s[part], area, slot)
        w = model(known, 0, state.rows[0], users[user], state.network[0])
        chosen = np.arange(1, max(own.items.size, 1))
        practise(w, ground, own, chosen, none, drill, b, key, user)
