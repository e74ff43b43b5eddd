"""The server of SemiDFEGL: fuzzy groups of phones and items, and rows for the members of a group.

Qu et al., Semi-decentralized Federated Ego Graph Learning for Recommendation (WWW 2023). It sees
ego vectors and item rows; which items are a phone's own it is not told.
"""

from typing import Any, final

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.graphs.ego_graphs import ego_vectors
from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.learning import check_private
from droidloop.models.interfaces.peers import Groups
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.numerics.fuzzy_cmeans import Fuzzy, fuzzy_cmeans
from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.state import Stateful

from .ego_rule import SemiDFEGL

_TINY = np.finfo(np.float64).tiny
_STAMP = 20
"""A group's number is that of its grouping, shifted by so many bits, and its place in it."""


@final
class EgoGroups(Stateful):
    """Groups phones by their ego vectors, together with the items, which fuzzily belong to groups.

    A phone belongs where its membership is greatest. A group gets the ``rule.rows`` items that
    belong to it most and that its vectors predict, and the first ``rule.fakes`` of them become
    neighbours of every member. The server keeps an item table, the means of the rows that members
    reported last, and the centres and items of the groups, so that these go on from there.
    """

    STATE = ("_centers", "_held", "table")

    def __init__(
        self, rule: SemiDFEGL, data: UserItems, draws: Draws, *, fuzziness: float = 1.1
    ) -> None:
        """Begin with the item table that *draws* give, which every phone can draw as well.

        Args:
            rule: of the phones.
            data: by phone, the items; for their first ego vectors.
            draws: the first table.
            fuzziness: as in ``fuzzy_cmeans``.
        """
        self._rule, self._data, self._fuzziness = rule, data, fuzziness
        self._first: Array = rule.recommender.init(draws)[rule.recommender.items.name].numpy()
        self._centers: FloatArray | None = None
        self._held: IntArray | None = None
        self.table = self._first.copy()

    def form(self, store: PrivateStore) -> Form:
        """Return the form of what members tell one another."""
        return self._rule.form(store)

    def report(self, phones: IntArray, store: PrivateStore) -> Messages:
        """Return the ego vectors of *phones*, and the item rows of those that are in a group.

        A phone without a group has no rows yet: its ego vector is over the first vectors of its
        own items.
        """
        sent = self._rule.share(phones, store, 0, Draws(0, "nothing is drawn"))
        new = np.flatnonzero(sent.arrays["group"] < 0)
        user = store.columns["user"][phones[new]]
        vectors, _ = ego_vectors(self._data.take(phones[new]), user, self._first, self._rule.layers)
        sent.arrays["ego"][new] = vectors
        return check_private(sent, self._rule.recommender)

    def group(self, reports: Messages, count: int, draws: Draws, round_: int) -> Groups:
        """Put the senders of *reports* into at most *count* groups, and give them their rows."""
        rule, ego = self._rule, self._read(reports)
        fuzzy = self._cluster(ego, count, draws, round_)
        members = fuzzy.labels[: len(ego)]
        best = self._best(ego, fuzzy.memberships)
        ids, fake = np.sort(best, axis=1), np.sort(best[:, : rule.fakes], axis=1)
        mine: dict[str, Any] = {
            "group": (round_ << _STAMP) + members,
            "ids": ids[members],
            "fake": fake[members],
            "rows": self.table[ids[members]],
        }
        m = len(ego)
        answer = Messages(
            kind="parameters",
            sender=np.full(m, SERVER, np.int64),
            receiver=reports.sender,
            arrays={
                "item": mine["rows"].reshape(-1, rule.recommender.dim),
                "fake": mine["fake"].ravel(),
                "group": mine["group"],
            },
            weight=np.ones(m),
            base=np.full(m, round_, np.int64),
            rows={"item": mine["ids"].ravel()},
            offsets={
                "item": np.arange(m + 1) * rule.rows,
                "fake": np.arange(m + 1) * rule.fakes,
                "group": np.arange(m + 1),
            },
        )
        return Groups(members, answer, {**mine, "heard": np.zeros(m, np.int64)})

    def _cluster(self, ego: Array, count: int, draws: Draws, round_: int) -> Fuzzy:
        """Return fuzzy clusters of phones and items, in this order; lengths do not count."""
        points = _directions(np.concatenate([ego, self.table]))
        k, start = min(count, len(points)), self._centers
        if start is not None and len(start) != k:
            start = self._held = None
        fuzzy = fuzzy_cmeans(points, k, draws, round_, fuzziness=self._fuzziness, start=start)
        self._centers = fuzzy.centers
        return fuzzy

    def _best(self, ego: Array, memberships: FloatArray) -> IntArray:
        """Return the items of each group, best first, (groups, rows).

        By the odds that the members' mean vector predicts times membership^(m - 1), an inverse
        squared distance whatever the fuzziness m: membership alone says to which group rather
        than to others an item belongs, not that anybody likes it. To a group, an item that it did
        not hold looks like the median of those it did.
        """
        users, items = memberships[: len(ego)], memberships[len(ego) :]
        sums = np.maximum(users.sum(axis=0), _TINY)
        mean = (users.T[:, :, None] * ego).sum(axis=1) / sums[:, None]
        scores = (self.table[:, None].astype(np.float64) * mean).sum(axis=2)
        if self._held is not None:
            held = np.zeros(scores.shape, np.bool_)
            np.put_along_axis(held, self._held.T, True, axis=0)
            median = np.median(np.take_along_axis(scores, self._held.T, axis=0), axis=0)
            scores = np.where(held, scores, scores + np.minimum(median, 0.0))
        belongs = (self._fuzziness - 1) * np.log(np.maximum(items, _TINY)) + scores
        self._held = np.argsort(-belongs, axis=0, kind="stable")[: self._rule.rows].T
        return self._held

    def _read(self, reports: Messages) -> Array:
        """Average the reported rows into the table; return the ego vectors."""
        values, ids = reports.arrays["item"], reports.rows["item"]
        counts = np.bincount(ids, minlength=len(self.table))
        sums = np.zeros(self.table.shape)
        np.add.at(sums, ids, values.astype(np.float64))
        told = counts > 0
        self.table = self.table.copy()
        self.table[told] = (sums[told] / counts[told, None]).astype(np.float32)
        return reports.arrays["ego"]


def _directions(points: Array) -> Array:
    """Return *points* divided by their lengths; zero stays zero."""
    values = points.astype(np.float64)
    length = np.sqrt((values * values).sum(axis=1, keepdims=True))
    return np.asarray(values / np.where(length > 0, length, 1.0))
