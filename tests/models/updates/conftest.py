"""Small packages and keys that the tests of updates share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from droidloop.models.packages.manifest import TensorSpec
from droidloop.models.packages.package import Package, write_npy
from droidloop.models.updates.signing import Keys
from droidloop.models.updates.transport import pack
from droidloop.models.updates.trust import Trust
from droidloop.platform.draws import Draws


def weights(version: int, size: int = 4096) -> bytes:
    """Return rounded weights of which some have changed since the version before."""
    count = np.arange(size)
    values = Draws(3, "weights").normal(count, 0)
    for k in range(1, version + 1):
        draws = Draws(k, "change")
        values = values + 0.05 * draws.normal(count, 0) * (draws.uniform(count, 1) < 0.3)
    return np.round(values * 30).clip(-127, 127).astype(np.int8).tobytes()


def versioned(version: int, name: str = "mf", size: int = 4096) -> Package:
    """Return a package whose models change a little from version to version."""
    golden = np.arange(6, dtype=np.float32).reshape(2, 1, 3)
    record = {"ram_bytes": 10, "tolerance": 0.5, "golden_outputs": {"scores": "golden/scores.npy"}}
    return Package.build(
        files={
            "float32.tflite": b"TFL3"
            + np.frombuffer(weights(version, size), np.int8).astype("<f4").tobytes(),
            "int8.tflite": b"TFL3" + weights(version, size),
            "golden/user.npy": write_npy(golden),
            "golden/scores.npy": write_npy(golden[:, 0] + version),
        },
        name=name,
        version=version,
        signature="score",
        inputs=(TensorSpec(name="user", shape=(1, 3), dtype="float32"),),
        outputs=(TensorSpec(name="scores", shape=(1, 3), dtype="float32"),),
        golden_inputs={"user": "golden/user.npy"},
        golden_stride=1,
        variants={
            "float32": {**record, "model": "float32.tflite", "min_runtime": 14},
            "int8": {**record, "model": "int8.tflite", "min_runtime": 14},
        },
    )


@dataclass(frozen=True)
class Maker:
    """Somebody who signs packages, and a phone that trusts them."""

    folder: Path
    keys: Keys
    trust: Trust

    def file(self, package: Package, name: str = "", days: float = 30, **how: object) -> Path:
        """Return *package* as a signed file."""
        path = self.folder / (name or f"{package.manifest.name}-{package.manifest.version}.pkg")
        pack(package, self.keys.sign(package, days=days), path, **how)  # type: ignore[arg-type]
        return path


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Keys of all roles."""
    return Keys.make(tmp_path_factory.mktemp("made") / "keys")


@pytest.fixture
def maker(tmp_path: Path, keys: Keys) -> Maker:
    """A maker with those keys, and a phone that has seen nothing yet."""
    return Maker(tmp_path, keys, Trust(tmp_path / "trust", keys.root))
