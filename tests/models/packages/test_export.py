import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from droidloop.models.evaluation.overlap import overlap_by_user
from droidloop.models.packages import export as export_module
from droidloop.models.packages.child import KeptChild, run_child
from droidloop.models.packages.export import export
from droidloop.models.packages.export_child import read_graph
from droidloop.models.packages.exportable import Graph, scoring
from droidloop.models.packages.litert import LiteRT, check, measure
from droidloop.models.packages.package import Package
from droidloop.platform.arrays import Array
from droidloop.platform.errors import PackageError

VARIANTS = ("float32", "float16", "int8", "int8-dynamic", "int4")


def converted(table: Array) -> Graph:
    """Return the graph of a scorer that the converter has to make: it is named by its place."""
    return replace(scoring(table), kind="droidloop.models.packages.exportable:Scorer")


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_exported_variant_answers_its_golden_inputs(package: Package, variant: str) -> None:
    check(package, variant)


def test_the_float32_file_scores_as_the_table_does(
    package: Package, table: Array, users: Array
) -> None:
    scores = LiteRT(package.model("float32")).scores(users).values
    exact = users.astype(np.float64) @ table.T.astype(np.float64)
    assert np.abs(scores - exact).max() <= 1e-5 * np.abs(exact).max()


@pytest.mark.parametrize("variant", ["int8", "int8-dynamic"])
def test_int8_finds_the_top_ten_of_float32(package: Package, users: Array, variant: str) -> None:
    """0.99 and 0.99 were seen on this table."""
    scores = {name: LiteRT(package.model(name)).scores(users).values for name in VARIANTS}
    assert overlap_by_user(scores["float32"], scores[variant], 10).mean() >= 0.95


def test_int8_scores_are_those_of_weights_rounded_to_a_scale_for_each_item(
    package: Package, table: Array, users: Array
) -> None:
    """Weight-only int8 computes in float32: nothing is lost but the weights' rounding."""
    scale = np.abs(table).max(axis=1, keepdims=True) / np.float32(127)
    rounded = np.round(table / np.where(scale > 0, scale, 1)) * scale
    scores = LiteRT(package.model("int8")).scores(users).values
    assert np.abs(scores - users @ rounded.T).max() <= 1e-5 * np.abs(scores).max()


def test_float16_takes_half_of_float32_and_int4_half_of_int8(package: Package) -> None:
    weights = package.n_items * package.dim
    assert 2 * weights < len(package.model("float16")) < 2 * weights + 2000
    assert weights // 2 < len(package.model("int4")) < weights // 2 + 12 * package.n_items + 2000


def test_float16_scores_are_those_of_weights_in_half_precision(
    package: Package, table: Array, users: Array
) -> None:
    halved = table.astype(np.float16).astype(np.float32)
    scores = LiteRT(package.model("float16")).scores(users).values
    assert np.abs(scores - users @ halved.T).max() <= 1e-5 * np.abs(scores).max()


@pytest.mark.parametrize("variant", ["int8", "int8-dynamic"])
def test_int8_takes_a_byte_a_weight_and_twelve_an_item(package: Package, variant: str) -> None:
    weights = package.n_items * (package.dim + 12)
    assert weights < len(package.model(variant)) < weights + 2000
    assert len(package.model(variant)) < 0.36 * len(package.model("float32"))


def test_the_manifest_says_what_was_exported(package: Package) -> None:
    manifest = package.manifest
    assert (manifest.name, manifest.version, manifest.signature) == ("mf", 3, "score")
    assert (package.dim, package.n_items) == (32, 1682)
    runtimes = {name: variant.min_runtime for name, variant in manifest.variants.items()}
    right = {"float32": 14, "float16": 14, "int8": 14, "int8-dynamic": 100, "int4": 203}
    assert runtimes == right


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_ram_in_the_manifest_is_the_peak_that_is_measured(
    package: Package, variant: str
) -> None:
    peak = measure(package.model(variant), runs=5).peak_bytes
    assert abs(package.variant(variant).ram_bytes - peak) < 2 * 2**20


def test_items_that_were_never_trained_score_zero(package: Package, users: Array) -> None:
    for variant in VARIANTS:
        assert not LiteRT(package.model(variant)).scores(users).values[:, -2:].any()


