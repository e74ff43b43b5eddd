"""Transforms and dishonest senders in protocols: what they cost, change, and where they fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.models.senders.flipped_signs import FlippedSigns
from droidloop.platform.errors import ScenarioError
from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import read
from droidloop.scenarios.schema.schema import Scenario
from tests.scenarios.protected_worlds import DIM, ITEMS, play
from tests.scenarios.small_worlds import PHONES, values

NOISE = {"kind": "clip-laplace", "clip": 0.5, "noise": 0.01}
MASKS = {"kind": "masks", "group": 5}
BOUND = {"kind": "norm-bound", "bound": 0.2}
FLIPS = {"kind": "flipped-signs", "share": 0.25, "times": 5.0}
FITTING = [
    ("rounds", [NOISE]),
    ("rounds", [MASKS]),
    ("rounds", [NOISE, MASKS]),
    ("rounds", [BOUND]),
    ("buffered", [NOISE, BOUND]),
    ("gossip", [NOISE, BOUND]),
    ("groups", [NOISE]),
]


@pytest.mark.parametrize(("kind", "transforms"), FITTING)
def test_exact_play_equals_cohort_play_with_transforms_and_senders(
    tmp_path: Path, kind: str, transforms: list[dict[str, Any]]
) -> None:
    keys: dict[str, Any] = {"transforms": transforms, "senders": [FLIPS], "ideal": False}
    one = play(tmp_path / "a", kind, **keys)
    two = play(tmp_path / "b", kind, exact=True, **keys)
    for table in ("jobs", "events"):
        assert np.array_equal(read(tmp_path / "a", table), read(tmp_path / "b", table)), table
    np.testing.assert_array_equal(one.tables(), two.tables())
    for name, array in one.channel.state().items():
        np.testing.assert_array_equal(array, two.channel.state()[name])


def test_masked_rounds_learn_what_plain_rounds_learn_to_the_bit(tmp_path: Path) -> None:
    plain = play(tmp_path / "a", "rounds")
    masked = play(tmp_path / "b", "rounds", transforms=[MASKS])
    np.testing.assert_array_equal(plain.tables(), masked.tables())
    assert values(tmp_path / "b", "transforms", "mask_groups") == [PHONES // 5] * 4
    assert values(tmp_path / "b", "transforms", "mask_failed") == [0] * 4


def test_sealed_bytes_and_their_computation_stand_in_the_jobs(tmp_path: Path) -> None:
    play(tmp_path / "a", "rounds", rounds=1)
    play(tmp_path / "b", "rounds", rounds=1, transforms=[MASKS])
    play(tmp_path / "c", "rounds", rounds=1, transforms=[NOISE])
    plain, masked, noisy = (read(tmp_path / name, "jobs") for name in "abc")
    for rows in (plain, masked, noisy):
        rows.sort(order="phone")
    numbers = (ITEMS + 1) * (DIM + 1)
    assert (masked["up_bytes"] == 32 + 8 * numbers).all()
    assert (masked["flops"] - plain["flops"] == (25 * 4 + 3) * numbers).all()
    assert (noisy["up_bytes"] == plain["up_bytes"]).all()
    sent = (plain["up_bytes"] - 32) // (4 * DIM + 4) * DIM
    assert (noisy["flops"] - plain["flops"] == 50 * sent).all()
    slower = masked["compute_end_us"] - masked["down_end_us"]
    assert (slower >= plain["compute_end_us"] - plain["down_end_us"]).all()


def masked_groups(folder: Path) -> dict[str, int]:
    """Return how many groups there were in all, and what became of them."""
    names = ("groups", "repaired", "failed")
    return {name: sum(values(folder, "transforms", f"mask_{name}")) for name in names}


def test_groups_whose_phones_are_late_are_repaired(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"rounds": 12, "deadline_s": 1.2, "ideal": False}
    masked = play(tmp_path / "a", "rounds", transforms=[MASKS], **keys)
    plain = play(tmp_path / "b", "rounds", **keys)
    told = masked_groups(tmp_path / "a")
    assert told["repaired"] > 10
    assert told["failed"] == 0
    jobs = read(tmp_path / "a", "jobs")
    asked = jobs[jobs["kind"] == Kind.EXCHANGE]
    assert (asked["up_bytes"] % 8 == 0).all(), "a header, and seeds of 64 bits"
    assert (asked["up_bytes"] > 32).all()
    assert values(tmp_path / "a", "round", "done") == values(tmp_path / "b", "round", "done"), (
        "the same phones were in time"
    )
    np.testing.assert_array_equal(masked.tables(), plain.tables())


def test_groups_that_cannot_be_repaired_in_time_fail_and_the_ledger_says_so(
    tmp_path: Path,
) -> None:
    keys: dict[str, Any] = {"rounds": 12, "every_s": 0.9, "deadline_s": 0.7, "ideal": False}
    played = play(tmp_path, "rounds", transforms=[MASKS], **keys)
    told = masked_groups(tmp_path)
    assert told["failed"] > 0
    assert sum(values(tmp_path, "refused", "mask")) == sum(values(tmp_path, "round", "refused")) > 0
    assert np.isfinite(played.tables()).all()


def test_epsilon_in_the_ledger_is_what_one_calculates_by_hand(tmp_path: Path) -> None:
    play(tmp_path, "rounds", transforms=[{**NOISE, "clip": 0.5, "noise": 0.25}])
    assert values(tmp_path, "transforms", "epsilon_message_ppm") == [4_000_000] * 4
    assert values(tmp_path, "transforms", "epsilon_most_ppm") == [
        4_000_000 * turn for turn in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize("kind", ["rounds", "buffered", "gossip"])
def test_a_budget_stops_a_phone_from_sending(tmp_path: Path, kind: str) -> None:
    budget = {**NOISE, "budget": 250.0}  # a message costs 100
    played = (
        play(tmp_path, kind, transforms=[budget], rounds=8, limit_days=0.01)
        if (kind == "buffered")
        else play(tmp_path, kind, transforms=[budget], rounds=8)
    )
    spent = played.channel.state()["0/spent"]
    assert spent.max() == 200.0
    jobs = read(tmp_path, "jobs")
    counts = np.bincount(jobs["phone"][jobs["up_bytes"] > 0])
    assert counts.max() == 2


@pytest.mark.parametrize("kind", ["rounds", "buffered", "gossip"])
def test_a_bound_limits_the_damage_of_dishonest_phones(tmp_path: Path, kind: str) -> None:
    liar: dict[str, Any] = {"liars": [FlippedSigns(50.0)], "each": 4}
    honest = play(tmp_path / "a", kind)
    hurt = play(tmp_path / "b", kind, **liar)
    bound = play(tmp_path / "c", kind, transforms=[BOUND], **liar)
    far = np.linalg.norm(hurt.tables() - honest.tables())
    near = np.linalg.norm(bound.tables() - honest.tables())
    assert near < 0.25 * far
    assert sum(values(tmp_path / "c", "transforms", "norm_shrunk")) > 0


def test_what_does_not_follow_the_rule_is_drawn_as_the_scenario_says(tmp_path: Path) -> None:
    played = play(tmp_path, "rounds", rounds=1, senders=[FLIPS, FLIPS])
    assert np.bincount(1 + played.channel.rule_of).tolist() == [PHONES // 2, 10, 10]
    assert values(tmp_path, "senders", "flipped-signs") == [10, 10]


def test_observers_see_what_is_sent_and_not_what_was_made(tmp_path: Path) -> None:
    seen: list[Any] = []
    play(
        tmp_path,
        "rounds",
        rounds=1,
        transforms=[MASKS],
        observers=(lambda number, part: seen.append((number, part)),),
    )
    [(number, part)] = seen
    assert number == 0
    assert part.kind == "masked"
    assert part.arrays["item"].dtype == np.uint64


def test_what_a_channel_remembers_comes_back_from_plain_arrays(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"transforms": [NOISE, BOUND]}
    one, two = (
        play(tmp_path / "a", "rounds", **keys),
        play(tmp_path / "b", "rounds", rounds=1, **keys),
    )
    kept = {name: array.copy() for name, array in one.channel.state().items()}
    assert set(kept) == {"refused", "0/spent", "1/counts"}
    assert not np.array_equal(kept["0/spent"], two.channel.state()["0/spent"])
    two.channel.restore(kept)
    for name, array in kept.items():
        np.testing.assert_array_equal(two.channel.state()[name], array)


REFUSED = [
    ({"kind": "gossip", "transforms": [MASKS]}, {"rule": "gossip-mf"}, "'masks' needs a"),
    ({"kind": "buffered", "transforms": [MASKS]}, {"rule": "fedmf"}, "needs a protocol"),
    ({"kind": "rounds", "transforms": [MASKS]}, {"rule": "fedfast"}, "needs a rule"),
    ({"kind": "rounds", "transforms": [BOUND, MASKS]}, {"rule": "fedmf"}, "needs a transform"),
    ({"kind": "local", "transforms": [NOISE]}, {"rule": "tune"}, "needs a protocol"),
    ({"kind": "gossip", "transforms": [BOUND]}, {"rule": "mac"}, "needs a rule"),
    ({"kind": "local", "senders": [FLIPS]}, {"rule": "tune"}, "needs a protocol"),
    ({"kind": "rounds", "transforms": ["no-such"]}, {"rule": "fedmf"}, "there is no such"),
]


@pytest.mark.parametrize(("protocol", "training", "words"), REFUSED)
def test_what_makes_no_sense_is_refused_in_one_line(
    protocol: dict[str, Any], training: dict[str, Any], words: str
) -> None:
    content = {
        "name": "x",
        "title": "x",
        "protocol": protocol,
        "training": training,
        "delivery": {"variant": "none"},
    }
    with pytest.raises(ScenarioError, match=words) as refusal:
        Scenario.of(content)
    assert "\n" not in str(refusal.value)
