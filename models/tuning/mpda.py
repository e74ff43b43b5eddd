"""MPDA does not work here, because phones that tune alone with all their data are as good.

A cloud trains DIN, phones tune it with samples that the cloud offers.

What is told is what a user had next, from an item that the user never had, or whether a rated event
is liked. Of each user's events the cloud and the phone have the oldest 80 %; the next 10 % are for
validation, the latest 10 % for test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from droidloop.models.data.interactions import UserItems, by_user
from droidloop.models.data.samples import (
    TEST,
    TRAIN,
    VALID,
    Samples,
    next_samples,
    parts,
    samples_of,
)
from droidloop.models.data.split import Part
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.fitting.fit_din import train_din
from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.metrics import Rated
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import Offers, PeerLearning, Snapshot
from droidloop.models.local.din_sgd import network_scores, networks_of, readings_of
from droidloop.models.metrics.auc import aucs
from droidloop.models.recommenders.din import DIN
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, Positive, Section

from .mpda_pools import propose, similar_users, tastes_of
from .mpda_rule import MPDA, mpda_store


class MPDASection(Section):
    """No better than tuning alone here: a cloud's DIN tuned on own and on offered samples."""

    learning_rate: Positive = 0.03
    """On the phone."""
    epochs: Count = 2
    """Passes over the samples in a turn, on the phone."""
    samples: Literal["next", "rated"] = "next"
    """What a user had next, from an item never had; or whether a rated event is liked."""
    donors: Literal["similar", "random", "none"] = "similar"
    """Whose samples a phone is offered; ``none``: it tunes on its own alone."""
    pools: Count = 10
    """Pools offered in a turn, each of one other user."""
    pool_size: Count = 200
    """Samples in a pool, at most."""
    held_share: Annotated[float, Field(ge=1e-6, lt=1.0)] = 0.125
    """Of a phone's latest samples, on which it judges pools."""
    cloud_epochs: Count = 20
    """Passes at most with which the cloud trains."""
    cloud_rate: Positive = 0.005
    """Of Adam in the cloud."""


def build(section: MPDASection, recommender: DIN, task: TaskData) -> PeerLearning:
    """Return phones that begin with one model and are offered pools in each turn.

    Raises:
        DataError: the data tell nothing of that kind.
    """
    events, draws = by_user(task.interactions), task.draws
    part = parts(events.counts)
    train, valid, test = _samples(section, recommender, task, events, part)
    cloud = train_din(
        *(recommender, train, valid, task.central),
        epochs=section.cloud_epochs,
        lr=section.cloud_rate,
    )
    store = mpda_store(recommender, cloud, events.n_users)
    return PeerLearning(
        recommender=recommender,
        store=store,
        data=events.keep(part == TRAIN),
        draws=draws.child("training"),
        snapshot=_Snapshots(recommender, cloud, store, valid, test),
        answers="ratings",
        peer=MPDA(
            *(recommender, cloud, section.learning_rate, section.epochs, section.held_share),
            samples=section.samples,
        ),
        initial_download=_initial_download(cloud, events.n_users),
        server_offers=_offers(section, recommender, cloud, train, draws),
    )


def _samples(
    section: MPDASection, din: DIN, task: TaskData, events: UserItems, part: IntArray
) -> list[Samples]:
    """Return the samples for training, validation and test."""
    n_items = task.split.n_items
    if section.samples == "rated":
        samples, each = samples_of(events, din.length), part
    elif (events.counts >= n_items).any():
        raise DataError(f"{task.source}: a user had all {n_items} items; leave such users out")
    else:
        draws = task.draws.child("never had")
        samples = next_samples(events, din.length, n_items, draws)
        each = np.repeat(part, 2)
    made = [samples.take(each == which) for which in (TRAIN, VALID, TEST)]
    for name, some in zip(("training", "validation", "test"), made, strict=True):
        rated = Rated(some.labels, np.zeros(len(some), np.float32), some.offsets)
        if np.isnan(aucs(rated)).all():
            raise DataError(
                f"{task.source}: training.samples = {section.samples!r}: no user has samples of "
                f"both kinds in the {name} part; give more events of each user, rated below 4 and "
                "above"
            )
    return made


def _initial_download(cloud: Params, n_phones: int) -> Messages:
    """Return what every phone fetches first: the model."""
    return Messages(
        *("parameters", np.full(n_phones, SERVER), np.arange(n_phones)),
        {name: values.numpy() for name, values in cloud.items()},
        np.ones(n_phones),
        np.zeros(n_phones, np.int64),
    )


def _offers(
    section: MPDASection, din: DIN, cloud: Params, train: Samples, draws: Draws
) -> Offers | None:
    """Return what offers each phone ``pools`` donors a turn: the nearest first, then around."""
    n = len(train.offsets) - 1
    pools = min(section.pools, n - 1)
    if section.donors == "none" or not pools:
        return None
    similar = section.donors == "similar"
    order = similar_users(tastes_of(din, cloud, train), n - 1) if similar else np.empty(0, np.int64)

    def offer(phones: IntArray, turn: int) -> Messages | None:
        if not len(phones):
            return None
        if similar:
            donors = order[phones][:, (turn * pools + np.arange(pools)) % (n - 1)]
        else:
            chance = draws.child(f"donors/{turn}")
            others = [chance.choose(np.arange(n - 1), pools, k) for k in phones.tolist()]
            donors = np.stack(others)
            donors += donors >= phones[:, None]
        return propose(train, phones, donors, section.pool_size, draws.child(f"pools/{turn}"))

    return offer


@dataclass(frozen=True)
class _Snapshots:
    """Returns what every phone's own network, as it is now, says of samples, and the cloud's."""

    din: DIN
    cloud: Params
    store: PrivateStore
    valid: Samples
    test: Samples

    def __call__(self) -> Snapshot:
        now: Float32Array = self.store.gather(np.arange(len(self.store)))["network"]
        return Snapshot({}, rated=self._rated(now))

    def _rated(self, networks: Float32Array) -> Callable[[Part], dict[str, Rated]]:
        def rated(part: Part) -> dict[str, Rated]:
            some = self.valid if part == "valid" else self.test
            readings = readings_of(self.din, self.cloud, some.items, some.history)
            first = networks_of(self.din, self.cloud, len(networks))
            models = {"trained": networks, "cloud": first}
            return {
                name: Rated(some.labels, network_scores(values, readings, some), some.offsets)
                for name, values in models.items()
            }

        return rated


METHOD = Method(
    kind="rule",
    name="mpda",
    section=MPDASection,
    build=build,
    source="Yan et al.: On-Device Learning for Model Personalization (KDD 2022)",
    gives=frozenset({"peers", "auc"}),
    needs={"recommender": frozenset({"din"}), "protocol": frozenset({"local"})},
    usual={"recommender": "din"},
)
