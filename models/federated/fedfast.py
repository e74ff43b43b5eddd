"""FedFast does not work here, because with settings chosen its lead over FedMF is within chance.

It learns sooner than FedAvg where both take the published steps of 1; with all settings chosen on
validation the lead changes its sign with the seed, and the paper's weights of rows lose to plain
means (row ``fedfast-ml-100k``). Delegates of clusters train, and the others of a cluster move along
with them.

Muhammad et al., FedFast: Going Beyond Average for Faster Training of Federated Recommender Systems
(KDD 2020). ActvSAMP: the server clusters users by their embeddings and asks some of every cluster.
ActvAGG: item rows are averaged over those that trained them, in the paper weighted by how far each
has moved them, and a user who was not asked is sent the mean change of the embeddings of the
delegates of the cluster, discounted, the more so the later the round. The embedding is what this
paper gives away: the private ``user`` never leaves, ``user_embedding`` is a copy of it under a name
of its own.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, final

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.learning import Cohort, Cost, Params
from droidloop.models.interfaces.staleness import Staleness
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import FederatedLearning
from droidloop.models.learning.shared_model import shared_learning
from droidloop.models.local.local_training import LocalTraining
from droidloop.models.numerics.kmeans import kmeans, some_of_each
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, BoolArray, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, Positive, Share
from droidloop.platform.state import Stateful

from .fedmf import FedMF
from .folds import Fold, extent_average, row_average
from .perfedrec_rules import EMBEDDING, without

DRIFT = "drift"
"""What a phone's user vector is to be moved by before it trains: the discounted mean of others."""


@dataclass(frozen=True)
class FedFast:
    """Client rule: moves the user vector with its cluster, trains as *inner*, sends the vector."""

    inner: FedMF

    def __post_init__(self) -> None:
        if (self.inner.kind, self.inner.upload) != ("delta", "part"):
            raise ValueError("FedFast averages changes of rows over those that trained them")

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Train; return the changes of item rows and ``user_embedding``; see ``FedMF.step``."""
        if inbox is not None and DRIFT in inbox.arrays:
            cohort.private["user"] += _usable(inbox.arrays[DRIFT])
            inbox = without(inbox, DRIFT)
        sent = self.inner.step(cohort, inbox, data, draws)
        vectors = np.array(cohort.private["user"], np.float32).reshape(
            len(cohort), self.inner.recommender.dim
        )
        return replace(
            sent,
            arrays=sent.arrays | {EMBEDDING: vectors},
            offsets=sent.offsets | {EMBEDDING: np.arange(len(cohort) + 1)},
        )

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what the step takes: that of the inner rule."""
        return self.inner.cost(cohort, data)


