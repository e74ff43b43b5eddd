"""Matrix factorisation on phones that hold all of it: gossip, groups, and fine-tuning alone."""

from functools import partial

import numpy as np

from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.mf_sgd import Sgd
from droidloop.models.peer.gossip_mf import GossipMF, gossip_store
from droidloop.models.peer.group_by_taste import Tastes
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.messages import SERVER, Messages
from droidloop.scenarios.schema.learning_sections import GossipMFSection, TuneSection

from .central_training import train_centrally
from .evaluator import ModelScorer, OwnTablesScorer, Scorer
from .learning import Society, Trained
from .mf_parts import mf_of, sgd_of
from .task_data import Material


def gossip_mf(section: GossipMFSection, material: Material) -> Society:
    """Return phones that start from one table and average theirs with their neighbours'."""
    recommender, draws = mf_of(material, section.l2), material.draws
    store = gossip_store(
        recommender, draws.child("init"), material.split.n_users, by_row=section.by_row
    )
    peer = GossipMF(
        recommender,
        sgd_of(section),
        negatives=section.negatives,
        exclude=material.exclude,
        updates="once",
        share_of_rows=section.share_of_rows,
    )
    return Society(
        recommender=recommender,
        store=store,
        data=material.split.train,
        draws=draws.child("training"),
        look=partial(_look, recommender, store, {}),
        ships=False,
        peer=peer,
        grouping=Tastes(recommender.items.name, material.split.train),
    )


def tune(section: TuneSection, material: Material) -> Society:
    """Return phones that get a model trained in one place, and go on alone.

    The place that has trained it knows every user's first vector; what becomes of it stays on the
    phone.
    """
    recommender, draws = mf_of(material, section.l2), material.draws
    base = train_centrally(recommender, material)
    step = section.learning_rate
    sgd = Sgd(step, 0.0 if section.part == "user" else step, section.epochs, section.batch)
    store = store_of(recommender, base, material.split.n_users)
    return Society(
        recommender=recommender,
        store=store,
        data=material.split.train,
        draws=draws.child("training"),
        look=partial(_look, recommender, store, {"cloud": ModelScorer(recommender, base)}),
        ships=False,
        peer=GossipMF(recommender, sgd, section.negatives, material.exclude, updates="once"),
        opening=_opening(recommender, base, material.split.n_users),
    )


def _look(recommender: MF, store: PrivateStore, beside: dict[str, Scorer]) -> Trained:
    """Return every phone's own model."""
    columns = store.gather(np.arange(len(store)))
    own = OwnTablesScorer(columns["user"], columns[recommender.items.name])
    return Trained({"trained": own, **beside})


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


def _opening(recommender: MF, base: Params, n_phones: int) -> Messages:
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
