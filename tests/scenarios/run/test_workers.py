"""The same bytes on 1 thread, on 4, phase by phase, and on two machines that Ray has joined."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import droidloop
from droidloop.platform.cluster import Cluster
from droidloop.platform.errors import UsageError
from droidloop.platform.ledger import segments
from droidloop.platform.tables import TABLES
from droidloop.platform.workers import use_threads
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.load import load
from tests.scenarios.killed_runs import digest

PHONES = 2000
SCENARIO = f"""
name = "workers"
title = "Two thousand phones"
seed = 3

[data]
items = 400
interactions = 12

[population]
phones = {PHONES}

[churn]
lifetime_days = 2.0

[model]
dim = 8

[protocol]
rounds = 3
every_s = 7200.0
deadline_s = 300.0
clients = 1500
min_battery = 0.1

[delivery]
deadline_s = 3600.0
run_within_s = 600.0

[evaluation]
every = 3
candidates = 20
baselines = ["popularity"]
"""


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "workers.toml"
    path.write_text(SCENARIO)
    return path


def played(scenario: Path, out: Path, *settings: str, **options: Any) -> dict[str, str]:
    """Run *scenario*; return the hash of each segment of its ledger."""
    checked = load(scenario, settings)
    execute(checked, out, replay=None, progress=lambda stage, done, total: None, **options)
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for table in TABLES
        for path in segments(out, table)
    }


@pytest.fixture(scope="module")
def alone(scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one thread makes of the scenario."""
    use_threads(1)
    try:
        return played(scenario, tmp_path_factory.mktemp("runs") / "alone")
    finally:
        use_threads(None)


def test_a_run_of_one_thread_writes_every_table(alone: dict[str, str]) -> None:
    assert {name.split("/")[0] for name in alone} == set(TABLES) - {"measures"}


def test_four_threads_write_the_same_bytes(
    scenario: Path, alone: dict[str, str], tmp_path: Path
) -> None:
    use_threads(4)
    try:
        assert played(scenario, tmp_path / "four") == alone
    finally:
        use_threads(None)


def test_exact_play_writes_the_same_bytes(
    scenario: Path, alone: dict[str, str], tmp_path: Path
) -> None:
    assert played(scenario, tmp_path / "exact", "play=exact") == alone


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two nodes on this machine, as two machines would be: each with its own processes."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'droidloop[cluster]'")
    import ray.cluster_utils

    limits = {"num_cpus": 1, "object_store_memory": 200 << 20, "node_ip_address": "127.0.0.1"}
    made: Any = ray.cluster_utils.Cluster
    with pytest.MonkeyPatch.context() as patch:
        # else Ray takes 127.0.0.1 for the address by which others know this machine
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setattr("ray._private.ray_constants.ENABLE_RAY_CLUSTER", False)
        nodes = made(initialize_head=True, head_node_args={**limits, "include_dashboard": False})
        try:
            nodes.add_node(**limits)
            yield nodes.address
        finally:
            nodes.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_machines_write_the_same_bytes(
    scenario: Path,
    alone: dict[str, str],
    tmp_path: Path,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster, asked = Cluster(address), set()
    send = cluster.map

    def spy(function: Any, shared: Any, parts: Any) -> Any:
        asked.add((function.__name__, len(parts)))
        return send(function, shared, parts)

    monkeypatch.setattr(cluster, "map", spy)
    try:
        assert played(scenario, tmp_path / "ray", cluster=cluster) == alone
    finally:
        cluster.close()
    assert {("play_part", 2), ("train_part", 2)} <= asked


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_sweep_on_two_machines_leaves_the_same_files(
    scenario: Path, tmp_path: Path, address: str
) -> None:
    tables: dict[str, Any] = {
        "base": str(scenario),
        "seeds": [3, 4],
        "fixed": {"delivery": {"variant": "none"}},
        "grid": {"protocol": {"rounds": [1, 2]}},
    }
    there = droidloop.sweep(tables, tmp_path / "there", ray=address)
    here = droidloop.sweep(tables, tmp_path / "here")
    folders = [one["folder"] for one in here.runs]
    assert [one["folder"] for one in there.runs] == folders
    for folder in folders:
        assert digest(there.path / folder) == digest(here.path / folder)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("nowhere", ["127.0.0.1:1", "127.0.0.1", "127.0.0.1:x"])
def test_a_cluster_that_does_not_answer_is_one_line(nowhere: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises(UsageError, match=f"--ray {nowhere}: nobody answers there") as caught:
        Cluster(nowhere)
    assert "\n" not in str(caught.value)
