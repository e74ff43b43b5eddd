import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from droidloop.models.packages import litert
from droidloop.models.packages.litert import LiteRT, check, installed_runtime, measure
from droidloop.models.packages.package import Package, golden_sample, write_npy
from droidloop.platform.arrays import Array
from droidloop.platform.errors import PackageError


@pytest.fixture(scope="module")
def model(package: Package) -> LiteRT:
    return LiteRT(package.model("int8"))


def test_users_are_scored_one_by_one_and_timed(model: LiteRT, users: Array) -> None:
    all_at_once = model.scores(users)
    assert all_at_once.values.shape == (200, 1682)
    assert all_at_once.invoke_us.shape == (200,)
    assert (all_at_once.invoke_us > 0).all()
    assert model.load_us > 0
    for k in (0, 57, 199):
        assert (model.scores(users[k : k + 1]).values[0] == all_at_once.values[k]).all()


def test_a_model_answers_the_same_twice_and_from_file_as_from_memory(
    model: LiteRT, package: Package, users: Array, tmp_path: Path
) -> None:
    path = tmp_path / "int8.tflite"
    path.write_bytes(package.model("int8"))
    scores = model.scores(users).values
    assert (model.scores(users).values == scores).all()
    assert (LiteRT(path).scores(users).values == scores).all()


def test_no_users_have_no_scores(model: LiteRT) -> None:
    assert model.scores(np.empty((0, 32), np.float32)).values.shape == (0, 1682)


def test_inputs_and_outputs_have_the_names_of_the_graph(model: LiteRT) -> None:
    assert (list(model.inputs), list(model.outputs)) == (["user"], ["scores"])
    outputs = model.run({"user": np.zeros((3, 1, 32), np.float32)})
    assert outputs["scores"].shape == (3, 1, 1682)
    assert not outputs["scores"].any()


def test_user_vectors_of_another_width_are_refused(model: LiteRT) -> None:
    with pytest.raises(ValueError, match=r"user vectors are \(2, 31\), the model takes"):
        model.scores(np.zeros((2, 31), np.float32))


@pytest.mark.parametrize("data", [b"not a model at all", b"TFL3" * 10])
def test_what_is_no_model_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(PackageError, match=r"LiteRT refuses the model: .*; export it again") as e:
        LiteRT(data)
    assert "\n" not in str(e.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"LiteRT refuses the model: .*none.tflite"):
        LiteRT(tmp_path / "none.tflite")


@pytest.mark.parametrize("variant", ["float32", "int8", "int8-dynamic"])
def test_golden_outputs_hold_on_kernels_that_round_otherwise(
    package: Package, variant: str
) -> None:
    """LiteRT without XNNPACK rounds the inputs of int8-dynamic to another grid."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        model_content=package.model(variant), experimental_op_resolver_type=plain
    )
    run = interpreter.get_signature_runner("score")
    found = np.stack([run(user=user)["scores"] for user in package.golden_inputs()["user"]])
    golden = package.golden_outputs(variant)["scores"]
    error = np.abs(golden_sample(found, package.manifest.golden_stride) - golden).max()
    assert 0 < error <= package.variant(variant).tolerance


def test_a_wrong_answer_on_this_runtime_is_refused(package: Package) -> None:
    wrong = replaced(package, "float32", 1)
    check(wrong, "int8")
    with pytest.raises(PackageError, match=r"float32 gives scores\[0, 1\] = .* where .* is right"):
        check(wrong, "float32")


def test_an_answer_that_is_no_number_is_refused(package: Package) -> None:
    with pytest.raises(PackageError, match=r"float32 gives scores\[0, 0\] = .* where nan is right"):
        check(replaced(package, "float32", 0, np.nan), "float32")


def replaced(package: Package, variant: str, column: int, value: float = 99.0) -> Package:
    """Return the package with another golden output, hashed anew."""
    golden = package.golden_outputs(variant)["scores"].copy()
    golden[0, column] = value
    path = package.variant(variant).golden_outputs["scores"]
    fields = {name: getattr(package.manifest, name) for name in type(package.manifest).model_fields}
    fields.pop("files")
    return Package.build(files={**package.files, path: write_npy(golden)}, **fields)


def test_a_variant_for_newer_runtimes_is_not_even_tried(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "installed_runtime", lambda: 14)
    check(package, "int8")
    with pytest.raises(
        PackageError, match="int8-dynamic needs runtime 100, not 14; use float16 or float32"
    ):
        check(package, "int8-dynamic")


def test_the_runtime_here_is_litert_2_or_later() -> None:
    assert installed_runtime() >= 203


def test_a_measurement_comes_from_a_fresh_process(package: Package) -> None:
    found = measure(package.model("float32"), runs=7)
    assert found.runs == 7
    assert found.load_us > 0
    assert 0 < found.invoke_p50_us <= found.invoke_p95_us
    table_bytes = package.n_items * package.dim * 4
    assert table_bytes < found.heap_bytes < found.peak_bytes
    assert found.peak_bytes < 50 * 2**20


def test_measured_heap_does_not_depend_on_the_environment(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = measure(package.model("int8"), runs=1).heap_bytes
    monkeypatch.setenv("DROIDLOOP_TEST", "x" * 5000)
    # one run in some hundreds has a KiB more: malloc's own
    assert abs(measure(package.model("int8"), runs=1).heap_bytes - first) < 2048


def test_unpacked_weights_cost_memory_that_integer_arithmetic_does_not(package: Package) -> None:
    """Why RAM is measured: the smaller file takes more of it."""
    heap = {
        name: measure(package.model(name), runs=1).heap_bytes for name in package.manifest.variants
    }
    assert heap["int8-dynamic"] < heap["float32"] < heap["int8"]


def test_a_model_that_cannot_be_measured_is_named_in_one_line() -> None:
    with pytest.raises(PackageError, match=r"^measuring the model: LiteRT refuses the"):
        measure(b"not a model")


def test_loading_and_running_say_nothing(package: Package, tmp_path: Path) -> None:
    """LiteRT greets on the standard error's descriptor, which Python cannot see."""
    (tmp_path / "m.tflite").write_bytes(package.model("int8"))
    code = (
        "import sys, pathlib, numpy\n"
        "from droidloop.models.packages.litert import LiteRT\n"
        "LiteRT(pathlib.Path(sys.argv[1])).scores(numpy.ones((2, 32), numpy.float32))\n"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "m.tflite")]
    done = subprocess.run(argv, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_what_others_say_meanwhile_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    with litert._quiet():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        os.write(2, b"disk on fire\n")
    os.write(2, b"and after\n")
    assert capfd.readouterr().err == "disk on fire\nand after\n"


def test_the_standard_error_comes_back_after_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="halfway"), litert._quiet():
        raise RuntimeError("halfway")
    os.write(2, b"here\n")
    assert capfd.readouterr().err == "here\n"
