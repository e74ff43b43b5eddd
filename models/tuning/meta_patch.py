"""MetaPatch does not work here, because training a user's whole vector gains more than its patch.

On ml-1m (row ``dccl-ml-1m``). A phone personalises a frozen model by a few numbers, and nothing
else is trained.

Yao, Wang, Jia, Han, Zhou, Yang: Device-Cloud Collaborative Learning for Recommendation (DCCL, KDD
2021), its device side; patch learning is the same. A residual module stands in the frozen model,

    h' = h + f(h; theta),    theta = basis . z,

where h is the user's vector, f(h; theta) = scale * h + shift, and theta the two together. The cloud
learns the basis, once for all; the phone trains z alone, from 0. With z = 0 nothing is changed.

What differs from the paper: one patch, on matrix factorisation, where the paper has one a layer; f
is linear in theta, so that training z is a logistic regression with the frozen score beside it; the
basis is learned from the latest events that the cloud has, with a vector z for each of its users,
not through an encoder.
"""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
from pydantic import Field

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.evaluation.evaluator import ModelScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.fitting.train_centrally import train_centrally
from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.learning import Cost, Params, shared_parameters
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import PeerLearning, Snapshot
from droidloop.models.numerics.losses import log_loss
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.float_rows import every_vector, normal_rows
from droidloop.platform.arrays import Float32Array, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import kernel
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, NotNegative, Positive, Section
from droidloop.platform.workers import for_chunks

_BASIS_SD, _BASIS_RATE, _BASIS_BATCH = 0.1, 0.01, 2048


class MetaPatchSection(Section):
    """A patch does not work here, because tuning gains more: some numbers on a frozen model."""

    numbers: Count = 16
    """How many numbers a phone trains: the length of z."""
    recent: Annotated[float, Field(ge=1e-6, lt=1.0)] = 0.25
    """The share of a phone's training events, its latest, that the cloud has not seen; on these
    the patch is trained."""
    learning_rate: Positive = 0.3
    """Of plain SGD on the phone."""
    l2: NotNegative = 0.0003
    """The weight of the squares of z, for every pair of a user and an item."""
    epochs: Count = 20
    """Passes over the phone's events in a turn."""
    negatives: Count = 4
    """Items drawn for each event, anew in each turn."""
    basis_epochs: Count = 10
    """Passes with which the cloud learns the basis."""


@dataclass(frozen=True, eq=False)
class MetaPatch:
    """Peer rule on the store of ``patch_store``; phones tell nothing.

    Attributes:
        model: the frozen one.
        cloud: its parameters, with every user's vector.
        basis: (numbers, 2 dim): what each number adds to scale and shift.
        section: steps, passes, negatives.
        exclude: by phone, the items never drawn as negatives; None: the local data.
        threads: None: one a processor. The result does not depend on it.
    """

    model: MF
    cloud: Params
    basis: Float32Array
    section: MetaPatchSection
    exclude: UserItems | None = None
    threads: int | None = None

    def form(self, store: PrivateStore) -> Form:
        """Return the form of messages: there are none."""
        return Form(frozenset(), {})

    def share(self, phones: IntArray, store: PrivateStore, round_: int, draws: Draws) -> Messages:
        """Return empty messages: phones tell nothing."""
        m = len(phones)
        return Messages(
            "nothing", phones, np.full(m, SERVER), {}, np.ones(m), np.zeros(m, np.int64)
        )

    def learn(
        self,
        phones: IntArray,
        inbox: Messages | None,
        store: PrivateStore,
        data: UserItems,
        round_: int,
        draws: Draws,
    ) -> None:
        """Train z of each phone on its *data* and on items drawn for them.

        Raises:
            ValueError: *data* is not one row a phone.
        """
        if data.n_users != len(phones):
            raise ValueError(f"{data.n_users} rows of data for {len(phones)} phones")
        columns, section = store.gather(phones), self.section
        drawn = draw_negatives(
            *(data, section.negatives, self.model.n_items),
            data if self.exclude is None else self.exclude.take(phones),
            phones=phones,
            draws=draws,
            counter=round_,
            threads=self.threads,
        )
        users = self.cloud["user"].numpy()[phones]
        table = every_vector(self.model.items, self.cloud)
        numbers = (section.learning_rate, section.l2, section.epochs)

        def work(low: int, high: int) -> None:
            _learn(
                *(low, high, columns["patch"], users, table, self.basis),
                *(data.items, data.offsets, drawn, *numbers),
            )

        for_chunks(work, len(phones), self.threads)
        columns["turns"] += 1
        store.commit(phones, columns)

    def cost(self, phones: IntArray, merged: IntArray, data: UserItems) -> Cost:
        """Return what ``learn`` takes.

        Of each pair what z multiplies is computed once, 2 x 2 dim flops a number and 2 dim for the
        frozen score, and each pass takes 4 flops a number. In memory: table, basis and these.
        """
        dim, k = self.model.dim, len(self.basis)
        pairs = data.counts * (1 + self.section.negatives)
        table = self.model.items.cost(pairs)
        return Cost(
            pairs * (4 * dim * k + 2 * dim + 4 * k * self.section.epochs),
            pairs * 4 * (dim + k * self.section.epochs),
            table.ram_bytes + self.basis.nbytes + 4 * pairs * (k + 1),
        )


