"""Whether the choices of a scenario go together, asked of their data; if not, in one line."""

from typing import TYPE_CHECKING

from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import Method, every, require_together
from droidloop.platform.section import Section

from .chosen import choices_of, method_of

if TYPE_CHECKING:
    from .schema import Scenario


def methods_in(scenario: "Scenario") -> list[Method]:
    """Return all that *scenario* chooses by name."""
    found = []
    tops = (("rule", scenario.training), ("recommender", scenario.model))
    more = (("protocol", scenario.protocol), ("unlearning", scenario.unlearning))
    for kind, section in (*tops, *more):
        found += [method_of(kind, section), *_within(section)]
    return found + [method_of("fault", one) for one in scenario.faults]


def _within(section: Section) -> list[Method]:
    found = []
    for key, (kind, otherwise) in sorted(choices_of(type(section)).items()):
        value = getattr(section, key)
        for one in [value] if otherwise is not None else value:
            found += [method_of(kind, one), *_within(one)]
    return found


def require_fit(scenario: "Scenario") -> None:
    """Check that the choices of *scenario* go together.

    Raises:
        ScenarioError: two do not, or the scenario lacks what one of them works with.
    """
    methods = methods_in(scenario)
    require_together(methods)
    rule = scenario.rule
    if "ships" not in rule.gives and scenario.delivery.variant != "none":
        raise ScenarioError(
            f"delivery.variant = {scenario.delivery.variant!r}: with the rule {rule.name!r} every "
            "phone has a model of its own and none ships; set delivery.variant = 'none'"
        )
    if "auc" in rule.gives and scenario.evaluation.baselines:
        raise ScenarioError(
            f"evaluation.baselines = {scenario.evaluation.baselines}: the rule {rule.name!r} is "
            "judged by AUC and ranks no items; set evaluation.baselines = []"
        )
    known = [*BASELINES, *(one.name for one in every("recommender") if "central" in one.gives)]
    for name in scenario.evaluation.baselines:
        if name not in known:
            raise ScenarioError(
                f"evaluation.baselines = {scenario.evaluation.baselines}: there is no baseline "
                f"{name!r}; choose from {', '.join(known)}"
            )
    for method in methods:
        if method.check is not None:
            method.check(scenario)


PLACE_BASELINES = (
    *("visits", "visits-by-hour", "visits-by-age", "visits-then-near"),
    *("popular-near", "popular-near-home", "next-place"),
)
"""What is told of places alone: by own visits, by what is near, and the next-place model."""
BASELINES = ("popularity", "itemknn", "ease", "ials", *PLACE_BASELINES)
"""What is made of the training events alone, beside the recommenders that one place can train."""


def require_devices_fit(scenario: "Scenario") -> None:
    """Raise ScenarioError where real devices cannot take part in *scenario*."""
    rule = scenario.rule
    if "device-step" not in rule.gives:
        fitting = [one.name for one in every("rule") if "device-step" in one.gives]
        raise ScenarioError(
            f"training.rule = {rule.name!r}: has no training step for real devices; "
            f"leave --attach and [devices] out, or choose {', '.join(fitting)}"
        )
    churn = scenario.churn
    if churn.replaced_share or churn.file or any(one.profile for one in churn.events):
        raise ScenarioError(
            "churn: real devices stand for phones that stay what they are; leave churn.file, "
            "churn.replaced_share and the profile of churn.events out"
        )
    unlearning = method_of("unlearning", scenario.unlearning).name
    if unlearning != "none":
        raise ScenarioError(
            f"unlearning.kind = {unlearning!r}: real devices do not unlearn; leave "
            "--attach and [devices] out, or set unlearning.kind = 'none'"
        )
    if scenario.delivery.when != "end":
        raise ScenarioError(
            f"delivery.when = {scenario.delivery.when!r}: real devices take one version, after "
            "training; set delivery.when = 'end'"
        )
    if scenario.delivery.variant == "auto" or len(scenario.delivery.stages) > 1:
        raise ScenarioError(
            "delivery: real devices of a run take one variant, all at once; name it, leave stages "
            "out, and use `droidloop package deliver` for the rest"
        )
    if getattr(scenario.protocol, "over_select", 1) > 1:
        raise ScenarioError(
            "protocol.over_select: rounds with real devices wait for all; set over_select = 1"
        )
    model, table = scenario.recommender, getattr(scenario.model, "table", None)
    if "device-step" not in model.gives or (
        table is not None and "plain" not in method_of("table", table).gives
    ):
        raise ScenarioError(
            f"model.kind = {model.name!r}: real devices train models of rows alone; "
            "leave --attach and [devices] out, or choose mf with a table that gives plain"
        )
    protocol = method_of("protocol", scenario.protocol)
    if scenario.play == "exact" and "buffered" in protocol.gives:
        raise ScenarioError(
            'play = "exact": real devices in buffered rounds need play = "cohort"; set it'
        )
