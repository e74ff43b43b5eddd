"""A run starts quickly: it imports what it needs when it needs it, and compiles kernels once."""

import json
import subprocess
import sys
from typing import Any

import pytest

TINY = """
name = "tiny"
title = "Twenty phones"

[data]
items = 40
interactions = 6

[population]
phones = 20

[protocol]
rounds = 1

[evaluation]
candidates = 5
k = 5
baselines = []
"""

UNTIL_EXPORT = """
import json, sys
from pathlib import Path
from numba.core import event
from droidloop.scenarios.delivery import releases
from droidloop.scenarios.run import run
from droidloop.scenarios.schema.load import load

def export(graph, **options):
    compiled = [str(one.data["dispatcher"]) for _, one in recorder.buffer if one.is_start]
    print(json.dumps({"modules": sorted(sys.modules), "compiled": compiled}))
    raise SystemExit

releases.export = export
with event.install_recorder("numba:compile") as recorder:
    run.execute(load(Path(sys.argv[1])), Path(sys.argv[2]), replay=None, progress=lambda *_: None)
"""

KERNELS = """
import json, sys, tempfile
from pathlib import Path
from numba.core import event
from tests.benchmarks.idle import IdleRounds

with event.install_recorder("numba:compile") as recorder, tempfile.TemporaryDirectory() as folder:
    for exact in (False, True):
        rounds = IdleRounds(50, 2, 600, 10, 1000, 1000, package_bytes=1000, exact=exact)
        rounds.run(Path(folder, str(exact)))
print(json.dumps([str(one.data["dispatcher"]) for _, one in recorder.buffer if one.is_start]))
"""


def printed(script: str, *arguments: object) -> Any:
    """Run *script* in a Python of its own; return the JSON that it prints."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=280)
    return json.loads(done.stdout)


HELP = """
import json, sys
from click.testing import CliRunner
from droidloop.scenarios.cli.main import main
assert CliRunner().invoke(main, ["--help"]).exit_code == 0
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def test_help_waits_for_nothing_heavy() -> None:
    heavy = {"numpy", "numba", "torch", "simpy", "networkx", "pyarrow", "pydantic", "rich"}
    assert not heavy & set(printed(HELP))


@pytest.fixture(scope="module")
def second_run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the second of two runs has imported and compiled when it comes to the export."""
    folder = tmp_path_factory.mktemp("runs")
    scenario = folder / "tiny.toml"
    scenario.write_text(TINY)
    printed(UNTIL_EXPORT, scenario, folder / "first")
    answer: dict[str, list[str]] = printed(UNTIL_EXPORT, scenario, folder / "second")
    return answer


def test_a_run_imports_no_export_stack_until_it_exports(second_run: dict[str, list[str]]) -> None:
    held = {name.split(".")[0] for name in second_run["modules"]}
    assert {"numba", "torch", "simpy"} <= held
    assert not held & {
        "litert_torch",
        "ai_edge_quantizer",
        "ai_edge_litert",
        "tensorflow",
        "tflite_runtime",
        "adbutils",
        "matplotlib",
        "duckdb",
        "ray",
    }


def test_a_second_run_compiles_no_kernel(second_run: dict[str, list[str]]) -> None:
    assert second_run["compiled"] == []


@pytest.mark.slow
def test_a_second_process_compiles_no_law_of_either_play() -> None:
    printed(KERNELS)
    assert printed(KERNELS) == []