@final
class FedFastServer(Stateful):
    """Server rule: a fold, k-means of embeddings after each step, and the drift of every user.

    Attributes:
        labels: the cluster of each phone; a random one until it has sent an embedding, as the
            first vectors are random.
    """

    STATE = ("_fold", "_embeddings", "_drift", "_centers", "_heard", "_known", "labels")

    def __init__(
        self,
        fold: Fold,
        *,
        n_phones: int,
        dim: int,
        clusters: int,
        discount: float,
        draws: Draws,
        fade: float = 1.0,
    ) -> None:
        """Group into *clusters*; a user who is not asked moves by *discount* of the others' mean.

        The discount is multiplied by *fade* after each step.

        Raises:
            ValueError: there is no cluster, or *discount* or *fade* does not lie in 0..1.
        """
        if clusters < 1 or not (0.0 <= discount <= 1.0 and 0.0 <= fade <= 1.0):
            raise ValueError(
                f"{clusters} clusters, discount {discount}, fade {fade}: give 1 or more, and 0..1"
            )
        self._fold, self._clusters, self._discount = fold, clusters, discount
        self._fade = fade
        self._draws = draws
        self._embeddings = np.zeros((n_phones, dim), np.float32)
        self._drift = np.zeros((n_phones, dim), np.float32)
        self._centers: FloatArray | None = None
        self._heard: dict[int, FloatArray] = {}
        self._known = np.zeros(n_phones, np.bool_)
        self.labels = draws.child("first").integers(np.arange(n_phones), 0, clusters)

    @property
    def version(self) -> int:
        """How many steps changed the table."""
        return self._fold.version

    @property
    def params(self) -> Params:
        """The item table."""
        return self._fold.params

    @property
    def form(self) -> Form:
        """Changes of rows, and one embedding."""
        return self._fold.form.with_row(EMBEDDING, self._drift.shape[1])

    def broadcast(self, phones: IntArray) -> list[Messages]:
        """Return the table for all of *phones*, and each one's drift, which waits until it came."""
        [messages] = self._fold.broadcast(phones)
        drift = self._drift[phones]
        return [
            replace(
                messages,
                arrays=messages.arrays | {DRIFT: drift},
                offsets=messages.offsets | {DRIFT: np.arange(len(phones) + 1)},
            )
        ]

    def delivered(self, messages: Messages) -> None:
        """Be done with the drift in those of what was broadcast that have arrived."""
        self._drift[messages.receiver] -= messages.arrays[DRIFT]

    def drift_of(self, phones: IntArray) -> Array:
        """Return what waits for *phones*, (len(phones), dim); a copy."""
        return np.array(self._drift[phones])

    def absorb(self, messages: Messages) -> BoolArray:
        """Fold the changes of rows, keep the embeddings; return which messages were accepted."""
        vectors = messages.arrays[EMBEDDING]
        accepted = self._fold.absorb(without(messages, EMBEDDING))
        for k in np.flatnonzero(accepted).tolist():
            self._heard[int(messages.sender[k])] = vectors[k].astype(np.float64)
        return accepted

    def close(self) -> None:
        """Apply what was absorbed, let the others of each cluster drift, and cluster anew."""
        self._fold.close()
        if not self._heard:
            return
        delegates = np.array(sorted(self._heard), np.int64)
        new = np.array([self._heard[phone] for phone in delegates.tolist()])
        self._heard = {}
        self._move_others(delegates, new - self._embeddings[delegates])
        self._embeddings[delegates] = new
        self._known[delegates] = True
        known = np.flatnonzero(self._known)
        clusters = kmeans(
            self._embeddings[known],
            self._clusters,
            self._draws.child("clusters"),
            start=self._centers,
        )
        self._centers = clusters.centers
        self.labels[known] = clusters.labels

    def _move_others(self, delegates: IntArray, change: FloatArray) -> None:
        """Add to the drift of those who were not heard the mean change of their delegates."""
        others = np.ones(len(self.labels), np.bool_)
        others[delegates] = False
        labels, discount = self.labels[delegates], self._discount * self._fade ** (self.version - 1)
        for cluster in np.unique(labels).tolist():
            mean = discount * change[labels == cluster].mean(axis=0)
            follow = others & (self.labels == cluster)
            self._drift[follow] += mean.astype(np.float32)
            self._embeddings[follow] += mean.astype(np.float32)


def _usable(drift: Array) -> Array:
    """Return *drift*, or nothing where it is no number."""
    return np.where(np.isfinite(drift).all(axis=1, keepdims=True), drift, np.float32(0))


def deliver(server: FedFastServer, store: PrivateStore, messages: Messages) -> None:
    """Move the user vectors of those whom *messages* have reached, whatever they do with them."""
    server.delivered(messages)
    users = store.gather(messages.receiver)
    users["user"] += _usable(messages.arrays[DRIFT])
    store.commit(messages.receiver, users)


class FedFastSection(LocalTraining):
    """Does not work here, because it leads FedMF by chance alone: delegates of clusters train."""

    clusters: Count = 10
    """Of users by their vectors."""
    discount: Share = 0.5
    """How far a user who was not asked moves with the delegates of the cluster."""
    fade: Share = 1.0
    """Times the discount after each step."""
    weights: Literal["equal", "extent"] = "equal"
    """Of those that trained a row: alike, or as far as each has moved it, as in the paper."""
    server_step: Positive = 2.0
    """Times the mean change of a row."""

    def fold(self, params: Params, staleness: Staleness) -> Fold:
        """Return how rows are averaged, starting from *params*."""
        average = extent_average if self.weights == "extent" else row_average
        return average(params, self.server_step, staleness=staleness)


def build(section: FedFastSection, recommender: MF, task: TaskData) -> FederatedLearning:
    """Return FedFast as *section* wants it."""
    draws = task.draws
    params = recommender.init(draws.child("init"))
    server = FedFastServer(
        section.fold(params, task.staleness),
        n_phones=task.split.n_users,
        dim=recommender.dim,
        clusters=section.clusters,
        discount=section.discount,
        fade=section.fade,
        draws=draws.child("clusters"),
    )
    client = FedFast(FedMF(recommender, section.sgd, section.negatives, task.exclude))
    choose = partial(_choose, server, draws.child("clients"))
    learning = shared_learning(recommender, task, client, server, choose=choose)
    learning.on_delivered = partial(deliver, server, learning.store)
    return learning


def _choose(
    server: FedFastServer, draws: Draws, able: IntArray, clients: int, round_: int
) -> IntArray:
    return some_of_each(able, server.labels, clients, draws, round_)


METHOD = Method(
    kind="rule",
    name="fedfast",
    section=FedFastSection,
    build=build,
    source="Muhammad et al.: FedFast (KDD 2020)",
    gives=frozenset({"server", "ships"}),
    needs={"recommender": frozenset({"mf"}), "protocol": frozenset({"server"})},
)