@dataclass(frozen=True)
class Second:
    """The same export in another process, folder and environment."""

    package: Package
    said: tuple[bytes, bytes]
    modules: set[str]


@pytest.fixture(scope="module")
def second(table: Array, tmp_path_factory: pytest.TempPathFactory) -> Second:
    code = """
import sys
from pathlib import Path
import numpy as np
from droidloop.models.packages.export import export
from droidloop.models.packages.exportable import scoring
variants = ("float32", "float16", "int8", "int8-dynamic", "int4")
package = export(scoring(np.load("table.npy")), name="mf", version=3, variants=variants)
package.save(Path("package"))
Path("modules").write_text(chr(10).join(sys.modules))
"""
    folder = tmp_path_factory.mktemp("another-place-with-a-longer-name")
    np.save(folder / "table.npy", table)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": "5", "LANG": "de_DE.UTF-8", "LONG": "x" * 5000},
        capture_output=True,
        check=True,
    )
    modules = set((folder / "modules").read_text().split())
    return Second(Package.load(folder / "package"), (done.stdout, done.stderr), modules)


def test_a_second_export_gives_the_same_bytes(package: Package, second: Second) -> None:
    """Neither hash seed nor locale, folder or environment show in a package."""
    assert second.package.manifest == package.manifest
    assert second.package.files == package.files


def test_an_export_says_nothing(second: Second) -> None:
    assert second.said == (b"", b"")


def test_an_export_imports_no_converter_into_the_process_that_asks(second: Second) -> None:
    assert "torch" in second.modules
    assert not {"litert_torch", "ai_edge_quantizer", "jax"} & second.modules


def test_a_child_that_fails_is_quoted_in_one_line() -> None:
    graph = scoring(np.eye(3, dtype=np.float32))
    wrong = Graph("no-such-kind", graph.signature, graph.constants, graph.inputs, graph.outputs)
    with pytest.raises(
        PackageError, match=r"^exporting .*graph 'no-such-kind' cannot be built .*$"
    ):
        export_module.convert(wrong, ["float32"], 100)


def test_a_child_that_does_not_end_is_ended() -> None:
    begin = time.monotonic()
    with pytest.raises(PackageError, match=r"exporting the model: no end after 0.05 s"):
        export_module.convert(converted(np.eye(3, dtype=np.float32)), ["float32"], 0.05)
    assert time.monotonic() - begin < 10


CHILD_ENDS = pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_converter", r"No module named 'no_such_converter'; install the extra"),
        ("import os; os.kill(os.getpid(), 9)", "ended by SIGKILL, perhaps for want of memory"),
        ("import os; os.kill(os.getpid(), 11)", "ended by SIGSEGV$"),
        ("import sys; sys.exit(3)", "exit code 3, nothing said"),
        ("import sys; sys.exit('no space')", "no space$"),
        ("raise ValueError('first\\nsecond')", "what: ValueError: first$"),
        ("import sys; print('W0 noise', file=sys.stderr); 1 / 0", "ZeroDivisionError: division"),
    ],
)
CHILD = "droidloop_child_of_a_test"


