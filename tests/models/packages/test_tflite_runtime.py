"""The runtime that old phones carry, run for real in an environment of its own."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.models.evaluation.overlap import overlap_by_user
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.manifest import TFLITE_RUNTIME_2_14, runtime_code
from droidloop.models.packages.package import Package, golden_sample
from droidloop.platform.arrays import Array
from droidloop.platform.errors import PackageError

PYTHON = Path(__file__).parents[3] / ".venv-tflite" / "bin" / "python"

SCRIPT = """
import importlib.metadata, json, sys
import numpy as np
from tflite_runtime.interpreter import Interpreter
model, inputs, outputs = sys.argv[1:]
interpreter = Interpreter(model_path=model, num_threads=1)
interpreter.allocate_tensors()
(user,), (scores,) = interpreter.get_input_details(), interpreter.get_output_details()
rows = []
for vector in np.load(inputs, allow_pickle=False):
    interpreter.set_tensor(user["index"], vector[None])
    interpreter.invoke()
    rows.append(interpreter.get_tensor(scores["index"])[0])
np.save(outputs, np.stack(rows))
print(json.dumps([importlib.metadata.version("tflite-runtime"), interpreter.get_signature_list()]))
"""


@dataclass(frozen=True)
class OldPhone:
    folder: Path

    def run(self, model: bytes, users: Array) -> tuple[Array, list[Any]]:
        """Return the scores of *users*, (m, n_items), and the runtime's version and signatures."""
        if not PYTHON.exists():
            pytest.skip(f"{PYTHON.parent.parent.name} is missing: run make install")
        paths = [self.folder / name for name in ("m.tflite", "users.npy", "scores.npy")]
        paths[0].write_bytes(model)
        np.save(paths[1], users)
        argv = [str(PYTHON), "-I", "-c", SCRIPT, *map(str, paths)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return np.load(paths[2]), json.loads(done.stdout)


@pytest.fixture
def old_phone(tmp_path: Path) -> OldPhone:
    return OldPhone(tmp_path)


@pytest.mark.parametrize("variant", ["float32", "float16", "int8"])
def test_tflite_runtime_gives_the_numbers_of_litert(
    old_phone: OldPhone, package: Package, users: Array, variant: str
) -> None:
    found, (version, signatures) = old_phone.run(package.model(variant), users)
    assert runtime_code("tflite-runtime", version) == TFLITE_RUNTIME_2_14
    assert signatures == {"score": {"inputs": ["user"], "outputs": ["scores"]}}
    right = LiteRT(package.model(variant)).scores(users).values
    assert np.abs(found - right).max() <= 1e-5 * np.abs(right).max()


@pytest.mark.parametrize("variant", ["float32", "float16", "int8"])
def test_the_golden_outputs_hold_on_tflite_runtime(
    old_phone: OldPhone, package: Package, variant: str
) -> None:
    assert golden_error(old_phone, package, variant) <= package.variant(variant).tolerance


def test_dynamic_int8_runs_without_an_error_and_wrongly_there(
    old_phone: OldPhone, package: Package, users: Array
) -> None:
    found, _ = old_phone.run(package.model("int8-dynamic"), users)
    right = LiteRT(package.model("int8-dynamic")).scores(users).values
    assert np.isfinite(found).all()
    assert overlap_by_user(found, right, 10).mean() < 0.5


def test_golden_outputs_would_catch_dynamic_int8_there(
    old_phone: OldPhone, package: Package
) -> None:
    tolerance = package.variant("int8-dynamic").tolerance
    assert golden_error(old_phone, package, "int8-dynamic") > 5 * tolerance


def test_the_manifest_refuses_dynamic_int8_on_tflite_runtime(package: Package) -> None:
    package.require_runtime("int8", TFLITE_RUNTIME_2_14)
    with pytest.raises(PackageError, match="int8-dynamic needs runtime 100, not 14; use float16"):
        package.require_runtime("int8-dynamic", TFLITE_RUNTIME_2_14)


def golden_error(phone: OldPhone, package: Package, variant: str) -> float:
    users = package.golden_inputs()["user"][:, 0]
    found, _ = phone.run(package.model(variant), users)
    sample = golden_sample(found[:, None], package.manifest.golden_stride)
    return float(np.abs(sample - package.golden_outputs(variant)["scores"]).max())
