"""PerFedRec: one model for all, one for each cluster of users, and each phone's own; mixed.

Luo et al., Personalized Federated Recommendation via Joint Representation Learning, User
Clustering, and Model Adaptation (CIKM 2022). Phones train the model of their cluster and send the
changes together with their user embedding, from which the server clusters users anew after each
step. The embedding is what this paper gives away: the private ``user`` never leaves, the message's
``user_embedding`` is a copy of it under a name of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.learning import Cohort, Cost, Params, shared_parameters
from droidloop.models.numerics.kmeans import kmeans
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.state import Stateful

from .fedgcn import FedLightGCN
from .fedmf import FedMF
from .folds import Fold

EMBEDDING = "user_embedding"
"""The name under which user vectors are sent."""

GLOBAL = "_global"
"""What the name of the table for all ends with, beside that of the cluster's."""


@dataclass(frozen=True)
class PerFedRec:
    """Client rule: trains the cluster's table as *inner* does, and sends the user vector along.

    Attributes:
        inner: FedLightGCN, or FedMF with partial uploads; its uploads are changes.
    """

    inner: FedLightGCN | FedMF

    def __post_init__(self) -> None:
        if isinstance(self.inner, FedMF) and (self.inner.kind, self.inner.upload) != (
            "delta",
            "part",
        ):
            raise ValueError("clusters differ in their tables, so phones send changes of rows")

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Train; return the changes of item rows and ``user_embedding``.

        Raises:
            ValueError: the inbox is not the table of one cluster, or data are of other phones.
        """
        dim, names = self.inner.recommender.dim, shared_parameters(self.inner.recommender)
        if inbox is not None:
            kept = {name: array for name, array in inbox.arrays.items() if name in names}
            inbox = replace(inbox, arrays=kept)
        sent = self.inner.step(cohort, inbox, data, draws)
        vectors = np.array(cohort.private["user"], np.float32).reshape(len(cohort), dim)
        return replace(
            sent,
            arrays=sent.arrays | {EMBEDDING: vectors},
            offsets=sent.offsets | {EMBEDDING: np.arange(len(cohort) + 1)},
        )

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what the step takes: that of the inner rule, and room for the second table."""
        inner, items = self.inner.cost(cohort, data), self.inner.recommender.items
        return replace(inner, ram_bytes=inner.ram_bytes + items.nbytes)


@final
class ClusterServer(Stateful):
    """Server rule: a fold for everybody, one for each cluster, and k-means after each step.

    Before anything has arrived all phones are in cluster 0, whose table is that of everybody; all
    tables start alike. A phone that has sent no embedding yet is in the largest cluster.
    """

    STATE = ("_everyone", "_groups", "_embeddings", "_known", "_centers", "labels", "_received")

    def __init__(
        self,
        params: Params,
        fold: Callable[[Params], Fold],
        *,
        n_phones: int,
        dim: int,
        clusters: int,
        draws: Draws,
    ) -> None:
        if clusters < 1:
            raise ValueError(f"{clusters} clusters hold nobody")
        self._everyone = fold(params)
        self._groups = [fold(params) for _ in range(clusters)]
        self._draws = draws
        self._embeddings = np.zeros((n_phones, dim), np.float32)
        self._known = np.zeros(n_phones, np.bool_)
        self._centers: np.ndarray[tuple[int, int], np.dtype[np.float64]] | None = None
        self.labels = np.zeros(n_phones, np.int64)
        # the cluster whose table a phone was sent last: what it sends back is a change of that one
        self._received = self.labels.copy()

    @property
    def version(self) -> int:
        """How many steps changed the tables."""
        return self._everyone.version

    @property
    def params(self) -> Params:
        """The table of everybody."""
        return self._everyone.params

    @property
    def form(self) -> Form:
        """Changes of rows, and one embedding."""
        return self._everyone.form.with_row(EMBEDDING, self._embeddings.shape[1])

    def group_params(self, cluster: int) -> Params:
        """Return the table of *cluster*."""
        return self._groups[cluster].params

    def broadcast(self, phones: IntArray) -> list[Messages]:
        """Return for each cluster its table and that of everybody, for its phones among *phones*.

        A phone trains the first; both are there to score with.
        """
        self._received[phones] = self.labels[phones]
        batches = []
        for cluster in np.unique(self.labels[phones]):
            receiver = phones[self.labels[phones] == cluster]
            m = len(receiver)
            own, every = self._groups[cluster].params, self.params
            arrays = {name: value.numpy() for name, value in own.items()}
            arrays |= {name + GLOBAL: value.numpy() for name, value in every.items()}
            sender, base = np.full(m, SERVER, np.int64), np.full(m, self.version, np.int64)
            batches.append(Messages("parameters", sender, receiver, arrays, np.ones(m), base))
        return batches or self._everyone.broadcast(phones)

    def absorb(self, messages: Messages) -> BoolArray:
        """Fold *messages* into everybody's and their clusters' tables; keep the embeddings.

        Returns:
            Which ones were accepted: those whose change the fold accepts.
        """
        vectors, changes = messages.arrays[EMBEDDING], without(messages, EMBEDDING)
        accepted = self._everyone.absorb(changes)
        labels, age = self._received[messages.sender], self.version - messages.base
        for cluster in np.unique(labels[accepted]):
            group, mine = self._groups[cluster], accepted & (labels == cluster)
            group.absorb(replace(changes.take(mine), base=group.version - age[mine]))
        self._embeddings[messages.sender[accepted]] = vectors[accepted]
        self._known[messages.sender[accepted]] = True
        return accepted

    def close(self) -> None:
        """Apply what was absorbed, then cluster all users whose embedding is known."""
        before = self.version
        for fold in (self._everyone, *self._groups):
            fold.close()
        if self.version == before:
            return
        known = np.flatnonzero(self._known)
        clusters = kmeans(
            self._embeddings[known],
            len(self._groups),
            self._draws.child("clusters"),
            start=self._centers,
        )
        self._centers = clusters.centers
        self.labels = np.full(len(self._known), int(np.argmax(clusters.sizes)), np.int64)
        self.labels[known] = clusters.labels


def without(messages: Messages, name: str) -> Messages:
    """Return *messages* without the array *name*."""
    return replace(
        messages,
        arrays={key: value for key, value in messages.arrays.items() if key != name},
        offsets={key: value for key, value in messages.offsets.items() if key != name},
    )
