"""Fine-tuning: one download at the start, then computation alone, by phones that have the model."""

from pathlib import Path

import numpy as np

from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import read
from droidloop.platform.messages import SERVER, Messages
from droidloop.scenarios.protocols.local import FineTuning
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.chosen import section_with
from tests.scenarios.small_worlds import PHONES, playing, whispering

SECTION = section_with(
    "protocol", "local", rounds=6, every_s=3600.0, deadline_s=1800.0, min_battery=0.0
)


def initial_download(phones: int = PHONES) -> Messages:
    """Return what a server sends to all before it leaves."""
    m = np.arange(phones)
    server = np.full(phones, SERVER)
    return Messages("parameters", server, m, {"x": np.zeros(4000)}, np.ones(phones), m * 0)


def play(folder: Path, *, exact: bool = False) -> np.ndarray:
    """Tune alone; return how many turns each phone has learned in."""
    society = whispering(initial_download())

    def make(stage: ProtocolContext) -> FineTuning:
        return FineTuning(stage, society, SECTION)

    playing(folder, make, exact=exact)
    return np.asarray(society.store.gather(np.arange(PHONES))["turns"])


def test_only_phones_that_got_the_model_tune_it_and_nothing_is_sent(tmp_path: Path) -> None:
    turns = play(tmp_path)
    jobs = read(tmp_path, "jobs")
    first, tuned = jobs[jobs["kind"] == Kind.DELIVER], jobs[jobs["kind"] == Kind.TUNE]
    assert set(first["down_bytes"].tolist()) == {int(initial_download().nbytes()[0])}
    got = first["phone"][first["outcome"] == 1]
    assert 0 < len(got) < PHONES
    assert set(tuned["phone"].tolist()) <= set(got.tolist())
    assert tuned["up_bytes"].sum() == tuned["down_bytes"].sum() == 0
    done = tuned[tuned["compute_end_us"] >= 0]
    assert np.array_equal(turns, np.bincount(done["phone"], minlength=PHONES))


def test_exact_and_cohort_play_agree(tmp_path: Path) -> None:
    assert np.array_equal(play(tmp_path / "a"), play(tmp_path / "b", exact=True))
    assert np.array_equal(read(tmp_path / "a", "jobs"), read(tmp_path / "b", "jobs"))


def test_what_the_server_offers_is_fetched_and_learned_from(tmp_path: Path) -> None:
    society, silent = whispering(initial_download()), whispering(initial_download())

    def offer(phones: np.ndarray, turn: int) -> Messages:
        m = len(phones)
        heard = np.tile(np.arange(PHONES) == turn, m)
        offsets = {"heard": np.arange(m + 1) * PHONES}
        server = np.full(m, SERVER)
        return Messages(
            *("names", server, phones, {"heard": heard}, np.ones(m), phones * 0), offsets=offsets
        )

    society.server_offers = offer
    playing(tmp_path / "a", lambda stage: FineTuning(stage, society, SECTION))
    playing(tmp_path / "b", lambda stage: FineTuning(stage, silent, SECTION))
    columns = society.store.gather(np.arange(PHONES))
    assert np.array_equal(columns["messages"], columns["turns"])
    assert columns["messages"].any()
    jobs = read(tmp_path / "a", "jobs")
    tuned = jobs[jobs["kind"] == Kind.TUNE]
    size = int(offer(np.array([0]), 0).nbytes()[0])
    assert set(tuned["down_bytes"].tolist()) == {size}
    assert not silent.store.gather(np.arange(PHONES))["messages"].any()
