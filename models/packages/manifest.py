"""The manifest of a package: what its files are, what they need and how to check them.

It names every file with its hash and size, so the hash of the manifest is the hash of the package.
It holds no time and no date: the same model gives the same bytes.
"""

import json
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from droidloop.platform.errors import PackageError

MANIFEST = "manifest.json"
MANIFEST_LIMIT_BYTES = 2**20
FILE_LIMIT_BYTES = 2**31

TFLITE_RUNTIME_2_14 = 14
LITERT_1 = 100
LITERT_2 = 200
LITERT_2_3 = 203
"""Codes of some runtimes, as ``runtime_code`` makes them."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
TensorName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}$")]
FileName = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}(/[a-z0-9][a-z0-9_.-]{0,63}){0,2}$")
]
Count = Annotated[int, Field(ge=0, le=2**62)]
Dtype = Literal["float32", "float16", "int8", "int16", "int32", "int64", "uint8", "bool"]
DTYPES: tuple[str, ...] = get_args(Dtype)


def runtime_code(runtime: str, version: str) -> int:
    """Return a runtime and its version as one number that grows with what it can execute.

    tflite-runtime 2.N is N, LiteRT X.Y is 100 X + Y: it began again at 1.0 where the other ended.

    >>> runtime_code("tflite-runtime", "2.14.0"), runtime_code("ai-edge-litert", "2.3.0")
    (14, 203)
    """
    major, minor = (int(part) for part in version.split(".")[:2])
    match runtime, major:
        case "tflite-runtime", 2:
            return minor
        case "ai-edge-litert", _:
            return 100 * major + minor
        case _:
            raise ValueError(f"{runtime} {version} has no number")


class Record(BaseModel):
    """The ground of all records here: immutable, strictly typed, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TensorSpec(Record):
    """The name, shape and type of an input or output."""

    name: TensorName
    shape: tuple[Annotated[int, Field(ge=1, le=2**31)], ...]
    dtype: Dtype


class FileEntry(Record):
    """What a file of a package must be."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=1, le=FILE_LIMIT_BYTES)]


class Variant(Record):
    """One precision of the model.

    Attributes:
        model: the ``.tflite`` file.
        golden_outputs: a ``.npy`` file for each output.
        min_runtime: lowest ``runtime_code`` that executes it rightly.
        ram_bytes: memory to load and run it, measured with LiteRT; without the host process.
        tolerance: largest absolute difference from the golden outputs.
    """

    model: FileName
    golden_outputs: dict[TensorName, FileName]
    min_runtime: Count
    ram_bytes: Count
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Manifest(Record):
    """What a package says about itself.

    ``golden_stride``: golden outputs keep every so many-th value of an output. ``items``: what
    people call the items, one a line; None: they have numbers alone.
    """

    format: Literal[1] = 1
    name: Name
    version: Annotated[int, Field(ge=0, le=2**31 - 1)]
    signature: TensorName
    inputs: Annotated[tuple[TensorSpec, ...], Field(min_length=1, max_length=64)]
    outputs: Annotated[tuple[TensorSpec, ...], Field(min_length=1, max_length=64)]
    golden_inputs: dict[TensorName, FileName]
    golden_stride: Annotated[int, Field(ge=1, le=2**31)]
    variants: Annotated[dict[Name, Variant], Field(min_length=1, max_length=16)]
    files: Annotated[dict[FileName, FileEntry], Field(min_length=1, max_length=256)]
    items: FileName | None = None

    def delivered(self, variant: str) -> list[str]:
        """Return the files that a phone needs for *variant*, which there is; this one aside."""
        one = self.variants[variant]
        golden = [*self.golden_inputs.values(), *one.golden_outputs.values()]
        return [one.model, *golden, *([] if self.items is None else [self.items])]

    def entry(self, name: str) -> FileEntry:
        """Return what the file *name* must be.

        Raises:
            PackageError: it has no hash.
        """
        if name not in self.files:
            raise PackageError(f"{MANIFEST}: names {name!r} without hash; export the package again")
        return self.files[name]

    def encode(self) -> bytes:
        """Return the manifest as canonical JSON: sorted keys, one form for one content."""
        plain = self.model_dump(exclude_none=True)
        return json.dumps(plain, sort_keys=True, indent=1).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes, place: str) -> Self:
        """Return the manifest in *data*; *place* names it in errors.

        Raises:
            PackageError: *data* is not a manifest of this format.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise PackageError(
                f"{place}: {key + ': ' if key else ''}{first['msg']}; fetch or export it again"
            ) from error
