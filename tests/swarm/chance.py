"""Scenarios by chance: a small one for each seed, of everything that goes together."""

from collections.abc import Sequence
from itertools import count
from typing import Any, TypeVar

from pydantic import ValidationError

from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import Method, every, find, missing, names
from droidloop.scenarios.schema.schema import Scenario

T = TypeVar("T")
Content = dict[str, Any]
TRIES = 50
"""Of a seed, until what it draws goes together."""
PROTOCOLS: dict[str, Content] = {
    "rounds": {"kind": "rounds"},
    "over-selecting": {"kind": "rounds", "clients": 5, "over_select": 1.5},
    "buffered": {"kind": "buffered", "every_s": 600.0, "clients": 5, "buffer": 3},
    "gossip": {"kind": "gossip"},
    "push-pull": {"kind": "gossip", "mode": "push-pull"},
    "direct": {"kind": "gossip", "mode": "push-pull", "transport": "direct"},
    "groups": {"kind": "groups", "groups": 2, "regroup_rounds": 2},
    "local": {"kind": "local"},
}
TABLES: list[Content] = [
    {"kind": "dense"},
    {"kind": "hashed", "buckets": 12},
    {"kind": "quotient-remainder", "remainders": 6},
    {"kind": "binary"},
    {"kind": "elastic", "blocks": 2, "groups": 3, "budget": 0.9},
]
TRANSFORMS: list[Content] = [
    {"kind": "norm-bound", "bound": 0.5},
    {"kind": "clip-laplace"},
    {"kind": "masks", "group": 3},
]


class Chance:
    """Draws of one seed, one after the other."""

    def __init__(self, seed: int, attempt: int) -> None:
        self._draws = Draws(seed, f"swarm/{attempt}")
        self._next = count()

    def share(self) -> float:
        """Return a number from 0 to 1."""
        return float(self._draws.uniform(0, next(self._next)))

    def often(self, share: float) -> bool:
        """Return whether something happens that does so in that share of cases."""
        return self.share() < share

    def of(self, some: Sequence[T]) -> T:
        """Return one of *some*."""
        return some[int(self.share() * len(some))]

    def between(self, low: float, high: float) -> float:
        """Return a number in between, with three digits."""
        return round(low + (high - low) * self.share(), 3)

    def whole(self, low: int, high: int) -> int:
        """Return an integer from *low* to *high*, both included."""
        return low + int(self.share() * (high - low + 1))


def _rules(protocol: str) -> list[Method]:
    """Return the rules that go with *protocol*, rank, and learn of synthetic data."""
    found = []
    for rule in every("rule"):
        recommender = find("recommender", rule.usual.get("recommender", "mf"))
        chosen = [rule, recommender, find("protocol", protocol)]
        together = not any(missing(one, other) for one in chosen for other in chosen)
        if together and "auc" not in rule.gives and recommender.name != "next-place":
            found.append(rule)
    return found


def content_of(seed: int, attempt: int, way: str | None = None) -> Content:
    """Return what the scenario of *seed* says, which may not go together.

    The way is drawn where none of ``PROTOCOLS`` is named.
    """
    chance = Chance(seed, attempt)
    # of all attempts of a seed, lest the least choosy be the rule
    way = way or Chance(seed, -1).of(list(PROTOCOLS))
    protocol: Content = {"every_s": 3600.0, "deadline_s": 3000.0, **PROTOCOLS[way]}
    rule = chance.of(_rules(protocol["kind"]))
    phones = chance.whole(8, 16)
    content: Content = {
        "name": "swarm",
        "title": f"Seed {seed}",
        "seed": seed,
        "data": {"items": 30, "interactions": chance.of([6, 10, 20])},
        "population": _population(chance, phones, direct=way == "direct"),
        "model": {"dim": 4},
        "training": {"rule": rule.name},
        "protocol": protocol
        | {"rounds": chance.whole(2, 6), "min_battery": chance.of([0.0, 0.2])}
        | {need: True for need in ("idle", "charging", "unmetered") if chance.often(0.1)},
        "evaluation": {"baselines": [], "candidates": 10},
        "delivery": {"variant": "none"},
    }
    if "item-table" in find("recommender", rule.usual.get("recommender", "mf")).gives:
        content["model"]["table"] = chance.of(TABLES)
    if chance.often(0.4):
        content["protocol"]["transforms"] = [chance.of(TRANSFORMS)]
    if chance.often(0.15):
        content["protocol"]["senders"] = [{"kind": "flipped-signs", "share": 0.3}]
    if way in ("rounds", "buffered") and chance.often(0.3):
        content["protocol"]["policy"] = chance.of(names("policy"))
    if chance.often(0.6):
        content["churn"] = _churn(chance, phones)
        if chance.often(0.5):
            content["unlearning"] = {"kind": chance.of(names("unlearning"))}
    if chance.often(0.7):
        content["faults"] = [_fault(chance, phones) for _ in range(chance.whole(1, 3))]
    if "ships" in rule.gives and chance.often(0.5):
        content["delivery"] = _delivery(chance)
    # drawn last, so that a seed is the scenario that it was before
    if chance.often(0.2) and content["protocol"]["every_s"]:
        content["protocol"]["every_s"] = 12 * 3600.0  # long enough for batteries to run empty
        content["churn"] = content.get("churn", {}) | {"empty_share": chance.of([0.5, 1.0])}
    return content


