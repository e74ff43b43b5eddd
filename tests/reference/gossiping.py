"""Gossip of matrix factorisation on ideal phones, in turns, as the protocols have it.

In a turn every phone merges what it was told in the one before, trains, and tells ``fan`` of those
that it is linked with: ``anybody`` in a small world of ``LINKS`` links of which a tenth lead
anywhere, or the members of its ``groups`` by taste, linked anew every ``REGROUP`` turns.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tests.reference.beside import Figures, figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from droidloop.models.data.split import Split
    from droidloop.models.evaluation.evaluator import Evaluator
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.network.topology import Topology
    from droidloop.platform.arrays import IntArray
    from droidloop.platform.draws import Draws

LINKS, REGROUP, GROUPS = 20, 10, 20
CHUNK = 128
"""Receivers whose messages lie in memory at a time; changes no bit."""
Who = Literal["alone", "anybody", "groups"]


@dataclass(frozen=True)
class Habits:
    """How phones learn and talk."""

    dim: int
    step: float
    fan: int
    turns: int
    negatives: int = 1


def talked(
    split: "Split", judge: "Evaluator", seed: int, habits: Habits, who: Who, every: int
) -> "Iterator[tuple[int, Figures]]":
    """Play all turns; yield the figures of the phones' own models after *every* so many."""
    import numpy as np

    from droidloop.models.evaluation.candidates import exclusions
    from droidloop.models.local.sgd import Sgd
    from droidloop.models.peer.gossip_mf import GossipMF, gossip_store, own_tables
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.draws import Draws

    draws, phones = Draws(seed, "gossip"), np.arange(split.n_users)
    model = MF(split.n_items, habits.dim)
    rule = GossipMF(
        *(model, Sgd(habits.step, habits.step), habits.negatives, exclusions(split, "clean")),
        updates="once",
        threads=1,
    )
    store = gossip_store(model, draws.child("init"), len(phones), by_row=True)
    links: Topology | None = None
    for turn in range(habits.turns):
        sent = to = None
        if links is not None and turn > 0:
            sent, to = rule.share(phones, store, turn, draws), _told(links, habits, draws, turn)
        for start in range(0, len(phones), CHUNK):
            part = phones[start : start + CHUNK]
            inbox = None
            if sent is not None and to is not None:
                mine = np.flatnonzero(np.isin(to[1], part))
                inbox = replace(sent.take(to[0][mine]), receiver=to[1][mine])
            rule.learn(part, inbox, store, split.train.take(part), turn, draws)
        links = _links(links, who, split, store, draws, turn)
        if (turn + 1) % every == 0:
            yield turn + 1, figures(judge, own_tables(model, store))


def _told(
    links: "Topology", habits: Habits, draws: "Draws", turn: int
) -> "tuple[IntArray, IntArray]":
    """Return who told whom, sorted by receiver."""
    import numpy as np

    from droidloop.scenarios.protocols.relayed_gossip import choose_partners

    phones = np.arange(len(links.degrees))
    partners = choose_partners(links, phones, draws.child("partners"), turn, habits.fan)
    sender, receiver = np.repeat(phones, habits.fan), partners.ravel()
    order = np.argsort(receiver, kind="stable")
    order = order[receiver[order] >= 0]
    return sender[order], receiver[order]


def _links(
    links: "Topology | None",
    who: Who,
    split: "Split",
    store: "PrivateStore",
    draws: "Draws",
    turn: int,
) -> "Topology | None":
    """Return who is linked with whom after that turn."""
    import numpy as np

    from droidloop.models.peer.group_by_taste import TasteGrouping
    from droidloop.network.generators import small_world
    from droidloop.scenarios.protocols.groups import within_groups

    if who == "alone" or (who == "anybody" and links is not None):
        return links
    if who == "anybody":
        return small_world(split.n_users, LINKS, 0.1, draws.child("links"))
    if turn % REGROUP:
        return links
    tastes = TasteGrouping("item", split.train)
    reports = tastes.report(np.arange(split.n_users), store)
    groups = tastes.group(reports, GROUPS, draws.child("groups"), turn)
    return within_groups(groups.members, LINKS, draws.child("links"), turn)
