"""The swarm, for a few seeds; `make swarm` plays many."""

from collections.abc import Iterator

import pytest

from droidloop.platform.registry import names

from .bugs import BUGS
from .chance import PROTOCOLS, TABLES, TRANSFORMS, content_of, scenario_of
from .playing import play, quick
from .shrinking import shrunk

SEEDS = (0, 1, 2, 5)
FOUND = {"bytes": 2, "private": 2, "energy": 5}
"""Seeds at which three of the planted bugs are found; `python -m tests.swarm --bugs` finds all."""


@pytest.fixture(scope="module", autouse=True)
def quickly() -> Iterator[None]:
    with quick():
        yield


@pytest.mark.parametrize("seed", SEEDS)
def test_every_invariant_holds(seed: int) -> None:
    content, _ = scenario_of(seed)
    played = play(content)
    assert played.broken is None
    assert played.events > 0


def test_what_the_best_turn_knew_stays_after_two_kills() -> None:
    """FedFast changes in place what it has taken over of a checkpoint."""
    assert play(scenario_of(5163)[0]).broken is None


@pytest.mark.parametrize("seed", [2849, 4357])
def test_phones_that_take_the_place_of_others_hold_no_version(seed: int) -> None:
    """A phone was replaced after it had switched, before its release had looked at it.

    Of the first the ledger knew a version; of the second the table of phones did.
    """
    assert play(scenario_of(seed)[0]).broken is None


def test_batches_that_end_at_one_instant_do_so_in_one_order() -> None:
    """A round and an older release ended at one microsecond, and the next release began then."""
    assert play(scenario_of(5829)[0]).broken is None


def test_a_seed_gives_the_same_scenario_again() -> None:
    assert scenario_of(7)[0] == scenario_of(7)[0]
    assert scenario_of(7)[0] != scenario_of(8)[0]


def test_chance_reaches_everything() -> None:
    some = [content_of(seed, 0) for seed in range(300)]
    faults = {one["kind"] for content in some for one in content.get("faults", [])}
    assert faults == set(names("fault"))
    kinds = {one["kind"] for content in some for one in content["protocol"].get("transforms", [])}
    assert kinds == {one["kind"] for one in TRANSFORMS}
    tables = {content["model"].get("table", TABLES[0])["kind"] for content in some}
    assert tables == {one["kind"] for one in TABLES}
    protocols = {content["protocol"]["kind"] for content in some}
    assert protocols == {one["kind"] for one in PROTOCOLS.values()}
    assert {content["delivery"].get("when") for content in some} == {
        *(None, "end", "every", "best", "at"),
    }
    assert len({content["training"]["rule"] for content in some}) > 8


def test_a_failing_scenario_is_shrunk_to_what_it_takes() -> None:
    content, _ = scenario_of(3)
    content = {
        **content,
        "faults": [{"kind": "server-down", "at_h": [1.0]}, {"kind": "phones-die", "at_h": [2.0]}],
    }

    def breaks(candidate: dict[str, object]) -> bool:
        faults = candidate.get("faults")
        return isinstance(faults, list) and any(one["kind"] == "phones-die" for one in faults)

    found = shrunk(content, breaks)
    assert found["faults"] == [{"kind": "phones-die", "at_h": [2.0]}]
    assert len(found) < len(content)


@pytest.mark.parametrize("name", FOUND)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, invariant = BUGS[name]
    content, _ = scenario_of(FOUND[name])
    plant(monkeypatch)
    broken = play(content).broken
    assert broken is not None
    assert broken[0] == invariant


def test_there_is_a_bug_for_every_invariant() -> None:
    assert {invariant for _, invariant in BUGS.values()} == {
        *("energy", "bytes", "jobs", "outcome", "gate", "private", "time", "resume", "exact"),
    }
