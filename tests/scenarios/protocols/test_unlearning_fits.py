"""Ways of forgetting that make no sense with what else is chosen are refused in one line."""

from pathlib import Path
from typing import Any

import pytest

from droidloop.platform.errors import ScenarioError, UsageError
from droidloop.scenarios.run.experiment import prepare
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.fit import require_devices_fit
from tests.scenarios.churning import scenario


@pytest.mark.parametrize("kind", ["fru", "ascent", "rapid"])
def test_without_a_server_that_sums_only_retraining_forgets(kind: str) -> None:
    with pytest.raises(ScenarioError, match=f"the unlearning '{kind}' needs a .* that gives"):
        scenario("gossip", {"kind": kind})


def test_who_learns_alone_has_taught_nobody() -> None:
    with pytest.raises(ScenarioError, match=r"'retrain' needs a protocol that gives unlearns"):
        scenario("local", {"kind": "retrain"})


@pytest.mark.parametrize("kind", ["fru", "ascent"])
def test_a_rule_without_steps_cannot_be_replayed_or_climbed(kind: str) -> None:
    one = scenario("rounds", {"kind": kind}, training={"rule": "fcf"})
    with pytest.raises(ScenarioError, match=r"needs phones that take steps of SGD .* use training"):
        prepare(one)


@pytest.mark.parametrize(
    ("unlearning", "words"),
    [
        ({"kind": "retrain"}, "real devices do not unlearn"),
        ({"kind": "none"}, "real devices stand for phones that stay what they are"),
    ],
)
def test_real_devices_neither_unlearn_nor_become_others(
    unlearning: dict[str, str], words: str
) -> None:
    events = [{"leaves_h": 1.0, "phones": [2], "returns_h": 2.0, "profile": "2024-12gb"}]
    churn = {"events": events if unlearning["kind"] == "none" else []}
    with pytest.raises(ScenarioError, match=words):
        require_devices_fit(scenario("rounds", unlearning, churn=churn))


def test_a_cluster_is_told_once_what_phones_are(tmp_path: Path) -> None:
    cluster: Any = object()
    with pytest.raises(UsageError, match="phones come back, and a cluster is told once"):
        execute(
            scenario(), tmp_path / "run", replay=None, progress=lambda *_: None, cluster=cluster
        )
    assert not (tmp_path / "run").exists()