def patch_store(numbers: int, n_phones: int) -> PrivateStore:
    """Return what phones hold: ``patch``, z, 0 at first, and how many ``turns`` they had."""
    return PrivateStore(
        n_phones,
        lambda phones: {
            "patch": np.zeros((len(phones), numbers), np.float32),
            "turns": np.zeros(len(phones), np.int64),
        },
    )


def patched(users: Float32Array, patches: Float32Array, basis: Float32Array) -> Float32Array:
    """Return h + scale * h + shift of *users* (n, dim) by their *patches* (n, numbers)."""
    theta = (patches[:, :, None] * basis).sum(axis=1)
    dim = users.shape[1]
    return np.asarray(users + (theta[:, :dim] * users + theta[:, dim:]), np.float32)


def learn_basis(
    model: MF,
    cloud: Params,
    latest: UserItems,
    exclude: UserItems,
    numbers: int,
    epochs: int,
    draws: Draws,
) -> Float32Array:
    """Return a basis with which some z for each user explains *latest*, (numbers, 2 dim).

    Adam on the log loss of basis and z together, the model frozen; *latest* should be events that
    *cloud* was not trained on. Rows are as long as makes their z about 1 in the mean square.
    """
    first = normal_rows(draws.child("basis"), np.arange(numbers), 2 * model.dim, _BASIS_SD)
    basis = torch.from_numpy(first).requires_grad_()
    z = torch.zeros(latest.n_users, numbers, requires_grad=True)
    users, table = cloud["user"], torch.from_numpy(every_vector(model.items, cloud))
    descent = torch.optim.Adam([basis, z], lr=_BASIS_RATE)
    owners = np.repeat(np.arange(latest.n_users), latest.counts)
    for epoch in range(epochs):
        drawn = draw_negatives(
            *(latest, 4, model.n_items, exclude),
            phones=np.arange(latest.n_users),
            draws=draws,
            counter=epoch,
        )
        order = np.argsort(draws.child("epoch").bits(np.arange(len(owners)), epoch), kind="stable")
        with one_thread():
            for start in range(0, len(order), _BASIS_BATCH):
                part = order[start : start + _BASIS_BATCH]
                who = torch.from_numpy(owners[part])
                ids = np.concatenate([latest.items[part, None], drawn[part]], axis=1)
                theta = z[who] @ basis
                own = users[who] * (1 + theta[:, : model.dim]) + theta[:, model.dim :]
                there = torch.from_numpy(np.maximum(ids, 0).astype(np.int64))
                scores = (own[:, None] * table[there]).sum(-1)
                labels = torch.zeros_like(scores)
                labels[:, 0] = 1
                loss = (log_loss(scores, labels) * torch.from_numpy(ids >= 0)).sum()
                descent.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                descent.step()
    size = z.detach().square().mean(0).sqrt()[:, None]
    return np.asarray((basis.detach() * size).numpy(), np.float32)


