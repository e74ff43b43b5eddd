"""What goes wrong in the field: losses that run away, empty users, rounds that nobody finishes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.platform.errors import DroidloopError
from droidloop.platform.ledger import read
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.load import load
from tests.scenarios.small_worlds import values

RULES = {
    "fedmf": "rounds",
    "pfedrec": "rounds",
    "fedncf": "rounds",
    "fedgcn": "rounds",
    "perfedrec": "rounds",
    "fedfast": "rounds",
    "fcf": "rounds",
    "gossip-mf": "gossip",
}
SCENARIO = """
name = "hard"
title = "Whatever can go wrong"
seed = 2

[population]
ideal = true

[model]
dim = 4

[protocol]
rounds = 3
every_s = 600.0
deadline_s = 300.0

[delivery]
variant = "none"

[evaluation]
baselines = []
candidates = 5
k = 5
"""


def play(folder: Path, **settings: Any) -> Path:
    """Run the scenario, changed by *settings* (``__`` for a dot); return the run directory."""
    file = folder.with_suffix(".toml")
    file.write_text(SCENARIO)
    words = [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
    execute(load(file, words), folder, replay=None, progress=lambda *_: None)
    return folder


def odd_users(folder: Path) -> Path:
    """Write events of users with one item, two, three and many, all of them on 20 items."""
    lines = ["user,item,time"]
    for user in range(30):
        count = [1, 2, 3, 12][user % 4]
        items = (np.arange(count) * 7 + user) % 20
        lines += [f"u{user},i{item},{100 * user + k}" for k, item in enumerate(items.tolist())]
    path = folder / "odd.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(("rule", "protocol"), RULES.items())
def test_users_with_one_or_no_item_to_learn_from_spoil_nothing(
    tmp_path: Path, rule: str, protocol: str
) -> None:
    run = play(
        tmp_path / "run",
        data__path=f"'{odd_users(tmp_path)}'",
        data__columns="{ time = 'time' }",
        training__rule=rule,
        protocol__kind=protocol,
    )
    metrics = read(run, "metrics")
    assert np.isfinite(metrics["value"]).all()
    assert len(np.unique(metrics["phone"][metrics["part"] == b"test"])) == 14
    assert values(run, "round", "done") == [30, 30, 30]


@pytest.mark.parametrize("rule", ["fedmf", "fedncf", "fedfast"])
def test_losses_that_run_away_are_refused_and_counted(tmp_path: Path, rule: str) -> None:
    run = play(
        tmp_path / "run",
        training__rule=rule,
        training__learning_rate=1e9,
        training__epochs=3,
        population__phones=20,
        data__items=40,
    )
    assert sum(values(run, "round", "refused")) > 0
    assert np.isfinite(read(run, "metrics")["value"]).all()


def test_a_model_that_diverges_ends_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DroidloopError, match=r"the model diverged: lower training\.learning_rate"):
        play(
            tmp_path / "run",
            training__rule="pfedrec",
            training__learning_rate=1e9,
            training__epochs=3,
            population__phones=20,
            data__items=40,
        )


def test_a_package_holds_no_nan_whatever_the_phones_sent(tmp_path: Path) -> None:
    run = play(
        tmp_path / "run",
        training__learning_rate=1e9,
        training__epochs=3,
        population__phones=20,
        data__items=40,
        delivery__variant="int8",
    )
    package = Package.load(run / "package")
    for variant in ("float32", "int8"):
        users = np.eye(package.dim, dtype=np.float32)
        assert np.isfinite(LiteRT(package.model(variant)).scores(users).values).all()


@pytest.mark.parametrize(("rule", "protocol"), [("fedmf", "rounds"), ("gossip-mf", "gossip")])
def test_a_round_that_nobody_finishes_is_seen_and_changes_nothing(
    tmp_path: Path, rule: str, protocol: str
) -> None:
    run = play(
        tmp_path / "run",
        training__rule=rule,
        protocol__kind=protocol,
        protocol__deadline_s=0.000001,
        population__phones=20,
        data__items=40,
    )
    assert values(run, "round", "selected") == [20, 20, 20]
    assert values(run, "round", "done") == [0, 0, 0]
    hits = values(run, "valid", "hr_at_5_ppm")
    assert len(set(hits)) == 1


def test_a_disconnected_topology_leaves_nobody_without_a_turn(tmp_path: Path) -> None:
    edges = tmp_path / "links.txt"
    edges.write_text("0 1\n2 3\n")
    run = play(
        tmp_path / "run",
        training__rule="gossip-mf",
        protocol__kind="gossip",
        protocol__topology=f"{{ kind = 'file', file = '{edges}' }}",
        population__phones=20,
        data__items=40,
    )
    assert values(run, "round", "learned") == [20, 20, 20]
    assert values(run, "round", "messages") == [0, 4, 4]


def test_an_upload_from_a_version_that_is_too_old_is_refused_and_counted(tmp_path: Path) -> None:
    run = play(
        tmp_path / "run",
        protocol__kind="buffered",
        protocol__clients=20,
        protocol__buffer=2,
        protocol__rounds=6,
        protocol__staleness=0,
        protocol__every_s=60.0,
        population__phones=40,
        data__items=40,
    )
    assert sum(values(run, "round", "refused")) > 0
    assert values(run, "round", "version") == [1, 2, 3, 4, 5, 6]
