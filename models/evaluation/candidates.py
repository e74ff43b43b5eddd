"""Sampled negatives: candidates for sampled ranking, and what training may not draw.

Sampled ranking (He et al., WWW 2017) ranks each held-out item among 99 items that the user never
had. Which items training may take as negatives is a protocol of its own:

- ``clean``: whatever is not in training, held-out items included, as a real system would have to;
- ``pfedrec``: what the user never had, held-out items included. So the code of Zhang et al.
  (IJCAI 2023) has it. It is *leaky*: the test item is never a negative, its 99 rivals are.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from droidloop.models.data.interactions import UserItems, union
from droidloop.models.data.split import Part, Split
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws, below_at
from droidloop.platform.law import kernel

Protocol = Literal["clean", "pfedrec"]
PROTOCOLS: tuple[Protocol, ...] = ("clean", "pfedrec")


@dataclass(frozen=True)
class Candidates:
    """For each user the rivals of the validation and of the test item; none occurs in both."""

    valid: UserItems
    test: UserItems

    def of(self, part: Part) -> UserItems:
        """Return the candidates of one part."""
        return self.valid if part == "valid" else self.test


def sample_candidates(split: Split, draws: Draws, per_part: int = 99) -> Candidates:
    """Draw *per_part* candidates for validation and as many for test, once for each user.

    A user's candidates depend on the user's row and events alone. A user with fewer unseen items
    has fewer candidates: all unseen items, half of them for each part.
    """
    seen = union(split.train, split.valid, split.test)
    wanted = np.minimum(2 * per_part, split.n_items - seen.counts)
    offsets = np.zeros(split.n_users + 1, np.int64)
    np.cumsum(wanted, out=offsets[1:])
    drawn = _sample(np.uint64(draws.key), seen.items, seen.offsets, offsets, split.n_items)
    place = np.arange(len(drawn)) - np.repeat(offsets[:-1], wanted)
    first = place < np.repeat(wanted // 2, wanted)
    ends = np.zeros(split.n_users + 1, np.int64)
    np.cumsum(wanted // 2, out=ends[1:])
    return Candidates(
        UserItems.bare(drawn[first], ends), UserItems.bare(drawn[~first], offsets - ends)
    )


def beside_visited(split: Split, candidates: Candidates) -> Candidates:
    """Return *candidates* and whatever else each user is known to have by then.

    For what users come back to: a return is then told from the user's other places too.
    """

    def of(part: Part) -> UserItems:
        rivals = union(candidates.of(part), *split.known(part))
        users = np.repeat(np.arange(split.n_users), rivals.counts)
        held = split.held_out(part)
        mine = np.repeat(np.arange(split.n_users), held.counts) * split.n_items + held.items
        return rivals.keep(~np.isin(users * split.n_items + rivals.items, mine))

    return Candidates(of("valid"), of("test"))


def exclusions(split: Split, protocol: Protocol) -> UserItems:
    """Return for each user the items that training may not draw as negatives, sorted, each once.

    Raises:
        ValueError: *protocol* is none of ``PROTOCOLS``.
    """
    match protocol:
        case "clean":
            return union(split.train)
        case "pfedrec":
            return union(split.train, split.valid, split.test)
        case _:
            raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, not {protocol!r}")


@kernel
def _sample(
    key: np.uint64, seen: IntArray, seen_offsets: IntArray, offsets: IntArray, n_items: int
) -> IntArray:
    out = np.empty(offsets[-1], np.int64)
    owner = np.full(n_items, -1, np.int64)  # the last user for whom the item is taken
    pool = np.empty(n_items, np.int64)
    for user in range(offsets.size - 1):
        mine = seen[seen_offsets[user] : seen_offsets[user + 1]]
        wanted = offsets[user + 1] - offsets[user]
        for item in mine:
            owner[item] = user
        chosen = out[offsets[user] : offsets[user + 1]]
        if 2 * (mine.size + wanted) <= n_items:
            _reject(key, user, owner, chosen)
        else:
            n_unseen = 0
            for item in range(n_items):
                if owner[item] != user:
                    pool[n_unseen] = item
                    n_unseen += 1
            _shuffle(key, user, pool[:n_unseen], chosen)
    return out


@kernel
def _reject(key: np.uint64, user: int, owner: IntArray, chosen: IntArray) -> None:
    """Fill *chosen* by drawing until the item is new; at least half of the items are."""
    counter = 0
    for k in range(chosen.size):
        item = below_at(key, user, counter, owner.size)
        counter += 1
        while owner[item] == user:
            item = below_at(key, user, counter, owner.size)
            counter += 1
        owner[item] = user
        chosen[k] = item


@kernel
def _shuffle(key: np.uint64, user: int, pool: IntArray, chosen: IntArray) -> None:
    """Fill *chosen* from *pool* by the first steps of a shuffle (Fisher and Yates 1938)."""
    for k in range(chosen.size):
        other = k + below_at(key, user, k, pool.size - k)
        chosen[k], pool[other] = pool[other], pool[k]
