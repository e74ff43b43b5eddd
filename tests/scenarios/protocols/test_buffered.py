"""Buffered rounds: versions come as buffers fill, uploads fade with age, no future is used."""

from pathlib import Path

import numpy as np

from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.interfaces.staleness import fading
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import FederatedLearning, Snapshot
from droidloop.models.recommenders.mf import MF
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Outcome
from droidloop.platform.ledger import read
from droidloop.scenarios.protocols.buffered import Buffered, BufferedSection
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.chosen import section_with
from tests.contracts.tiny import tiny_data
from tests.scenarios.small_worlds import PHONES, playing, values

SECTION = section_with(
    "protocol",
    "buffered",
    rounds=10,
    every_s=1.0,
    deadline_s=3600.0,
    clients=15,
    buffer=3,
    min_battery=0.0,
    limit_days=0.5,
)


def federation() -> FederatedLearning:
    """Return FedMF on small data, whose server takes late uploads."""
    recommender, draws = MF(30, 4), Draws(2, "buffered")
    return FederatedLearning(
        recommender=recommender,
        store=PrivateStore.of(recommender, draws, PHONES),
        data=tiny_data(draws, PHONES, 30),
        draws=draws,
        snapshot=lambda: Snapshot({}),
        client=FedMF(recommender),
        server=row_average(recommender.init(draws), staleness=fading(0.5, 20)),
    )


def play(
    folder: Path, section: BufferedSection = SECTION, *, exact: bool = False
) -> FederatedLearning:
    """Run buffered rounds; return what was learned."""
    learning = federation()

    def make(stage: ProtocolContext) -> Buffered:
        return Buffered(stage, learning, section)

    playing(folder, make, exact=exact)
    return learning


def test_every_version_is_made_of_a_full_buffer(tmp_path: Path) -> None:
    learning = play(tmp_path)
    assert learning.server.version == SECTION.rounds
    assert values(tmp_path, "round", "done") == [SECTION.buffer] * SECTION.rounds
    assert values(tmp_path, "round", "refused") == [0] * SECTION.rounds
    assert len(values(tmp_path, "refused", "number")) == 0


def test_phones_work_from_versions_that_are_old_when_they_come(tmp_path: Path) -> None:
    play(tmp_path)
    jobs = read(tmp_path, "jobs")
    done = jobs[jobs["outcome"] == Outcome.DONE]
    done = done[np.lexsort((done["job"], done["finish_us"]))][: SECTION.rounds * SECTION.buffer]
    folded_into = np.arange(len(done)) // SECTION.buffer
    assert (done["version"] <= folded_into).all(), "nobody has a version before it is made"
    assert (done["version"] < folded_into).any()


def test_exact_and_cohort_play_give_the_same_ledger_and_table(tmp_path: Path) -> None:
    one, two = play(tmp_path / "a"), play(tmp_path / "b", exact=True)
    for table in ("jobs", "events"):
        assert np.array_equal(read(tmp_path / "a", table), read(tmp_path / "b", table))
    assert np.array_equal(one.server.params["item"].numpy(), two.server.params["item"].numpy())


def test_no_more_phones_are_at_work_than_the_section_says(tmp_path: Path) -> None:
    play(tmp_path)
    jobs = read(tmp_path, "jobs")
    for now in np.unique(jobs["plan_us"]):
        at_work = (jobs["plan_us"] <= now) & (jobs["finish_us"] >= now)
        assert at_work.sum() <= SECTION.clients


def test_a_server_that_nobody_answers_stops_at_its_limit(tmp_path: Path) -> None:
    section = SECTION.model_copy(update={"deadline_s": 0.001, "limit_days": 0.01})
    learning = play(tmp_path, section)
    assert learning.server.version == 0
    assert values(tmp_path, "round", "done") == []
