"""A package of a model that somebody brings: any ``.tflite`` with one signature, and golden inputs.

The file goes in as it is. Where its weights are float32, smaller variants are made of it; what
each gives for the golden inputs is computed with LiteRT here, and is what a phone has to give.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from droidloop.platform.arrays import Array
from droidloop.platform.errors import UsageError

from .export import quantized
from .litert import LiteRT
from .manifest import DTYPES, FILE_LIMIT_BYTES, TensorSpec
from .package import Package
from .packing import DYNAMIC, FLOAT, INT8, PRECISION, Answer, Face, pack

GIVEN = "given"
"""The variant of a file that is quantized already."""
USUAL = (FLOAT, INT8)
MAX_GOLDEN = 64
"""Golden inputs that a package may have: they are downloaded, and run on every phone."""


def package_of(
    model: Path,
    golden: Path,
    *,
    name: str,
    version: int,
    variants: Sequence[str] = USUAL,
    timeout_s: float = 900,
) -> Package:
    """Return the package of the file *model*, proved by the inputs in the file *golden*.

    Args:
        model: a ``.tflite`` file with one signature.
        golden: an ``.npz`` with an array for each input, (count, *shape*) or one of its *shape*.
        name: of the package.
        version: of it, from 1.
        variants: of ``packing.PRECISION``; a file that is quantized already goes alone, as
            ``given``.
        timeout_s: for making them.

    Raises:
        UsageError: a file is not what it must be, or there is no such variant.
        PackageError: LiteRT or the quantiser refuses the model.
    """
    data = _bytes(model)
    here = LiteRT(data)
    face = _face(model, here)
    inputs = _golden(golden, face.inputs)
    if here.quantized:
        models = {GIVEN: data}
        variants = (GIVEN,)
    else:
        unknown = sorted(set(variants) - set(PRECISION))
        if unknown or not variants:
            raise UsageError(
                f"variant {unknown[0] if unknown else ''!r}: choose from {', '.join(PRECISION)}"
            )
        variants = [one for one in PRECISION if one in variants]
        models = quantized(
            data, {*variants} | ({INT8} if DYNAMIC in variants else set()), timeout_s
        )
    answers = {one: Answer(file, LiteRT(file).run(inputs)) for one, file in models.items()}
    return pack(face, name, version, inputs, answers, list(variants))


def _bytes(model: Path) -> bytes:
    try:
        if model.stat().st_size > FILE_LIMIT_BYTES:
            raise UsageError(f"{model}: over {FILE_LIMIT_BYTES} bytes; give a smaller model")
        return model.read_bytes()
    except OSError as error:
        raise UsageError(f"{model}: {error.strerror}; name a .tflite file") from error


def _face(model: Path, here: LiteRT) -> Face:
    specs = []
    for details in (here.input_details, here.output_details):
        side = []
        for name, detail in details.items():
            dtype = np.dtype(detail["dtype"]).name
            shape = tuple(int(n) for n in detail["shape"])
            if dtype not in DTYPES or min(shape, default=1) < 1:
                raise UsageError(
                    f"{model}: {name} is {dtype} of shape {shape}; packages carry "
                    f"{', '.join(DTYPES)} of fixed shapes"
                )
            side.append(TensorSpec.model_validate({"name": name, "shape": shape, "dtype": dtype}))
        specs.append(tuple(side))
    return Face(here.signature, specs[0], specs[1])


def _golden(path: Path, specs: Sequence[TensorSpec]) -> dict[str, Array]:
    """Return the golden inputs in the file *path*, (count, *shape*) each."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("one array without a name")
            found = {name: np.asarray(file[name]) for name in file.files}
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise UsageError(
            f"--golden {path}: no arrays by name ({error}); write it with numpy.savez"
        ) from error
    names = [spec.name for spec in specs]
    if set(found) != set(names):
        raise UsageError(
            f"--golden {path}: has {', '.join(sorted(found)) or 'nothing'}; "
            f"the model's inputs are {', '.join(names)}"
        )
    return _alike(path, found, specs)


def _alike(path: Path, found: Mapping[str, Array], specs: Sequence[TensorSpec]) -> dict[str, Array]:
    golden = {}
    for spec in specs:
        values = found[spec.name]
        if values.shape == spec.shape:
            values = values[None]
        if values.dtype.name != spec.dtype or values.shape[1:] != spec.shape:
            raise UsageError(
                f"--golden {path}: {spec.name} is {values.dtype} of shape {values.shape}; "
                f"the model wants {spec.dtype} of (count, {', '.join(map(str, spec.shape))})"
            )
        golden[spec.name] = values
    counts = {len(values) for values in golden.values()}
    if len(counts) != 1 or not 1 <= max(counts) <= MAX_GOLDEN:
        raise UsageError(
            f"--golden {path}: has {sorted(counts)} inputs; give 1 to {MAX_GOLDEN} of each"
        )
    return golden