def _population(chance: Chance, phones: int, *, direct: bool) -> Content:
    some: Content = {
        "phones": phones,
        "start_hour": chance.of([0.0, 9.0, 20.0]),
        "off_at_night_share": chance.of([0.0, 0.3]),
        "ideal": chance.often(0.15),
        "overhead": chance.often(0.5),
        "loss": chance.often(0.3),
        "slow_start": chance.often(0.3),
        "throttling": chance.often(0.3),
        "wifi_share": chance.of([0.0, 0.85]),
    }
    return some | ({"direct": "wifi-direct", "map": {}} if direct else {})


def _churn(chance: Chance, phones: int) -> Content:
    events: list[Content] = []
    for _ in range(chance.whole(0, 3)):
        how = chance.of(["silent", "announced", "forget"])
        leaves_h = chance.between(0.1, 5.0)
        event: Content = {"leaves_h": leaves_h, "how": how, "phones": [chance.whole(0, phones - 1)]}
        if how != "forget" and chance.often(0.6):
            event["returns_h"] = round(leaves_h + chance.between(0.05, 3.0), 3)
            if chance.often(0.6):
                event["profile"] = "2024-12gb"
        events.append(event)
    if chance.often(0.4):
        return {"events": events}
    rates = {
        "lifetime_days": chance.between(0.05, 1.0),
        "return_share": chance.of([0.0, 0.5, 1.0]),
        "absence_days": chance.between(0.02, 0.3),
        "announced_share": chance.of([0.0, 0.3]),
        "forget_share": chance.of([0.0, 0.2]),
        "replaced_share": chance.of([0.0, 0.5]),
    }
    return rates | {"events": events}


def _fault(chance: Chance, phones: int) -> Content:
    kind = chance.of(names("fault"))
    fault: Content = {"kind": kind, "lasts_h": chance.between(0.01, 2.0)}
    if chance.often(0.5):
        fault["at_h"] = [chance.between(0.0, 6.0)]
    else:
        fault["every_h"] = chance.between(0.1, 3.0)
    if "share" in find("fault", kind).section.model_fields:
        fault["share"] = chance.of([0.3, 1.0])
        if chance.often(0.3):
            fault["phones"] = [chance.whole(0, phones - 1)]
    if kind == "region-dark":
        fault["region"] = chance.of(["urban", "suburban", "rural"])
    if kind == "clocks-wrong":
        fault["ahead_s"] = chance.of([60.0, 2990.0, 4000.0])
    if kind == "bad-release":
        fault["how"] = chance.of(["wrong", "slow", "worse"])
    return fault


def _delivery(chance: Chance) -> Content:
    when = chance.of(["end", "every", "best", "at"])
    some: Content = {
        "when": when,
        "variant": chance.of(["int8", "float32", "auto"]),
        "deadline_s": chance.of([1800.0, 7200.0]),
        "run_within_s": 1800.0,
        "retries": chance.whole(0, 2),
        "lists": chance.whole(1, 2),
        "patches": chance.often(0.7),
        "stages": chance.of([[1.0], [0.3, 1.0], [0.2, 0.5, 1.0]]),
        "least_phones": 2,
        "enough": chance.of([0.5, 1.0]),
    }
    if when in ("every", "best"):
        some["every"] = chance.whole(1, 2)
    if when == "at":
        some["at_h"] = [chance.between(0.5, 2.0), chance.between(2.5, 5.0)]
    if chance.often(0.3):
        planted = chance.of(["wrong", "slow", "worse"])
        some["planted"] = [{"release": chance.whole(1, 2), "fault": planted}]
    if chance.often(0.15):
        some["hold"] = [chance.whole(1, 2)]
    return some


def scenario_of(seed: int) -> tuple[Content, Scenario]:
    """Return the scenario of *seed*: the first of its draws that goes together.

    Raises:
        ScenarioError: none of many does.
    """
    for attempt in range(TRIES):
        content = content_of(seed, attempt)
        try:
            return content, Scenario.of(content)
        except (ScenarioError, ValidationError):
            continue
    raise ScenarioError(f"seed {seed}: nothing that it draws goes together")
