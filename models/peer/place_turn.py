"""What a turn of DCLR and one of MAC begin and end with, compiled."""

from typing import NamedTuple

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.place_sgd import Drill, Local, chosen_visits, hold, let_go, moderate
from droidloop.models.recommenders.next_place import LocalSettings
from droidloop.models.recommenders.place_features import PlaceData
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.law import kernel

from .place_phones import Held, State, ground_of


class Visits(NamedTuple):
    """The visits of the phones that have a turn, ragged, oldest first."""

    items: IntArray
    times_s: IntArray
    offsets: IntArray


class Tally(NamedTuple):
    """Columns of the store that count."""

    age: IntArray
    loss: Float32Array
    diverged: IntArray


class Turn(NamedTuple):
    """One phone's turn: what it has, the visits that it trains on, and a copy of its model."""

    phone: int
    own: Local
    ground: PlaceData
    chosen: IntArray
    rows: Float32Array
    user: Float32Array
    network: Float32Array


def visits_of(phones: IntArray, data: UserItems, n_places: int) -> Visits:
    """Return the columns of *data*, a row for each of *phones*.

    Raises:
        ValueError: they are of other phones, or hold places that do not exist.
    """
    if data.n_users != len(phones):
        raise ValueError(f"{data.n_users} rows of data for {len(phones)} phones")
    if data.items.min(initial=0) < 0 or data.items.max(initial=0) >= n_places:
        raise ValueError(f"data hold places outside 0..{n_places - 1}")
    return Visits(data.items, data.times_s, data.offsets)


def tally_of(store: PrivateStore) -> Tally:
    """Return the columns of *store* that count, to be changed in place."""
    return Tally(*(store.columns[name] for name in Tally._fields))


def drill_of(practice: LocalSettings) -> Drill:
    """Return *practice* as the kernels read it."""
    return Drill(practice.steps, practice.examples, practice.negatives, practice.length)


@kernel
def begin(
    phone: int, k: int, known: Held, state: State, visits: Visits, slot: IntArray, drill: Drill,
    key: np.uint64,
) -> Turn:  # fmt: skip
    """Return the turn of *phone*, whose visits are row *k*; its area is noted in *slot*."""
    part = slice(visits.offsets[k], visits.offsets[k + 1])
    own = Local(visits.items[part], visits.times_s[part], known.areas[phone], slot)
    hold(slot, own.area)
    return Turn(
        phone, own, ground_of(known, phone),
        chosen_visits(own.items.size, drill.examples, key, phone),
        state.rows[phone].copy(), state.user[phone].copy(), state.network[phone].copy(),
    )  # fmt: skip


@kernel
def end(turn: Turn, loss: float, state: State, tally: Tally) -> None:
    """Keep the model of *turn*, unless its numbers ran away; let go of *slot*."""
    let_go(turn.own.slot, turn.own.area)
    phone = turn.phone
    if not (moderate(turn.rows) and moderate(turn.user) and moderate(turn.network)):
        tally.diverged[phone] += 1
        return
    state.rows[phone], state.user[phone], state.network[phone] = turn.rows, turn.user, turn.network
    if turn.chosen.size:
        tally.age[phone] += 1
        tally.loss[phone] = loss
