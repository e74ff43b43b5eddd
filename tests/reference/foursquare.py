"""Check-ins of foursquare-nyc: what models are asked, and how their answers are compared.

Of each user's check-ins the oldest 80 % are for training, the next 10 % for validation and the
latest 10 % for the test, each rounded down for the latter two. Every one of them is a question: at
its time, after all check-ins of that user before it, where is the user next? The place is ranked
among *all* 5,135 places, visited ones included. ``returns`` are the questions whose place the user
had visited before, ``first`` the others; ``new`` ranks a first visit among unvisited places alone,
as a list of new places would. A figure is the mean over users of the mean over a user's questions.

A difference is paired by user. Its 95 % interval pools users and seeds: the variance over users of
their mean over seeds, by the number of users, plus that over seeds of the mean over users, by the
number of seeds.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tests.reference.movielens import folder

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.models.data.places import Places
    from droidloop.models.evaluation.metrics import Scores
    from droidloop.models.interfaces.peers import PeerRule
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.models.peer.place_phones import PlacePhones
    from droidloop.models.recommenders.place_baselines import PlaceScorer
    from droidloop.platform.arrays import BoolArray, FloatArray, IntArray
    from droidloop.platform.draws import Draws

CATEGORIES = 16
CHUNK = 128
"""Receivers whose inboxes lie in memory at a time; changes no bit."""
QUESTIONS = 256
"""Questions whose scores lie in memory at a time."""
FOURTH = 4
"""One validation question of so many chooses a baseline's settings."""
ALONE: dict[str, Any] = {"step": 0.05, "step_network": 0.02, "step_visits": 0.03, "examples": 4096}
ALONE_TURNS = 4
"""How a phone alone learns: from all its check-ins in every turn."""

Values = dict[str, "FloatArray"]
"""Metrics by ranking and name, such as ``new HR@10``, a value for each user; NaN: none asked."""
Part = Literal["valid", "test"]


@dataclass(frozen=True)
class Asked:
    """Questions: who asks, after which visits, when, and where that user was next."""

    users: "IntArray"
    history: "UserItems"
    now_s: "IntArray"
    items: "IntArray"


@dataclass(frozen=True)
class City:
    """The places, with categories made of hours and visitors counted, and who was where when."""

    places: "Places"
    train: "UserItems"
    parts: dict[str, Asked]

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return self.train.n_users


def city() -> City:
    """Return foursquare-nyc, read and split; nothing here is drawn but k-means' start."""
    from droidloop.models.data.foursquare import load_check_ins
    from droidloop.models.data.interactions import by_user
    from droidloop.models.data.places import by_hours, counted
    from droidloop.models.data.samples import TEST, TRAIN, VALID, parts
    from droidloop.platform.draws import Draws

    read, places = load_check_ins(folder("foursquare-nyc"))
    events = by_user(read)
    part = parts(events.counts)
    train = events.keep(part == TRAIN)
    places = counted(by_hours(places, train, CATEGORIES, Draws(1, "categories")), train)
    asked = {"valid": asked_of(events, part == VALID), "test": asked_of(events, part == TEST)}
    return City(places, train, asked)


def asked_of(events: "UserItems", wanted: "BoolArray") -> Asked:
    """Return the *wanted* events as questions, each with all events of its user before it."""
    from droidloop.models.data.interactions import UserItems

    rows = np.flatnonzero(wanted)
    users = np.repeat(np.arange(events.n_users), events.counts)[rows]
    counts = rows - events.offsets[users]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    where = np.repeat(events.offsets[users] - offsets[:-1], counts) + np.arange(offsets[-1])
    history = UserItems(events.items[where], offsets, events.times_s[where], events.ratings[where])
    return Asked(users, history, events.times_s[rows], events.items[rows])


def judge(
    score: Callable[..., "Scores"], data: City, part: Part = "test", every: int = 1
) -> Values:
    """Return HR@10 and NDCG@10 of each user by ranking; ties count against the place.

    *score* takes the users, their histories and the times of some questions; one question of
    *every* so many is asked.
    """
    from droidloop.models.data.interactions import union
    from droidloop.models.evaluation.metrics import full_ranks

    asked = data.parts[part]
    chosen = np.arange(0, len(asked.users), every)
    found = []
    for start in range(0, len(chosen), QUESTIONS):
        rows = chosen[start : start + QUESTIONS]
        history, items = asked.history.take(rows), asked.items[rows]
        scores, one = score(asked.users[rows], history, asked.now_s[rows]), np.arange(len(rows) + 1)
        visited = union(history)
        mine = np.array([item in visited.of(row) for row, item in enumerate(items.tolist())])
        among_all = full_ranks(scores, items, one, visited.items[:0], np.zeros_like(one))
        among_new = full_ranks(scores, items, one, visited.items, visited.offsets)
        found.append(np.stack([mine, among_all, among_new]))
    back, ranks, among_new = np.concatenate(found, axis=1)
    users, first = asked.users[chosen], back == 0
    values: Values = {}
    for name, mine, rank in (
        *(("all", back >= 0, ranks), ("returns", back == 1, ranks)),
        *(("first", first, ranks), ("new", first, among_new)),
    ):
        hit = mine & (rank <= 10)
        counts = np.bincount(users[mine], minlength=data.n_users).astype(np.float64)
        counts[counts == 0] = np.nan
        values[f"{name} HR@10"] = np.bincount(users, hit, data.n_users) / counts
        gain = np.where(hit, 1 / np.log2(rank + 1.0), 0.0)
        values[f"{name} NDCG@10"] = np.bincount(users, gain, data.n_users) / counts
    return values


