"""The clients whose steps can be taken otherwise: with fewer epochs, or up instead of down."""

from dataclasses import replace
from typing import Any, Protocol

from droidloop.models.interfaces.learning import ClientRule
from droidloop.models.learning.learning import FederatedLearning
from droidloop.models.local.sgd import Sgd
from droidloop.platform.errors import ScenarioError


class TakesSteps(ClientRule, Protocol):
    """A client rule of local SGD whose phones send how they have changed what they received."""

    @property
    def sgd(self) -> Sgd:
        """The steps."""
        ...

    @property
    def kind(self) -> str:
        """What is sent."""
        ...


def steps_of(learning: FederatedLearning, name: str) -> TakesSteps:
    """Return the client of *learning*, for the way of forgetting called *name*.

    Raises:
        ScenarioError: its phones take no steps of SGD, or send something else than changes.
    """
    client: Any = learning.client
    if getattr(client, "kind", None) != "delta" or not isinstance(
        getattr(client, "sgd", None), Sgd
    ):
        raise ScenarioError(
            f"unlearning.kind = {name!r}: needs phones that take steps of SGD and send changes; "
            "use training.rule = 'fedmf', 'fedncf' or 'fedgcn', or unlearning.kind = 'retrain' or "
            "'rapid'"
        )
    steps: TakesSteps = client
    return steps


def stepping(client: TakesSteps, sgd: Sgd) -> TakesSteps:
    """Return *client* with other steps."""
    other: Any = client
    changed: TakesSteps = replace(other, sgd=sgd)
    return changed
