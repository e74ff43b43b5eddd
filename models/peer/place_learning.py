"""What DCLR and MAC share: the keys of turns over visits, and phones that learn the next place."""

from functools import partial

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import Places
from droidloop.models.data.split import Part, Split
from droidloop.models.evaluation.evaluator import FunctionScorer, PartScorer, Scorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.peers import PeerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import PeerLearning, Snapshot
from droidloop.models.recommenders.next_place import LocalSettings, NextPlace
from droidloop.platform.arrays import IntArray
from droidloop.platform.section import Count, Positive, Section

from .alike_phones import by_category, by_place
from .place_phones import PlacePhones


class PlaceTraining(Section):
    """Turns of a phone that learns its owner's next place from visits."""

    learning_rate: Positive = 0.05
    """Of the vectors and biases of places and of the private vector."""
    network_rate: Positive = 0.05
    """Of the weights that all places share."""
    visit_rate: Positive = 0.1
    """Of the odds of a return, and of what a visit counts by age, hour and the place before it."""
    examples: Count = 64
    """Visits in a turn."""
    negatives: Count = 15
    """Places drawn against each first visit."""
    length: Count = 128
    """Visits before a question that the model reads."""
    held: Count = 512
    """Places in the area of a phone: it trains, and may share, their vectors alone."""

    @property
    def practice(self) -> LocalSettings:
        """The settings of a turn."""
        return LocalSettings(
            *(self.learning_rate, self.network_rate, self.visit_rate),
            *(self.examples, self.negatives),
            length=self.length,
        )

    def phones(self, recommender: NextPlace, task: TaskData, dims: IntArray) -> PlacePhones:
        """Return phones with models of the sizes *dims* on the places of *recommender*."""
        places, draws = recommender.places, task.draws.child("places")
        held = min(self.held, len(places))
        return PlacePhones(places, task.split.train, dims, draws, held, self.length)


def place_learning(task: TaskData, rule: PeerRule, phones: PlacePhones) -> PeerLearning:
    """Return *phones* that learn by *rule*."""
    split, store = task.split, phones.store()
    return PeerLearning(
        recommender=phones.recommender(0),
        store=store,
        data=split.train,
        draws=task.draws.child("training"),
        snapshot=partial(_snapshot, phones, store, split),
        peer=rule,
        alike=partial(_alike, split.train, phones.places),
    )


def _snapshot(phones: PlacePhones, store: PrivateStore, split: Split) -> Snapshot:
    """Return what each phone scores with, as it is now."""
    columns = store.gather(np.arange(len(store)))
    now = PrivateStore(len(store), lambda rows: {n: c[rows] for n, c in columns.items()})

    def asked(part: Part) -> Scorer:
        scorer = phones.scorer(now, split.history(part), split.moments(part))
        return FunctionScorer(scorer)

    return Snapshot({"trained": PartScorer(asked)})


_ALIKE = {"place": by_place, "category": by_category}


def _alike(train: UserItems, places: Places, kind: str, links: int) -> IntArray:
    return _ALIKE[kind](train, places, links)
