"""MAC: phones with models of any size tell neighbours what they expect, never what they are.

Does not work here, because what phones can tell is of unvisited places, and each of them knows
little more of these than where it began: on foursquare-nyc no size gains over phones alone
(docs/references.md).
Long, Chen, Nguyen, Xu, Zheng, Yin: Model-Agnostic Decentralized Collaborative Learning for
On-Device POI Recommendation (SIGIR 2023). Neighbours exchange soft decisions on a reference set
that is on every phone beforehand; a phone learns its own visits and to agree with its neighbours'
mean. The paper's equations were not at hand. Its two ways of sampling neighbours are here: by
similarity (the neighbours that answer most like oneself, fewer of them as training goes on) and by
performance (an answer weighs exp(-loss) of the phone that gives it).
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

import numpy as np
from pydantic import Field

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import HOURS
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.fitting.pretrain_places import nearest
from droidloop.models.interfaces.forms import ArrayForm, Form
from droidloop.models.interfaces.learning import Cost, check_private
from droidloop.models.interfaces.peers import by_receiver
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import PeerLearning
from droidloop.models.recommenders.next_place import LocalSettings, NextPlace, turn_cost
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, NotNegative, Positive
from droidloop.platform.workers import for_chunks

from .mac_kernels import Agree, Answers, Questions, answer_questions, learn_from_answers
from .place_learning import PlaceTraining, place_learning
from .place_phones import COLUMNS, PlacePhones, state_of
from .place_turn import drill_of, tally_of, visits_of

_HOUR_S = 3600


@dataclass(frozen=True, eq=False)
class MAC:
    """Peer rule; the store is that of ``PlacePhones.store``, whose phones may differ in size.

    Attributes:
        phones: who they are and what they hold.
        practice: the local training of a turn.
        weight: of the divergence from the neighbours' mean, beside one's own loss.
        keep: share of the neighbours that count at last, the most similar ones.
        settle: turns over which that share falls from one.
        asked: questions of the reference set that a phone answers, at most.
        candidates: places that a question is about.
        visits: made-up visits before a question.
        threads: None: one a processor. The result does not depend on it.
    """

    phones: PlacePhones
    practice: LocalSettings = field(default_factory=LocalSettings)
    weight: float = 1.0
    keep: float = 0.5
    settle: int = 10
    asked: int = 32
    candidates: int = 48
    visits: int = 4
    threads: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.keep <= 1.0:
            raise ValueError(f"keep must lie in (0, 1], not {self.keep}")
        if min(self.asked, self.candidates, self.visits) < 1:
            raise ValueError("there is at least one question, one candidate and one visit")

    @property
    def recommender(self) -> NextPlace:
        """The first phone's function; all columns of the model are private."""
        private = frozenset(COLUMNS)
        return NextPlace(self.phones.places, int(self.phones.dims[0]), private)

    @cached_property
    def questions(self) -> Questions:
        """The reference set: one question for each place, made of places and draws alone.

        Somebody was at ``visits`` of the place and those near it, hour by hour, the place last;
        where are they an hour later, among the places nearest to it? A phone answers the first
        questions, in an order that all phones share, whose place lies in its area: so phones
        with common places have common questions.
        """
        known, draws = self.phones.known, self.phones.draws.child("questions")
        n = len(self.phones.places)
        every = np.arange(n)
        near = nearest(known.at_km, every, min(max(self.candidates - 1, 10), n - 1))
        candidates = np.column_stack([every, near])[:, : self.candidates]
        walk = np.empty((n, self.visits), np.int64)
        walk[:, -1] = every
        for step in range(self.visits - 1):
            walk[:, step] = near[every, draws.integers(every, step, min(10, n - 1))]
        now_s = (24 * 7 + draws.child("hour").integers(every, 0, HOURS)) * _HOUR_S
        times_s = now_s[:, None] - _HOUR_S * np.arange(self.visits, 0, -1)
        rank = np.empty(n, np.int64)
        rank[draws.child("rank").order(every, 0)] = every
        return Questions(walk, times_s, now_s, candidates, self._asked(known.areas, rank))

    def form(self, store: PrivateStore) -> Form:
        """Return the form of scores of the candidates of some questions."""
        scores = ArrayForm(self.questions.candidates.shape, numbered=True, needed=True)
        return Form(frozenset({"scores"}), {"scores": scores})

    def share(self, phones: IntArray, store: PrivateStore, round_: int, draws: Draws) -> Messages:
        """Return each phone's scores of the candidates of its questions; see ``PeerRule``."""
        store.ensure(phones)
        questions = self.questions
        asked = questions.asked[phones]
        offsets = np.zeros(len(phones) + 1, np.int64)
        np.cumsum((asked >= 0).sum(axis=1), out=offsets[1:])
        out = np.empty((offsets[-1], questions.candidates.shape[1]), np.float32)
        state = state_of(store)

        def work(low: int, high: int) -> None:
            answer_questions(low, high, phones, self.phones.known, state, questions, offsets, out)

        for_chunks(work, len(phones), self.threads)
        messages = Messages(
            kind="scores",
            sender=phones,
            receiver=np.full(len(phones), SERVER, np.int64),
            arrays={"scores": out},
            weight=np.exp(-store.columns["loss"][phones].astype(np.float64)),
            base=store.columns["age"][phones],
            rows={"scores": asked[asked >= 0]},
            offsets={"scores": offsets},
        )
        return check_private(messages, self.recommender)

    def learn(
        self,
        phones: IntArray,
        inbox: Messages | None,
        store: PrivateStore,
        data: UserItems,
        round_: int,
        draws: Draws,
    ) -> None:
        """Train on local data, then agree with what arrived; see ``PeerRule``.

        Messages are of ``form``: whoever lets them in has looked. A phone whose own numbers run
        away keeps what it had, and is counted.

        Raises:
            ValueError: *data* is not one row a phone, places are unknown, or the inbox is not
                addressed to *phones* in order or holds other arrays.
        """
        visits = visits_of(phones, data, len(self.phones.places))
        store.ensure(phones)
        got = self._received(phones, inbox)
        state, tally, drill = state_of(store), tally_of(store), drill_of(self.practice)
        agree = Agree(self.weight, self.keep, self.settle)
        key = np.uint64(draws.child(f"mac/{round_}").key)

        def work(low: int, high: int) -> None:
            learn_from_answers(
                low, high, phones, self.phones.known, state, tally,
                visits, self.questions, got, drill, agree, key,
            )  # fmt: skip

        for_chunks(work, len(phones), self.threads)

    def cost(self, phones: IntArray, merged: IntArray, data: UserItems) -> Cost:
        """Return what ``learn`` takes: training, comparing each message, and agreeing if any."""
        dims = self.phones.dims[phones]
        asked = (self.questions.asked[phones] >= 0).sum(axis=1)
        examples = np.minimum(np.maximum(data.counts - 1, 0), self.practice.examples)
        width = self.questions.candidates.shape[1]
        question = LocalSettings(negatives=max(1, width - 1), length=self.visits)
        scores = asked * width
        parts = [
            (turn_cost(self.practice, int(d), e), turn_cost(question, int(d), q))
            for d, e, q in zip(dims, examples, asked * (merged > 0), strict=True)
        ]
        flops, moved, ram = (
            np.array([getattr(a, name) + getattr(b, name) for a, b in parts], np.int64)
            for name in ("flops", "moved_bytes", "ram_bytes")
        )
        model = 4 * (self.phones.known.areas[phones] >= 0).sum(axis=1) * (dims + 1)
        return Cost(flops + 12 * scores * merged, moved + 12 * scores * merged,
                    ram + 2 * model + 4 * scores * (merged + 2))  # fmt: skip

    def _asked(self, areas: IntArray, rank: IntArray) -> IntArray:
        """Return which questions each phone answers, rising, -1 behind the last."""
        order = np.where(areas >= 0, rank[np.maximum(areas, 0)], len(rank))
        first = np.argsort(order, axis=1, kind="stable")[:, : self.asked]
        chosen = np.take_along_axis(areas, first, axis=1)
        last = np.iinfo(np.int64).max
        chosen = np.sort(np.where(chosen < 0, last, chosen), axis=1)
        return np.ascontiguousarray(np.where(chosen == last, -1, chosen))

    def _received(self, phones: IntArray, inbox: Messages | None) -> Answers:
        first, count = by_receiver(phones, inbox)
        width = self.questions.candidates.shape[1]
        if inbox is None:
            none, empty = np.empty(0, np.int64), np.empty(0, np.float64)
            scores: Array = np.empty((0, width), np.float32)
            return Answers(first, count, none, scores, np.zeros(1, np.int64), empty)
        if inbox.kind != "scores" or inbox.arrays.keys() != {"scores"}:
            raise ValueError(f"MAC takes scores, not {list(inbox.arrays)} of kind {inbox.kind!r}")
        scores = np.ascontiguousarray(inbox.arrays["scores"], np.float32)
        if scores.shape[1:] != (width,) or "scores" not in inbox.offsets:
            raise ValueError(f"scores of {width} candidates are needed, not {scores.shape}")
        return Answers(
            first, count, inbox.rows["scores"], scores, inbox.offsets["scores"],
            inbox.weight,
        )  # fmt: skip


