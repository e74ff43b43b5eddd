"""Phones of foursquare-nyc that learn the next place from neighbours, and how they are compared.

The latest check-in of each user is the test, the second latest validation. A test place is ranked
twice: among *all* places, visited ones included (as STAN and most models of next places have it),
and among the 200 unvisited places *near* it (as the papers of DCLR's authors have it). Users come
back to a known place in 70 % of the test events, which the second ranking makes easy; ``new`` is
the second ranking for the other 30 %.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tests.reference.movielens import folder

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.models.data.places import Places
    from droidloop.models.data.split import Split
    from droidloop.models.interfaces.peers import PeerRule
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.models.peer.place_phones import PlacePhones
    from droidloop.platform.arrays import FloatArray, IntArray
    from droidloop.platform.draws import Draws

NEAR = 200
CATEGORIES = 16
NEIGHBOURS = 10
CHUNK = 128
"""Receivers whose inboxes lie in memory at a time; changes no bit."""

Values = dict[str, "FloatArray"]
"""Metrics by ranking and name, such as ``near HR@10``, a value for each user."""


@dataclass(frozen=True)
class City:
    """The data: places with categories made of hours, the split, and the rivals of each event."""

    places: "Places"
    split: "Split"
    rivals: "IntArray"
    returns: "FloatArray"
    """1 where a user's test place was visited before, else 0."""
    rivals_valid: "IntArray"

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return self.split.n_users


def city() -> City:
    """Return foursquare-nyc, read and split; nothing here is drawn but k-means' start."""
    from droidloop.models.data.foursquare import load_check_ins
    from droidloop.models.data.interactions import union
    from droidloop.models.data.places import by_hours
    from droidloop.models.data.split import leave_one_out
    from droidloop.platform.draws import Draws

    events, places = load_check_ins(folder("foursquare-nyc"))
    split = leave_one_out(events)
    places = by_hours(places, split.train, CATEGORIES, Draws(1, "categories"))
    known = union(split.train, split.valid)
    returns = np.array([float(split.test.items[u] in known.of(u)) for u in range(split.n_users)])
    return City(
        places, split, _rivals(places, known, split.test.items), returns,
        _rivals(places, split.train, split.valid.items),
    )  # fmt: skip


def _rivals(places: "Places", known: "UserItems", wanted: "IntArray") -> "IntArray":
    """Return the unvisited places nearest to each of *wanted*, (users, NEAR)."""
    from droidloop.models.fitting.pretrain_places import nearest

    near = nearest(places.plane_km(), wanted, len(places) - 1)
    out = np.empty((len(wanted), NEAR), np.int64)
    for user, row in enumerate(near):
        out[user] = row[~np.isin(row, known.of(user))][:NEAR]
    return out


def judge(phones: "PlacePhones", store: "PrivateStore", data: City, part: str = "test") -> Values:
    """Return HR@10 and NDCG@10 of each user, on *part* ``test`` or ``valid``."""
    split = data.split
    held, history, rivals = split.valid, split.train, data.rivals_valid
    if part == "test":
        held, history, rivals = split.test, with_validation(split), data.rivals
    users = np.arange(data.n_users)
    scores = phones.scorer(store, history, held.times_s)(users)
    own = scores[users, held.items][:, None]
    ranks = {
        "all": (scores >= own).sum(axis=1),
        "near": 1 + (scores[users[:, None], rivals] >= own).sum(axis=1),
    }
    values = {}
    for name, rank in ranks.items():
        values[f"{name} HR@10"] = (rank <= 10).astype(np.float64)
        values[f"{name} NDCG@10"] = np.where(rank <= 10, 1 / np.log2(rank + 1.0), 0.0)
    return values


def with_new(values: Values, data: City) -> Values:
    """Return *values* of the test part and ``new``: ``near`` of users at a place new to them."""
    new = data.returns == 0
    return values | {f"new {m}": values[f"near {m}"][new] for m in ("HR@10", "NDCG@10")}


def with_validation(split: "Split") -> "UserItems":
    """Return training and validation events by user, oldest first."""
    from droidloop.models.data.interactions import UserItems

    train, at = split.train, split.train.offsets[1:]
    return UserItems(
        np.insert(train.items, at, split.valid.items),
        train.offsets + np.arange(split.n_users + 1),
        np.insert(train.times_s, at, split.valid.times_s),
        np.insert(train.ratings, at, split.valid.ratings),
    )


def play(
    rule: "PeerRule",
    store: "PrivateStore",
    data: City,
    pairs: "IntArray",
    ticks: int,
    draws: "Draws",
    fan: int = NEIGHBOURS,
    after: Callable[[int], None] | None = None,
) -> None:
    """Play *ticks* in which everybody has a turn and gets the models of *fan* drawn neighbours.

    *after* is called with the number of each tick that ended.
    """
    phones = np.arange(data.n_users)
    friends = sorted_neighbours(data.n_users, pairs)
    for number in range(ticks):
        sent = rule.share(phones, store, number, draws)
        for start in range(0, len(phones), CHUNK):
            part = phones[start : start + CHUNK]
            to, senders = chosen(friends, part, fan, number, draws)
            inbox = replace(sent.take(senders), receiver=to)
            rule.learn(part, inbox, store, data.split.train.take(part), number, draws)
        if after is not None:
            after(number)


def sorted_neighbours(n: int, pairs: "IntArray") -> list["IntArray"]:
    """Return the neighbours of each phone, whoever chose whom."""
    both = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    bounds = np.searchsorted(both[:, 0], np.arange(n + 1))
    return [both[bounds[k] : bounds[k + 1], 1] for k in range(n)]


def chosen(
    friends: list["IntArray"], part: "IntArray", fan: int, number: int, draws: "Draws"
) -> tuple["IntArray", "IntArray"]:
    """Return receivers and senders of a tick, *fan* drawn neighbours for each of *part*."""
    senders = [draws.child(f"fan/{u}").choose(friends[u], fan, number) for u in part.tolist()]
    counts = np.array([len(s) for s in senders])
    none = np.empty(0, np.int64)
    return np.repeat(part, counts), np.concatenate([none, *senders])


def interval(difference: "FloatArray") -> tuple[float, float, float]:
    """Return the mean of paired differences by user and the ends of its 95 % t interval."""
    mean = float(difference.mean())
    half = 1.96 * float(difference.std(ddof=1)) / np.sqrt(len(difference))
    return mean, mean - half, mean + half
