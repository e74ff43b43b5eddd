"""MPDA in a scenario: a cloud trains DIN, phones tune it with samples that the cloud offers.

What is told is what a user had next, from an item that the user never had, or whether a rated event
is liked. Of each user's events the cloud and the phone have the oldest 80 %; the next 10 % are for
validation, the latest 10 % for test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from droidloop.models.data.fields import Fields, has_movielens_fields, movielens_fields
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
from droidloop.models.fitting.fit_din import train_din
from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.metrics import Rated
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.din_sgd import network_scores, networks_of, readings_of
from droidloop.models.metrics.auc import aucs
from droidloop.models.recommenders.din import DIN
from droidloop.models.tuning.mpda import MPDA, mpda_store, propose, similar_users, tastes_of
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError, ScenarioError
from droidloop.platform.messages import SERVER, Messages
from droidloop.scenarios.schema.learning_sections import MPDASection

from .learning import Offers, Society, Trained
from .task_data import Material


def mpda(section: MPDASection, material: Material) -> Society:
    """Return phones that begin with one model and are offered pools in each turn.

    Raises:
        ScenarioError: the scenario asks for baselines, which rank items.
        DataError: the data tell nothing of that kind.
    """
    if baselines := material.scenario.evaluation.baselines:
        raise ScenarioError(
            f"evaluation.baselines = {baselines}: the rule 'mpda' is judged by AUC and ranks no "
            "items; set evaluation.baselines = []"
        )
    events, draws = by_user(material.interactions), material.draws
    part = parts(events.counts)
    train, valid, test = _samples(section, material, events, part)
    din = DIN(
        material.split.n_items,
        _fields(material),
        dim=material.scenario.model.dim,
        hidden=section.hidden,
        length=section.history,
        personal=False,
    )
    cloud = train_din(
        *(din, train, valid, Draws(material.scenario.seed, "central")),
        epochs=section.cloud_epochs,
        lr=section.cloud_rate,
    )
    store = mpda_store(din, cloud, events.n_users)
    return Society(
        recommender=din,
        store=store,
        data=events.keep(part == TRAIN),
        draws=draws.child("training"),
        look=_Look(din, cloud, store, valid, test),
        ships=False,
        answers="ratings",
        peer=MPDA(
            *(din, cloud, section.learning_rate, section.epochs, section.held_share),
            samples=section.samples,
        ),
        opening=_opening(cloud, events.n_users),
        offers=_offers(section, din, cloud, train, draws),
    )


def _fields(material: Material) -> Fields:
    path, data = material.scenario.data.path, material.interactions
    if path is None or not has_movielens_fields(Path(path)):
        return Fields()
    return movielens_fields(Path(path), data.user_labels, data.item_labels)


def _samples(
    section: MPDASection, material: Material, events: UserItems, part: IntArray
) -> list[Samples]:
    """Return the samples for training, validation and test."""
    place = material.scenario.data.path or "the synthetic data"
    n_items = material.split.n_items
    if section.samples == "rated":
        samples, each = samples_of(events, section.history), part
    elif (events.counts >= n_items).any():
        raise DataError(f"{place}: a user had all {n_items} items; leave such users out")
    else:
        draws = material.draws.child("never had")
        samples = next_samples(events, section.history, n_items, draws)
        each = np.repeat(part, 2)
    made = [samples.take(each == which) for which in (TRAIN, VALID, TEST)]
    for name, some in zip(("training", "validation", "test"), made, strict=True):
        rated = Rated(some.labels, np.zeros(len(some), np.float32), some.offsets)
        if np.isnan(aucs(rated)).all():
            raise DataError(
                f"{place}: training.samples = {section.samples!r}: no user has samples of both "
                f"kinds in the {name} part; give more events of each user, rated below 4 and above"
            )
    return made


def _opening(cloud: Params, n_phones: int) -> Messages:
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
class _Look:
    """Returns what every phone's own network, as it is now, says of samples, and the cloud's."""

    din: DIN
    cloud: Params
    store: PrivateStore
    valid: Samples
    test: Samples

    def __call__(self) -> Trained:
        now: Float32Array = self.store.gather(np.arange(len(self.store)))["network"]
        return Trained({}, rated=self._rated(now))

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
