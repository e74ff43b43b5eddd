"""FedFast: some of every cluster train, the others follow."""

from functools import partial

from droidloop.models.federated.fedfast import FedFast, FedFastServer
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.numerics.kmeans import some_of_each
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.scenarios.schema.learning_sections import FedFastSection

from .learning import Federation
from .mf_parts import look_at_mf, mf_of, sgd_of
from .staleness import lateness
from .task_data import Material


def fedfast(section: FedFastSection, material: Material) -> Federation:
    """Return FedFast as *section* wants it."""
    recommender, draws = mf_of(material, section.l2), material.draws
    params = recommender.init(draws.child("init"))
    server = FedFastServer(
        row_average(params, section.server_step, staleness=lateness(material)),
        n_phones=material.split.n_users,
        dim=recommender.dim,
        clusters=section.clusters,
        discount=section.discount,
        draws=draws.child("clusters"),
    )
    inner = FedMF(recommender, sgd_of(section), section.negatives, material.exclude)
    store = PrivateStore.of(recommender, draws.child("init"), material.split.n_users)
    return Federation(
        recommender=recommender,
        store=store,
        data=material.split.train,
        draws=draws.child("training"),
        look=partial(look_at_mf, recommender, server, store),
        ships=True,
        client=FedFast(inner),
        server=server,
        choose=partial(_choose, server, draws.child("clients")),
    )


def _choose(
    server: FedFastServer, draws: Draws, able: IntArray, clients: int, round_: int
) -> IntArray:
    return some_of_each(able, server.labels, clients, draws, round_)
