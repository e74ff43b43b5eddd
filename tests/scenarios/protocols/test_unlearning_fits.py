"""Ways of forgetting that make no sense with what else is chosen are refused in one line."""

import pytest

from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.run.experiment import prepare
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