def older(data: UserItems, share: float) -> tuple[UserItems, UserItems]:
    """Return the oldest events of each user and the rest, the latest *share*, rounded down."""
    owners = np.repeat(np.arange(data.n_users), data.counts)
    place = np.arange(len(data.items)) - data.offsets[:-1][owners]
    seen = place < (data.counts - np.floor(share * data.counts + 1e-9))[owners]
    return data.keep(seen), data.keep(~seen)


def build(section: MetaPatchSection, recommender: MF, task: TaskData) -> PeerLearning:
    """Return phones that get a model and a basis, and patch it alone."""
    seen, own = older(task.split.train, section.recent)
    first, latest = older(seen, section.recent)

    def trained(train: UserItems) -> Params:
        return train_centrally(recommender, replace(task, split=replace(task.split, train=train)))

    basis = learn_basis(
        *(recommender, trained(first), latest, task.exclude),
        *(section.numbers, section.basis_epochs, task.central.child("patches")),
    )
    cloud, n_phones = trained(seen), task.split.n_users
    store = patch_store(section.numbers, n_phones)

    def now() -> Snapshot:
        patches = store.gather(np.arange(n_phones))["patch"]
        users = torch.from_numpy(patched(cloud["user"].numpy(), patches, basis))
        scorers = {"trained": cloud | {"user": users}, "cloud": cloud}
        return Snapshot({name: ModelScorer(recommender, one) for name, one in scorers.items()})

    return PeerLearning(
        recommender=recommender,
        store=store,
        data=own,
        draws=task.draws.child("training"),
        snapshot=now,
        peer=MetaPatch(recommender, cloud, basis, section, task.exclude),
        initial_download=_initial_download(recommender, cloud, basis, n_phones),
    )


def _initial_download(model: MF, cloud: Params, basis: Float32Array, n_phones: int) -> Messages:
    """Return what every phone fetches first: table, basis, and its user's vector as a start."""
    arrays = {name: cloud[name].numpy() for name in shared_parameters(model)}
    return Messages(
        kind="parameters",
        sender=np.full(n_phones, SERVER),
        receiver=np.arange(n_phones),
        arrays={**arrays, "basis": basis, "start": cloud["user"].numpy()},
        weight=np.ones(n_phones),
        base=np.zeros(n_phones, np.int64),
        offsets={"start": np.arange(n_phones + 1)},
    )


@kernel
def _learn(
    low: int,
    high: int,
    patches: Float32Array,
    users: Float32Array,
    table: Float32Array,
    basis: Float32Array,
    items: IntArray,
    offsets: IntArray,
    drawn: Int32Array,
    rate: float,
    l2: float,
    epochs: int,
) -> None:
    """SGD on the log loss of each pair, whose score is frozen + z . read."""
    numbers, dim, width = basis.shape[0], table.shape[1], 1 + drawn.shape[1]
    for k in range(low, high):
        first, last, own = offsets[k], offsets[k + 1], users[k]
        read = np.zeros(((last - first) * width, numbers), np.float64)
        frozen = np.zeros((last - first) * width, np.float64)
        there = np.ones((last - first) * width, np.bool_)
        for row in range((last - first) * width):
            event, place = first + row // width, row % width
            item = items[event] if place == 0 else drawn[event, place - 1]
            there[row] = item >= 0
            if item >= 0:
                vector = table[item]
                for d in range(dim):
                    frozen[row] += own[d] * vector[d]
                    for j in range(numbers):
                        read[row, j] += (basis[j, d] * own[d] + basis[j, dim + d]) * vector[d]
        z = patches[k].astype(np.float64)
        for _ in range(epochs):
            for row in range(len(read)):
                if not there[row]:
                    continue
                score = frozen[row]
                for j in range(numbers):
                    score += z[j] * read[row, j]
                slope = 1 / (1 + np.exp(-score)) - (1.0 if row % width == 0 else 0.0)
                for j in range(numbers):
                    z[j] -= rate * (slope * read[row, j] + l2 * z[j])
        if np.isfinite(z).all():
            patches[k] = z.astype(np.float32)


METHOD = Method(
    kind="rule",
    name="meta-patch",
    section=MetaPatchSection,
    build=build,
    source="Yao et al.: Device-Cloud Collaborative Learning for Recommendation (KDD 2021)",
    gives=frozenset({"peers"}),
    needs={"recommender": frozenset({"mf"}), "protocol": frozenset({"local"})},
)
