"""A sweep of 48 runs on a Ray cluster of two nodes that loses one, and is ended twice.

`python -m tests.studies.ray_sweep [RUNS]`: prints one JSON line, exit code 1 if something does not
hold. The cluster is started by Ray's own utility. The sweep is ended by Ctrl-C after a quarter of
its runs, and by SIGKILL after a half; in the third quarter a node is killed. Its ledgers are then
compared with those of the same sweep in one process, and what was complete before is to be as it
was.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import droidloop
from droidloop.platform.rundir import MANIFEST
from tests.scenarios.killed_runs import digest

RUNS, SEEDS = 48, 4
SMALL: dict[str, Any] = {
    "data.users": 60,
    "data.items": 120,
    "data.interactions": 20,
    "population.phones": 60,
    "delivery.variant": "none",
    "evaluation.baselines": [],
    "protocol.rounds": 3,
}
COMMAND = """
import signal
from droidloop.scenarios.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts this may ignore it
main()
"""
PATIENCE_S = 900.0
LIMITS = {"num_cpus": 1, "object_store_memory": 200 << 20, "node_ip_address": "127.0.0.1"}


def plan(runs: int) -> dict[str, Any]:
    """Return a sweep of so many runs."""
    clients = list(range(5, 5 + runs // SEEDS))
    return {
        "base": "quickstart",
        "seeds": list(range(1, SEEDS + 1)),
        "fixed": SMALL,
        "grid": {"protocol.clients": clients},
    }


def as_toml(tables: dict[str, Any]) -> str:
    """Return *tables* of a sweep as a file."""
    lines = [f"{key} = {json.dumps(tables[key])}" for key in ("base", "seeds")]
    for name in ("fixed", "grid"):
        lines += [f"[{name}]", *(f"{k} = {json.dumps(v)}" for k, v in tables[name].items())]
    return "\n".join(lines) + "\n"


def complete(out: Path) -> dict[str, str]:
    """Return the manifests of the runs in *out* that are complete."""
    found = {path.parent.name: path.read_text() for path in out.glob(f"*/{MANIFEST}")}
    return {name: text for name, text in found.items() if json.loads(text)["state"] == "complete"}


def begin(file: Path, out: Path, address: str) -> "subprocess.Popen[bytes]":
    """Start the command line at it."""
    line = [sys.executable, "-c", COMMAND, "sweep", str(file), "--out", str(out)]
    return subprocess.Popen(
        [*line, "--ray", address, "--json"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for(process: "subprocess.Popen[bytes]", out: Path, many: int) -> None:
    """Wait until *many* runs are complete, or it has ended."""
    deadline_s = time.monotonic() + PATIENCE_S
    while len(complete(out)) < many and process.poll() is None:
        if time.monotonic() > deadline_s:
            raise SystemExit(f"only {len(complete(out))} of {many} runs after {PATIENCE_S:g} s")
        time.sleep(0.2)


def ended_twice(file: Path, out: Path, cluster: Any, node: Any, runs: int) -> list[dict[str, str]]:
    """Play the sweep, ended by Ctrl-C and SIGKILL; return what was complete after each time."""
    found = []
    for number, how in ((runs // 4, signal.SIGINT), (runs // 2, signal.SIGKILL)):
        process = begin(file, out, cluster.address)
        wait_for(process, out, number)
        process.send_signal(how)
        process.wait(60)
        found.append(complete(out))
    process = begin(file, out, cluster.address)
    wait_for(process, out, len(found[-1]) + max(1, runs // 8))
    cluster.remove_node(node, allow_graceful=False)
    process.wait(PATIENCE_S)
    return [*found, complete(out)]


def cluster_of_this_machine() -> Any:
    """Return Ray's own utility, told that nodes at 127.0.0.1 are several."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    import ray._private.ray_constants
    import ray.cluster_utils

    ray._private.ray_constants.ENABLE_RAY_CLUSTER = False
    return ray.cluster_utils.Cluster


def study(runs: int, folder: Path) -> dict[str, Any]:
    """Return what came of it."""
    made = cluster_of_this_machine()
    tables, file = plan(runs), folder / "sweep.toml"
    file.write_text(as_toml(tables))
    os.environ.setdefault("PYTHONPATH", os.getcwd())
    begun_s = time.monotonic()
    droidloop.sweep(file, folder / "alone", processes=1)
    alone_s = time.monotonic() - begun_s
    cluster = made(initialize_head=True, head_node_args={**LIMITS, "include_dashboard": False})
    try:
        node = cluster.add_node(**LIMITS)
        out = folder / "cluster"
        parts = ended_twice(file, out, cluster, node, runs)
    finally:
        cluster.shutdown()
    alone = {one.name: digest(one) for one in (folder / "alone").iterdir() if one.is_dir()}
    there = {one.name: digest(one) for one in out.iterdir() if one.is_dir()}
    return {
        "runs": runs,
        "complete_after": [len(one) for one in parts],
        "same_ledgers": sum(there.get(name) == one for name, one in alone.items()),
        "run_again": sum(
            parts[k + 1].get(name) != text
            for k in range(len(parts) - 1)
            for name, text in parts[k].items()
        ),
        "alone_s": round(alone_s, 1),
        "wall_s": round(time.monotonic() - begun_s - alone_s, 1),
    }


def main() -> None:
    """Print it."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as folder:
        found = study(runs, Path(folder))
    print(json.dumps(found))
    whole = found["complete_after"][-1] == found["same_ledgers"] == runs
    raise SystemExit(0 if whole and not found["run_again"] else 1)


if __name__ == "__main__":
    main()
