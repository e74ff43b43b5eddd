"""Grouping of phones by taste: what a server learns is the mean vector of what somebody chose."""

from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.learning import EmbeddingTable
from droidloop.models.interfaces.peers import Groups
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.numerics.kmeans import kmeans
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages


@dataclass(frozen=True)
class TasteGrouping:
    """Groups phones by k-means on the mean vectors of their items, as each has them.

    The report shows the direction of somebody's taste, and no item by itself. Phones without items
    report zero.

    Attributes:
        table: the name of the table of which the store has the parameters, by phone.
        data: by phone, the items.
        items: that table; None: a dense one, whose rows are the vectors.
    """

    table: str
    data: UserItems
    items: EmbeddingTable | None = None

    def form(self, store: PrivateStore) -> Form:
        """Return the form of a taste."""
        return Form(frozenset({"embedding"})).with_row("taste", self._dim(store))

    def _dim(self, store: PrivateStore) -> int:
        return store.columns[self.table].shape[2] if self.items is None else self.items.dim

    def report(self, phones: IntArray, store: PrivateStore) -> Messages:
        """Return a message ``taste`` of dim float32 numbers a phone."""
        store.ensure(phones)
        tastes = np.zeros((len(phones), self._dim(store)), np.float32)
        for k, phone in enumerate(phones.tolist()):
            if len(liked := self._liked(phone, store)):
                tastes[k] = liked.mean(axis=0)
        return Messages(
            kind="embedding",
            sender=phones,
            receiver=np.full(len(phones), SERVER),
            arrays={"taste": tastes},
            weight=np.ones(len(phones)),
            base=np.zeros(len(phones), np.int64),
            offsets={"taste": np.arange(len(phones) + 1)},
        )

    def _liked(self, phone: int, store: PrivateStore) -> Float32Array:
        """Return the vectors of the items of *phone*, as it has them."""
        items = self.data.of(phone)
        if self.items is None:
            return np.asarray(store.columns[self.table][phone][items])
        params = {
            name: torch.from_numpy(store.columns[name][phone]) for name in self.items.parameters
        }
        return np.asarray(self.items.lookup(params, torch.from_numpy(items)).numpy())

    def group(self, reports: Messages, count: int, draws: Draws, round_: int) -> Groups:
        """Return at most *count* groups of like tastes; lengths do not count, directions do.

        A report that is not finite is put with those that say nothing.
        """
        tastes = reports.arrays["taste"].astype(np.float64)
        tastes[~np.isfinite(tastes).all(axis=1)] = 0.0
        length = np.sqrt((tastes * tastes).sum(axis=1, keepdims=True))
        points = tastes / np.where(length > 0, length, 1.0)
        clusters = kmeans(points, min(count, len(points)), draws, round_)
        return Groups(clusters.labels, None, {})
