"""Fine-tuning does not work here, because the model that phones get has seen the same history.

Phones get a model that was trained in one place, and go on with it alone.

The place that has trained it knows every user's first vector; what becomes of it stays on the
phone.
"""

from typing import Literal

import numpy as np

from droidloop.models.evaluation.evaluator import ModelScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.fitting.train_centrally import train_centrally
from droidloop.models.interfaces.learning import Params, shared_parameters
from droidloop.models.learning.learning import PeerLearning, Snapshot
from droidloop.models.local.local_training import LocalTraining
from droidloop.models.local.sgd import Sgd
from droidloop.models.peer.gossip_mf import GossipMF, own_tables, store_from
from droidloop.models.recommenders.mf import MF
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method


class TuneSection(LocalTraining):
    """No gain here over the cloud: a model trained in one place that phones go on with alone."""

    part: Literal["all", "user"] = "all"
    """What is trained: everything, or only the user's vector (the last layer)."""


def build(section: TuneSection, recommender: MF, task: TaskData) -> PeerLearning:
    """Return phones that get a model trained in one place, and go on alone."""
    base, n_phones = train_centrally(recommender, task), task.split.n_users
    step = section.learning_rate
    sgd = Sgd(step, 0.0 if section.part == "user" else step, section.epochs, section.batch)
    users = base["user"].numpy()
    store = store_from(recommender, base, lambda phones: users[phones], n_phones)
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


def _initial_download(recommender: MF, base: Params, n_phones: int) -> Messages:
    """Return what every phone fetches first: the table, and its user's vector as a start."""
    server = np.full(n_phones, SERVER)
    arrays = {name: base[name].numpy() for name in shared_parameters(recommender)}
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
