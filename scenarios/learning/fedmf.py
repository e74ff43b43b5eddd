"""FedMF: the server folds item rows, users' vectors stay on the phones."""

from functools import partial

from droidloop.models.federated.adaptive import fed_adam
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import (
    Fold,
    Staleness,
    fed_avg,
    gradient_descent,
    plain_average,
    row_average,
)
from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.store import PrivateStore
from droidloop.scenarios.schema.learning_sections import FedMFSection, FoldedTraining

from .learning import Federation
from .mf_parts import look_at_mf, mf_of, sgd_of
from .staleness import lateness
from .task_data import Material


def fedmf(section: FedMFSection, material: Material) -> Federation:
    """Return FedMF as *section* wants it."""
    recommender = mf_of(material, section.l2)
    draws = material.draws
    client = FedMF(
        recommender,
        sgd_of(section),
        negatives=section.negatives,
        exclude=material.exclude,
        upload=section.upload,
    )
    server = fold_of(section, recommender.init(draws.child("init")), lateness(material))
    store = PrivateStore.of(recommender, draws.child("init"), material.split.n_users)
    return Federation(
        recommender=recommender,
        store=store,
        data=material.split.train,
        draws=draws.child("training"),
        look=partial(look_at_mf, recommender, server, store),
        ships=True,
        client=client,
        server=server,
    )


def fold_of(section: FoldedTraining, params: Params, late: Staleness) -> Fold:
    """Return the server that *section* wants, starting from *params*."""
    match section.server:
        case "rowmean":
            return row_average(params, section.server_step, staleness=late)
        case "fedavg":
            return fed_avg(params, section.server_step, staleness=late)
        case "mean":
            return plain_average(params, section.server_step, staleness=late)
        case "sum":
            return gradient_descent(params, section.server_step, staleness=late)
        case "fedadam":
            return fed_adam(params, section.server_step, staleness=late)
