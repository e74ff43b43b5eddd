"""PFedRec in a scenario: phones that have computed hold a table of their own, whatever arrived."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.models.evaluation.personal_tables import PersonalScorer
from droidloop.models.learning.learning import FederatedLearning
from droidloop.platform.errors import ScenarioError
from droidloop.platform.ledger import read
from droidloop.scenarios.protocols.rounds import Rounds
from droidloop.scenarios.run.experiment import prepare
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.chosen import section_with
from droidloop.scenarios.schema.schema import Scenario
from tests.scenarios.small_worlds import PHONES, playing

CONTENT: dict[str, Any] = {
    "name": "personal",
    "title": "PFedRec on a few phones",
    "data": {"users": PHONES, "items": 50, "interactions": 8},
    "model": {"dim": 4},
    "training": {"rule": "pfedrec"},
    "protocol": {"kind": "rounds", "rounds": 3, "every_s": 600.0, "deadline_s": 500.0},
    "delivery": {"variant": "none"},
    "evaluation": {"baselines": ["popularity"]},
}
SCENARIO = Scenario.of(CONTENT)


def test_phones_that_computed_score_with_their_own_table_and_the_others_with_the_servers(
    tmp_path: Path,
) -> None:
    learning = prepare(SCENARIO).learning
    assert isinstance(learning, FederatedLearning)
    section = section_with(
        "protocol", "rounds", rounds=3, every_s=600.0, deadline_s=500.0, min_battery=0.0
    )

    def make(stage: ProtocolContext) -> Rounds:
        return Rounds(stage, learning, section)

    playing(tmp_path, make)
    trained = learning.snapshot().scorers
    own = trained["trained"]
    assert isinstance(own, PersonalScorer)
    phones, items = np.arange(PHONES), np.tile(np.arange(50), (PHONES, 1))
    table = learning.server.params["item"].numpy()
    differs = (own.tables.rows(phones, items, table) != table).any(axis=(1, 2))
    jobs = read(tmp_path, "jobs")
    computed = np.unique(jobs["phone"][jobs["compute_end_us"] >= 0])
    assert 0 < len(computed) < PHONES
    assert np.flatnonzero(differs).tolist() == computed.tolist()
    everybody = trained["global table"].every(phones)
    np.testing.assert_array_equal(own.every(phones)[~differs], everybody[~differs])


def test_a_run_prints_the_personal_tables_and_the_global_one(tmp_path: Path) -> None:
    out = tmp_path / "run"
    execute(SCENARIO, out, replay=None, progress=lambda *_: None)
    metrics = read(out, "metrics")
    assert set(metrics["model"].tolist()) == {b"trained", b"global table", b"popularity"}
    assert np.isfinite(metrics["value"]).all()
    own, shared = (metrics[metrics["model"] == name] for name in (b"trained", b"global table"))
    assert (own["value"] != shared["value"]).any()


def test_a_table_that_is_not_read_by_row_is_refused_in_one_line() -> None:
    model = {"dim": 4, "table": {"kind": "deep-hash", "hashes": 8}}
    changed = Scenario.of({**CONTENT, "model": model})
    with pytest.raises(ScenarioError, match=r"training\.rule = 'pfedrec'.*another table"):
        assert prepare(changed).learning
