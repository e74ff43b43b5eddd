"""Client steps on the machines of a cluster: a cohort in parts, the answers joined in order."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import ClientRule, Cohort
from droidloop.platform.arrays import Array
from droidloop.platform.cluster import Cluster
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages, joined

Train = Callable[[ClientRule, Cohort, Messages, UserItems, Draws], Messages]
"""Has a cohort do its step; what is private to its phones is changed in place."""


def train_here(
    rule: ClientRule, cohort: Cohort, inbox: Messages, data: UserItems, draws: Draws
) -> Messages:
    """Have the whole cohort do its step in this process."""
    return rule.step(cohort, inbox, data, draws)


def train_on(cluster: Cluster) -> Train:
    """Return a way of training on *cluster*, for rules whose phones do not look at one another.

    A rule goes to each process once, so it must not change after its first step.
    """
    shared: dict[int, tuple[ClientRule, Any]] = {}  # with the rule, so that no other gets its id

    def train(
        rule: ClientRule, cohort: Cohort, inbox: Messages, data: UserItems, draws: Draws
    ) -> Messages:
        if id(rule) not in shared:
            shared[id(rule)] = rule, cluster.share(rule)
        edges = np.linspace(0, len(cohort), cluster.processors + 1).astype(np.int64)
        cuts = [np.arange(low, high) for low, high in pairwise(edges) if low < high]
        if not cuts:
            return rule.step(cohort, inbox, data, draws)
        parts = [
            (
                Cohort(cohort.phones[cut], cohort.round, _rows(cohort.private, cut)),
                inbox.take(cut),
                data.take(cut),
                draws,
            )
            for cut in cuts
        ]
        answers = cluster.map(train_part, shared[id(rule)][1], parts)
        for cut, (_, private) in zip(cuts, answers, strict=True):
            for name, rows in private.items():
                cohort.private[name][cut] = rows
        return joined([sent for sent, _ in answers])

    return train


def train_part(
    rule: ClientRule, cohort: Cohort, inbox: Messages, data: UserItems, draws: Draws
) -> tuple[Messages, dict[str, Array]]:
    """Have a part of a cohort do its step; return what it sends and what it keeps."""
    sent = rule.step(cohort, inbox, data, draws)
    return sent, cohort.private


def _rows(columns: dict[str, Array], picked: Any) -> dict[str, Array]:
    return {name: rows[picked] for name, rows in columns.items()}