@CHILD_ENDS
def test_how_a_child_ended_is_told(
    code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{CHILD}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(PackageError, match=reason):
        run_child(CHILD, what="what", timeout_s=60)


class Kept(KeptChild):
    """One that a test ends."""

    close = KeptChild.end


class SlowlyStarted(Kept):
    """One whose process has ended before it is asked for anything."""

    def _start(self) -> "tuple[subprocess.Popen[str], IO[str]]":
        process, said = super()._start()
        process.wait(60)
        return process, said


@pytest.mark.parametrize("kept", [Kept, SlowlyStarted])
@CHILD_ENDS
def test_how_a_kept_child_ended_is_told_however_soon_it_did(
    kept: type[Kept], code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{CHILD}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with closing(kept(CHILD)) as child, pytest.raises(PackageError, match=reason):
        child.ask("job", what="what", timeout_s=60)


SERVED = """
import json, os, pathlib, sys, time
from droidloop.platform.served import serve
def work(job):
    print("this is no answer", os.getpid())
    if job == "fail":
        raise ValueError("the second job")
    if job == "late":
        time.sleep(60)
    pathlib.Path(job).write_text(str(os.getpid()))
serve(work, idle_s=IDLE)
"""


def test_a_kept_child_does_one_job_after_the_other_until_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{CHILD}.py").write_text(SERVED.replace("IDLE", "60"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    answers = [tmp_path / name for name in ("first", "second", "third")]
    with closing(Kept(CHILD)) as child:
        for answer in answers[:2]:
            child.ask(str(answer), what="what", timeout_s=60)
        with pytest.raises(PackageError, match=r"^what: ValueError: the second job$"):
            child.ask("fail", what="what", timeout_s=60)
        child.ask(str(answers[2]), what="what", timeout_s=60)
        with pytest.raises(PackageError, match="what: no end after 1 s"):
            child.ask("late", what="what", timeout_s=1)
    first, second, third = (int(answer.read_text()) for answer in answers)
    assert first == second != third
    for pid in (first, third):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_kept_child_that_was_idle_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{CHILD}.py").write_text(SERVED.replace("IDLE", "0.2"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    answer = tmp_path / "answer"
    with closing(Kept(CHILD)) as child:
        for wait_s in (0.0, 0.2, 0.21):  # it may end before, after, and while it is asked
            time.sleep(wait_s)
            child.ask(str(answer), what="what", timeout_s=60)
        ended = child._process
        assert ended is not None
        assert ended.wait(60) == 0
        child.ask(str(answer), what="what", timeout_s=60)
    assert answer.read_text() != str(ended.pid)


def test_what_is_exported_does_not_depend_on_what_was_before(table: Array) -> None:
    graph, other = converted(table), converted(np.eye(7, dtype=np.float32))
    export_module.EXPORTER.end()
    [fresh, _, after] = [
        export_module.convert(one, ["float32", "int8"], 600) for one in (graph, other, graph)
    ]
    assert fresh == after


def test_the_child_gets_the_graph_as_plain_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, object] = {}

    def look(folder: str, *, what: str, timeout_s: float) -> None:
        seen["files"] = sorted(path.name for path in Path(folder).iterdir())
        seen["graph"], seen["variants"] = read_graph(Path(folder))
        json.loads(Path(folder, "graph.json").read_text())
        Path(folder, "float32.tflite").write_bytes(b"model")

    monkeypatch.setattr(export_module.EXPORTER, "ask", look)
    graph = converted(np.eye(3, dtype=np.float32))
    assert export_module.convert(graph, ["float32"], 1) == {"float32": b"model"}
    assert seen["files"] == ["graph.json", "table.npy"]
    assert seen["variants"] == ["float32"]
    back = seen["graph"]
    assert isinstance(back, Graph)
    assert (back.kind, back.signature) == (graph.kind, graph.signature)
    assert (back.inputs, back.outputs) == (graph.inputs, graph.outputs)
    assert (back.constants["table"] == graph.constants["table"]).all()


@pytest.mark.parametrize("factor", [1.001, np.nan])
def test_a_converter_that_computes_something_else_is_caught(
    package: Package, table: Array, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    models = {"float32": package.model("float32")}
    monkeypatch.setattr(export_module, "convert", lambda *_: models)
    torch_says: Callable[[Graph, dict[str, Array]], dict[str, Array]] = Graph.run

    def scaled(graph: Graph, inputs: dict[str, Array]) -> dict[str, Array]:
        return {name: factor * values for name, values in torch_says(graph, inputs).items()}

    monkeypatch.setattr(Graph, "run", scaled)
    with pytest.raises(PackageError, match=r"exported scores differ by .* from torch's"):
        export(scoring(table), name="mf", version=3, variants=("float32",))


@pytest.mark.parametrize("variants", [(), ("int2",)])
def test_only_known_variants_are_exported(variants: tuple[str, ...]) -> None:
    graph = scoring(np.eye(3, dtype=np.float32))
    with pytest.raises(
        ValueError, match="variants are float32, float16, int8, int8-dynamic, int4, not"
    ):
        export(graph, name="mf", version=1, variants=variants)