def of_phones(phones: "PlacePhones", store: "PrivateStore") -> Callable[..., "Scores"]:
    """Return what asks each user's own phone."""
    return lambda users, history, now_s: phones.scores(store, users, history, now_s)


def of_baseline(scorer: "PlaceScorer") -> Callable[..., "Scores"]:
    """Return what asks a baseline, which knows nothing of users but their histories."""
    return lambda users, history, now_s: scorer(history, now_s)


def means(values: Values) -> dict[str, float]:
    """Return the mean over users of each metric."""
    return {name: float(np.nanmean(each)) for name, each in values.items()}


def baselines(data: City, names: Iterable[str]) -> dict[str, Values]:
    """Return what each baseline does on the test, with the setting that validation chose for it.

    What is popular near is chosen by the NDCG@10 of new places, all else by that of all.
    """
    from droidloop.models.recommenders.place_baselines import PLACE_BASELINES

    found: dict[str, Values] = {}
    for name in names:
        if name == "popularity":
            found[name] = judge(
                lambda users, *_: np.tile(data.places.popularity(), (len(users), 1)), data
            )
            continue
        by = "new NDCG@10" if name.startswith("popular") else "all NDCG@10"
        every = [of_baseline(scorer) for _, scorer in PLACE_BASELINES[name](data.places)]
        if len(every) > 1:
            every.sort(key=lambda one: -means(judge(one, data, "valid", FOURTH))[by])
        found[name] = judge(every[0], data)
    return found


def central(data: City, seed: int, dim: int) -> Values:
    """Return what the model does that is trained in one place, on everybody's check-ins."""
    from droidloop.models.peer.places_together import train_together
    from droidloop.platform.draws import Draws

    draws = Draws(seed, "central")
    return judge(train_together(data.places, data.train, dim, draws).scores, data)


def alone(data: City, seed: int, dims: "int | IntArray", first: str = "dclr") -> Values:
    """Return what phones do that learn alone: with all their check-ins, and a step of their own.

    *dims* is the size of their models, *first* the chance of the first values.
    """
    from droidloop.models.peer.alike_phones import NOBODY
    from droidloop.models.peer.mac import MAC
    from droidloop.models.peer.place_phones import PlacePhones
    from droidloop.models.recommenders.next_place import LocalSettings
    from droidloop.platform.draws import Draws

    draws = Draws(seed, first)
    sizes = np.broadcast_to(np.asarray(dims, np.int64), data.n_users)
    phones = PlacePhones(data.places, data.train, sizes, draws.child("first"))
    rule, store = MAC(phones, LocalSettings(**ALONE), threads=1), phones.store()
    play(rule, store, data, NOBODY, ALONE_TURNS, draws.child("play"), 0)
    return judge(of_phones(phones, store), data)


def pooled(one: Sequence[Values], other: Sequence[Values], metric: str) -> dict[str, float]:
    """Return by how much *one* is ahead of *other*: mean, low and high end of the interval."""
    by_seed = np.stack([a[metric] - b[metric] for a, b in zip(one, other, strict=True)])
    by_seed = by_seed[:, ~np.isnan(by_seed).any(axis=0)]
    seeds, users = by_seed.shape
    variance = by_seed.mean(axis=0).var(ddof=1) / users
    if seeds > 1:
        variance += by_seed.mean(axis=1).var(ddof=1) / seeds
    mean, half = float(by_seed.mean()), 1.96 * float(np.sqrt(variance))
    return {"mean": mean, "low": mean - half, "high": mean + half}


def play(
    rule: "PeerRule",
    store: "PrivateStore",
    data: City,
    pairs: "IntArray",
    ticks: int,
    draws: "Draws",
    fan: int,
    after: Callable[[int], None] | None = None,
) -> None:
    """Play *ticks* in which everybody has a turn and gets the models of *fan* drawn neighbours.

    *after* is called with the number of each tick that ended.
    """
    phones = np.arange(data.n_users)
    friends = sorted_neighbours(data.n_users, pairs)
    for number in range(ticks):
        sent = rule.share(phones, store, number, draws) if len(pairs) else None
        for start in range(0, len(phones), CHUNK):
            part, inbox = phones[start : start + CHUNK], None
            if sent is not None:
                to, senders = chosen(friends, part, fan, number, draws)
                inbox = replace(sent.take(senders), receiver=to)
            rule.learn(part, inbox, store, data.train.take(part), number, draws)
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