class MACSection(PlaceTraining):
    """Phones with models of several sizes tell neighbours scores, never parameters."""

    network_rate: Positive = 0.02
    """Of the weights that all places share."""
    visit_rate: Positive = 0.03
    """Of the odds of a return, and of what a visit counts by age, hour and the place before it."""
    dims: Annotated[list[Annotated[int, Field(ge=1, le=1024)]], Field(min_length=1)] = Field(
        default=[8, 16, 32]
    )
    """Sizes of models, dealt to the phones in turn; a model grows with the square of its size."""
    agreement: NotNegative = 1.0
    """The weight of the divergence from the neighbours' mean."""
    keep: Annotated[float, Field(ge=1e-6, le=1.0)] = 0.5
    """The share of the neighbours, the most similar ones, that count at last."""
    questions: Count = 32
    """Questions of the reference set that a phone answers."""


def build(section: MACSection, recommender: NextPlace, task: TaskData) -> PeerLearning:
    """Return phones with models of several sizes that tell their neighbours scores."""
    rows = np.arange(task.split.n_users)
    dims = np.array(section.dims, np.int64)[rows % len(section.dims)]
    phones = section.phones(recommender, task, dims)
    rule = MAC(
        *(phones, section.practice, section.agreement),
        keep=section.keep,
        asked=section.questions,
    )
    return place_learning(task, rule, phones)


METHOD = Method(
    kind="rule",
    name="mac",
    section=MACSection,
    build=build,
    source="Long et al.: Model-Agnostic Decentralized Collaborative Learning (2023)",
    gives=frozenset({"peers", "alike"}),
    needs={"recommender": frozenset({"next-place"}), "protocol": frozenset({"peers"})},
    usual={"recommender": "next-place"},
)
