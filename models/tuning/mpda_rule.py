"""MPDA: a phone tunes its model on its own samples and on those of others that help it.

Yan et al., On-Device Learning for Model Personalization with Large-Scale Cloud-Coordinated Domain
Adaption (KDD 2022). The cloud proposes pools of samples of similar users; the phone keeps a pool
only if the model trained with it does better on local samples that are held out, and then trains
on its own and on what it kept.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.samples import Samples, next_samples, samples_of
from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.learning import Cost, Params
from droidloop.models.interfaces.peers import by_receiver
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.din_sgd import (
    loss_of,
    network_size,
    networks_of,
    readings_of,
    train_network,
)
from droidloop.models.recommenders.din import DIN
from droidloop.platform.arrays import Array, Float32Array, IntArray
from droidloop.platform.draws import Draws, Key
from droidloop.platform.law import kernel
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.workers import for_chunks

COUNTERS = ("turns", "offered", "kept")


def mpda_store(din: DIN, cloud: Params, n_phones: int) -> PrivateStore:
    """Return what phones hold: ``network`` as the cloud has it, and the counters."""
    first = networks_of(din, cloud, n_phones)

    def fill(phones: IntArray) -> dict[str, Array]:
        zero = np.zeros(len(phones), np.int64)
        return {"network": first[phones], **dict.fromkeys(COUNTERS, zero)}

    return PrivateStore(n_phones, fill)


@dataclass(frozen=True, eq=False)
class MPDA:
    """Peer rule on the store of ``mpda_store``; messages of kind ``samples`` come from the server.

    A network that does worse on the held-out samples than the one before is not kept, with or
    without pools.

    Attributes:
        din: the model.
        cloud: its parameters, frozen but for the network.
        rate: step of SGD.
        epochs: passes over the samples in a turn.
        held_share: of a phone's latest samples, on which pools are judged.
        samples: what a phone makes of its events: whether each is ``rated`` as liked, or what came
            ``next``, from an item drawn anew each turn that is none of its events (``ctr.py``).
        threads: None: one a processor. The result does not depend on it.
    """

    din: DIN
    cloud: Params
    rate: float = 0.01
    epochs: int = 3
    held_share: float = 1 / 9
    samples: Literal["rated", "next"] = "rated"
    threads: int | None = None

    def form(self, store: PrivateStore) -> Form:
        """Return the form of a pool of samples."""
        n = self.din.n_items - 1.0
        arrays = {
            "items": ArrayForm((0,), "int32", ragged=True, low=0.0, high=n, needed=True),
            "labels": ArrayForm((0,), ragged=True, low=0.0, high=1.0, like="items", needed=True),
            "history": ArrayForm(
                *((0, self.din.length), "int32"), ragged=True, low=-1.0, high=n, like="items",
                needed=True,
            ),
        }  # fmt: skip
        return Form(frozenset({"samples"}), arrays)

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
        """Try the pools that arrived, and train on local samples and what is kept of them.

        Pools are of ``form``: whoever lets them in has looked.

        Raises:
            ValueError: *data* is not one row a phone, or the inbox is not addressed to *phones*.
        """
        if data.n_users != len(phones):
            raise ValueError(f"{data.n_users} rows of data for {len(phones)} phones")
        first, count = by_receiver(phones, inbox)
        local = self._local(phones, data, draws.child(f"next/{round_}"))
        readings, labels = self._readings(local.items, local.history), local.labels
        pools = np.zeros(1, np.int64)
        if inbox is not None and len(inbox):
            pools, offered = inbox.offsets["items"] + len(local), inbox.arrays
            theirs = self._readings(offered["items"], offered["history"])
            readings = np.concatenate([readings, theirs])
            labels = np.concatenate([labels, offered["labels"]])
        columns = store.gather(phones)
        held = np.floor(self.held_share * data.counts + 1e-9).astype(np.int64) * self._each
        key = draws.child(f"turn/{round_}").key
        bounds = (local.offsets, local.offsets[1:] - held, first, count, pools)

        def work(low: int, high: int) -> None:
            _learn(
                *(low, high, phones, columns["network"], readings, labels, *bounds),
                *(columns["kept"], self.rate, self.epochs, key),
            )

        for_chunks(work, len(phones), self.threads)
        columns["turns"] += 1
        columns["offered"] += count
        store.commit(phones, columns)

    def cost(self, phones: IntArray, merged: IntArray, data: UserItems) -> Cost:
        """Return what ``learn`` takes, for pools as large as the local data.

        Of each sample one attention; of each training a forward and backward of the network.
        """
        width, reads = self.din.width, 3 * self.din.dim
        own = self._each * data.counts
        samples = own * (1 + merged)
        attention = self.din.length * self.din.dim * (3 * width + 2) * samples
        size = network_size(self.din)
        trained = self.epochs * own * (1 + 2 * merged + 1 + merged)
        return Cost(
            attention + 6 * size * trained,
            4 * self.din.length * self.din.dim * samples + 12 * size * trained,
            4 * (self.din.n_items * self.din.dim + 4 * size) + 4 * (reads + 1) * samples,
        )

    @property
    def _each(self) -> int:
        """How many samples an event gives."""
        return 2 if self.samples == "next" else 1

    def _local(self, phones: IntArray, data: UserItems, draws: Draws) -> Samples:
        if self.samples == "next":
            return next_samples(data, self.din.length, self.din.n_items, draws, phones=phones)
        return samples_of(data, self.din.length)

    def _readings(self, items: Array, history: Array) -> Float32Array:
        return readings_of(self.din, self.cloud, items, history)


@kernel
def _learn(
    low: int,
    high: int,
    phones: IntArray,
    networks: Float32Array,
    readings: Float32Array,
    labels: Float32Array,
    offsets: IntArray,
    ends: IntArray,
    first: IntArray,
    count: IntArray,
    pools: IntArray,
    kept: IntArray,
    rate: float,
    epochs: int,
    key: Key,
) -> None:
    for k in range(low, high):
        start, end, last = offsets[k], ends[k], offsets[k + 1]
        rows = np.arange(start, end)
        before = networks[k].copy()
        alone = train_network(before, readings, labels, rows, rate, epochs, key, phones[k])
        to_beat = loss_of(alone, readings, labels, end, last)
        best, every, taken = alone, rows, 0
        for m in range(first[k], first[k] + count[k]):
            if last == end:
                continue
            pool = np.arange(pools[m], pools[m + 1])
            both = np.concatenate((rows, pool))
            tried = train_network(before, readings, labels, both, rate, epochs, key, phones[k])
            if loss_of(tried, readings, labels, end, last) < to_beat:
                every = np.concatenate((every, pool))
                taken += 1
        if taken > 0:
            best = train_network(before, readings, labels, every, rate, epochs, key, phones[k])
            kept[k] += taken
        if loss_of(best, readings, labels, end, last) > loss_of(
            before, readings, labels, end, last
        ):
            best = before
        if np.isfinite(best).all():
            networks[k] = best
