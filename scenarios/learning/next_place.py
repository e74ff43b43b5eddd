"""DCLR and MAC in a scenario: phones that learn the next place from phones like them."""

from functools import partial

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import Places, by_hours
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.peer.alike_phones import by_category, by_place
from droidloop.models.peer.dclr import DCLR
from droidloop.models.peer.mac import MAC
from droidloop.models.peer.place_phones import PlacePhones
from droidloop.models.recommenders.next_place import Practice
from droidloop.platform.arrays import IntArray
from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.schema.learning_sections import DCLRSection, MACSection

from .evaluator import FunctionScorer
from .learning import Society, Trained
from .task_data import Material


def dclr(section: DCLRSection, material: Material) -> Society:
    """Return phones with models of ``model.dim`` that average those of their neighbours."""
    dims = np.full(material.split.n_users, material.scenario.model.dim, np.int64)
    phones = _phones(section, material, dims)
    rule = DCLR(phones, _practice(section), sharpness=section.sharpness, weight=section.information)
    return _society(material, rule, phones)


def mac(section: MACSection, material: Material) -> Society:
    """Return phones with models of several sizes that tell their neighbours scores."""
    rows = np.arange(material.split.n_users)
    phones = _phones(section, material, np.array(section.dims, np.int64)[rows % len(section.dims)])
    rule = MAC(
        phones, _practice(section), section.agreement, keep=section.keep, asked=section.questions
    )
    return _society(material, rule, phones)


def _practice(section: DCLRSection | MACSection) -> Practice:
    return Practice(
        section.learning_rate, section.network_rate,
        section.examples, section.negatives, section.length, section.unvisited,
    )  # fmt: skip


def _phones(section: DCLRSection | MACSection, material: Material, dims: IntArray) -> PlacePhones:
    places, train = material.places, material.split.train
    if places is None:
        raise ScenarioError(
            f"training.rule = {section.rule!r}: the data name no places; set data.places = true "
            "or data.path to a folder of foursquare-nyc"
        )
    draws = material.draws.child("places")
    if (places.category < 0).any():
        places = by_hours(places, train, section.categories, draws.child("categories"))
    held = min(section.held, len(places))
    return PlacePhones(places, train, dims, draws, held, section.length)


def _society(material: Material, rule: DCLR | MAC, phones: PlacePhones) -> Society:
    split, store = material.split, phones.store()
    # The model is asked at the hour of the validation event, from training events: a scorer
    # does not know which part it is asked for, and validation must not see its own answer.
    now_s = np.zeros(split.n_users, np.int64)
    some = split.valid.counts > 0
    now_s[some] = split.valid.times_s[split.valid.offsets[:-1][some]]
    return Society(
        recommender=rule.recommender,
        store=store,
        data=split.train,
        draws=material.draws.child("training"),
        look=partial(_look, phones, store, split.train, now_s),
        ships=False,
        peer=rule,
        alike=partial(_alike, split.train, phones.places),
    )


def _look(phones: PlacePhones, store: PrivateStore, train: UserItems, now_s: IntArray) -> Trained:
    """Return what each phone scores with, as it is now."""
    columns = store.gather(np.arange(len(store)))
    now = PrivateStore(len(store), lambda rows: {n: c[rows] for n, c in columns.items()})
    return Trained({"trained": FunctionScorer(phones.scorer(now, train, now_s))})


def _alike(train: UserItems, places: Places, kind: str, links: int) -> IntArray:
    match kind:
        case "place":
            return by_place(train, places, links)
        case "category":
            return by_category(train, places, links)
        case _:
            raise ValueError(f"phones are not alike by {kind!r}")
