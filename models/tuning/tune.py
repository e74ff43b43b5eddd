"""Fine-tuning: phones get a model that was trained in one place, and go on with it alone.

The place that has trained it knows every user's first vector; what becomes of it stays on the
phone.
"""

from typing import Literal

import numpy as np

from droidloop.models.evaluation.evaluator import ModelScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.fitting.train_centrally import train_centrally
from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import PeerLearning, Snapshot
from droidloop.models.local.local_training import LocalTraining
from droidloop.models.local.mf_sgd import Sgd
from droidloop.models.peer.gossip_mf import GossipMF, own_tables
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method


class TuneSection(LocalTraining):
    """A model trained in one place that every phone goes on with alone."""

    part: Literal["all", "user"] = "all"
    """What is trained: everything, or only the user's vector (the last layer)."""


def build(section: TuneSection, recommender: MF, task: TaskData) -> PeerLearning:
    """Return phones that get a model trained in one place, and go on alone."""
    base, n_phones = train_centrally(recommender, task), task.split.n_users
    step = section.learning_rate
    sgd = Sgd(step, 0.0 if section.part == "user" else step, section.epochs, section.batch)
    store = store_of(recommender, base, n_phones)
    cloud = ModelScorer(recommender, base)
    peer = GossipMF(recommender, sgd, section.negatives, task.exclude, updates="once")
    return PeerLearning(
        recommender=recommender,
        store=store,
        data=task.split.train,
        draws=task.draws.child("training"),
        snapshot=lambda: Snapshot({"trained": own_tables(recommender, store), "cloud": cloud}),
        peer=peer,
        initial_download=_initial_download(recommender, base, n_phones),
        steps=peer,
    )


def store_of(recommender: MF, base: Params, n_phones: int) -> PrivateStore:
    """Return a store in which every phone begins with *base*."""
    name = recommender.items.name
    table, users = base[name].numpy(), base["user"].numpy()

    def fill(phones: IntArray) -> dict[str, Array]:
        zero = np.zeros(len(phones), np.int64)
        return {
            "user": users[phones],
            name: np.broadcast_to(table, (len(phones), *table.shape)),
            **{counter: zero for counter in ("age", "refused", "diverged")},
        }

    return PrivateStore(n_phones, fill)


def _initial_download(recommender: MF, base: Params, n_phones: int) -> Messages:
    """Return what every phone fetches first: the table, and its user's vector as a start."""
    server = np.full(n_phones, SERVER)
    arrays = {recommender.items.name: base[recommender.items.name].numpy()}
    arrays["start"] = base["user"].numpy()
    return Messages(
        kind="parameters",
        sender=server,
        receiver=np.arange(n_phones),
        arrays=arrays,
        weight=np.ones(n_phones),
        base=np.zeros(n_phones, np.int64),
        offsets={"start": np.arange(n_phones + 1)},
    )


METHOD = Method(
    kind="rule",
    name="tune",
    section=TuneSection,
    build=build,
    source="the tutorial's fine-tuning of whole models and of last layers (WWW 2024)",
    gives=frozenset({"peers", "own-table", "device-step"}),
    needs={"recommender": frozenset({"mf"}), "protocol": frozenset({"peers"})},
)
