"""Local training as a ``.tflite`` step that a phone's runner loops, its outputs fed back.

Shapes are fixed, so rows and batches are padded to size classes and a mask tells what is real. A
graph depends on its shape alone, not on data or rates: phones and rounds of one class share it.
"""

import hashlib
import importlib.metadata
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from . import training_step
from .export import convert
from .exportable import Graph
from .manifest import TensorSpec
from .packing import FLOAT

FEEDBACK = {"new_rows": "rows", "new_user": "user"}
"""Output to input: what a step returns is what the next one starts from."""

LEAST_ROWS = 256
LEAST_GROUP = 64
_EXPORT_S = 600.0


@dataclass(frozen=True)
class StepShape:
    """The size class of a training step.

    Attributes:
        loss: of the recommender: ``log``, ``bpr`` or ``squared``.
        dim: length of a vector.
        rows: how many rows a phone can touch.
        group: how many items a batch can hold.
        width: pairs for each item: itself and its negatives.
    """

    loss: str
    dim: int
    rows: int
    group: int
    width: int

    @property
    def batch(self) -> int:
        """The number of pairs in a batch."""
        return self.group * self.width


def shape_of(loss: str, dim: int, rows: int, items: int, group: int, width: int) -> StepShape:
    """Return the smallest class for a phone that touches *rows* rows and has *items* items.

    A batch holds at most *group* items; where *items* are fewer, it is no larger than they need.
    """
    least = min(group, _power_of_two(max(items, LEAST_GROUP)))
    return StepShape(loss, dim, _power_of_two(max(rows, LEAST_ROWS)), least, width)


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


def training(shape: StepShape) -> Graph:
    """Return the graph of one step of *shape*; see ``training_step.LocalStep``."""
    rows, batch = (shape.rows, shape.dim), (shape.batch,)
    return Graph(
        f"step-{shape.loss}",
        "train",
        {"width": np.array([shape.width], np.int32)},
        (
            TensorSpec(name="rows", shape=rows, dtype="float32"),
            TensorSpec(name="user", shape=(1, shape.dim), dtype="float32"),
            TensorSpec(name="slots", shape=batch, dtype="int32"),
            TensorSpec(name="labels", shape=batch, dtype="float32"),
            TensorSpec(name="mask", shape=batch, dtype="float32"),
            TensorSpec(name="rates", shape=(3,), dtype="float32"),
        ),
        (
            TensorSpec(name="new_rows", shape=rows, dtype="float32"),
            TensorSpec(name="new_user", shape=(1, shape.dim), dtype="float32"),
        ),
    )


@final
class TrainingModels:
    """The exported steps in *folder*: each class is exported once, by whoever needs it first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def path(self, shape: StepShape) -> Path:
        """Return the ``.tflite`` file of *shape*, exported now if it is not there.

        Raises:
            PackageError: the converter fails.
        """
        path = self._folder / f"{_name(shape)}.tflite"
        with self._lock:
            if not path.exists():
                model = convert(training(shape), [FLOAT], _EXPORT_S)[FLOAT]
                self._folder.mkdir(parents=True, exist_ok=True)
                beside = path.with_suffix(f".{os.getpid()}.part")
                beside.write_bytes(model)
                os.replace(beside, path)
        return path


def _name(shape: StepShape) -> str:
    """Return a name that changes with whatever the model's bytes depend on."""
    digest = hashlib.sha256(Path(training_step.__file__).read_bytes())
    for package in ("litert-torch", "torch"):
        digest.update(importlib.metadata.version(package).encode())
    sizes = f"{shape.dim}-{shape.rows}-{shape.group}x{shape.width}"
    return f"step-{shape.loss}-{sizes}-{digest.hexdigest()[:12]}"
