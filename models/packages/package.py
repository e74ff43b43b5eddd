"""A package: a versioned model with its variants, golden inputs and outputs, and a manifest.

Nothing in a package is trusted: paths are confined, sizes bounded, hashes verified, nothing is
unpickled. A package is written beside its place and renamed, so a half-written one is never seen.
"""

import hashlib
import io
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from droidloop.platform.arrays import Array
from droidloop.platform.errors import PackageError

from .manifest import DTYPES, MANIFEST, MANIFEST_LIMIT_BYTES, FileEntry, Manifest, Variant

ITEMS = "items.txt"


@dataclass(frozen=True)
class Package:
    """A manifest and the files that it names, verified when it is made.

    Attributes:
        manifest: of all variants.
        files: by name.
        only: the variants whose files are here, as on a phone; None: all are.
    """

    manifest: Manifest
    files: Mapping[str, bytes] = field(repr=False)
    only: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for path in sorted(self._referred() - set(self.manifest.files)):
            raise PackageError(f"{MANIFEST}: names {path!r} without hash; export the package again")
        for path in self.needed():
            entry, data = self.manifest.files[path], self.files.get(path, b"")
            if len(data) != entry.size_bytes or _sha256(data) != entry.sha256:
                raise PackageError(f"{path}: not what the manifest promises; fetch it again")

    @classmethod
    def build(cls, *, files: Mapping[str, bytes], **fields: object) -> Self:
        """Return a package of *files*, hashed here; *fields* are those of ``Manifest``."""
        entries = {
            path: {"sha256": _sha256(data), "size_bytes": len(data)} for path, data in files.items()
        }
        return cls(Manifest.model_validate({**fields, "files": entries}), dict(files))

    @property
    def sha256(self) -> str:
        """The hash of the manifest, which holds the hashes of all files."""
        return _sha256(self.manifest.encode())

    @property
    def dim(self) -> int:
        """The length of the first input's last axis: of the user vector."""
        return self.manifest.inputs[0].shape[-1]

    @property
    def n_items(self) -> int:
        """The length of the first output's last axis: how many items are scored."""
        return self.manifest.outputs[0].shape[-1]

    def variant(self, name: str) -> Variant:
        """Return the variant called *name*.

        Raises:
            PackageError: the package has no such variant.
        """
        if name not in self.manifest.variants:
            there = ", ".join(sorted(self.manifest.variants))
            raise PackageError(f"{self}: no variant {name!r}; it has {there}")
        return self.manifest.variants[name]

    def require_runtime(self, name: str, runtime: int) -> None:
        """Refuse variant *name* on a runtime that would execute it wrongly, or not at all.

        Raises:
            PackageError: ``runtime_code`` *runtime* is too low.
        """
        needed = self.variant(name).min_runtime
        if runtime < needed:
            able = [n for n, v in self.manifest.variants.items() if v.min_runtime <= runtime]
            remedy = f"use {' or '.join(sorted(able))}" if able else "update the runtime"
            raise PackageError(f"{self}: {name} needs runtime {needed}, not {runtime}; {remedy}")

    def model(self, name: str) -> bytes:
        """Return the ``.tflite`` file of variant *name*."""
        return self.files[self.variant(name).model]

    def golden_inputs(self) -> dict[str, Array]:
        """Return the golden inputs by name, shape (count, *shape*)."""
        return {
            name: read_npy(self.files[path], path)
            for name, path in self.manifest.golden_inputs.items()
        }

    def golden_outputs(self, name: str) -> dict[str, Array]:
        """Return what variant *name* made of them, as ``golden_sample`` keeps it."""
        paths = self.variant(name).golden_outputs
        return {output: read_npy(self.files[path], path) for output, path in paths.items()}

    def delivered(self, name: str) -> list[str]:
        """Return the files that a phone needs for variant *name*, the manifest aside."""
        self.variant(name)
        return self.manifest.delivered(name)

    def needed(self) -> list[str]:
        """Return the files that have to be here: all, or those of some variants."""
        if self.only is None:
            return list(self.manifest.files)
        return sorted({path for name in self.only for path in self.delivered(name)})

    def part(self, name: str) -> "Package":
        """Return what a phone holds that has taken variant *name*."""
        files = {one: self.files[one] for one in self.delivered(name)}
        return Package(self.manifest, files, (name,))

    def judge(self, name: str, outputs: Mapping[str, Array]) -> str | None:
        """Return what is wrong with the *outputs* of variant *name*; None: nothing.

        They are those for the golden inputs, whole, (count, *shape*).
        """
        tolerance = self.variant(name).tolerance
        for output, golden in self.golden_outputs(name).items():
            if output not in outputs:
                return f"gives no {output}"
            found = golden_sample(outputs[output], self.manifest.golden_stride)
            if found.shape != golden.shape:
                return f"gives {output} of another shape"
            wide, right = found.astype(np.float64), golden.astype(np.float64)
            wrong = ~(np.abs(wide - right) <= tolerance)
            if wrong.any():
                at = tuple(int(i) for i in np.argwhere(wrong)[0])
                return (
                    f"gives {output}{list(at)} = {found[at]:.6g} on this runtime "
                    f"where {golden[at]:.6g} is right"
                )
        return None

    def item_labels(self) -> list[str]:
        """Return what people call the items, in their order; none: they have numbers alone.

        Raises:
            PackageError: they are not one a line, in UTF-8, for each item.
        """
        if self.manifest.items is None:
            return []
        try:
            labels = self.files[self.manifest.items].decode().split("\n")[:-1]
        except UnicodeDecodeError as error:
            raise PackageError(f"{self.manifest.items}: not UTF-8; export it again") from error
        if len(labels) != self.n_items:
            raise PackageError(
                f"{self.manifest.items}: {len(labels)} names for {self.n_items} items; "
                "export it again"
            )
        return labels

    def delivery_bytes(self, name: str) -> int:
        """Return what a phone downloads for variant *name*: manifest, model, golden files."""
        return len(self.manifest.encode()) + sum(len(self.files[p]) for p in self.delivered(name))

    def __str__(self) -> str:
        return f"package {self.manifest.name} {self.manifest.version}"

    def save(self, folder: Path) -> None:
        """Write the package as *folder*: beside it first, then renamed.

        A folder that holds this very package already is left as it is.

        Raises:
            PackageError: *folder* exists and is something else, or cannot be written.
        """
        if folder.exists():
            if _holds(folder, self.manifest.encode()):
                return
            raise PackageError(f"{folder}: exists and is not {self}; remove it or name another")
        try:
            _write_beside(folder, {MANIFEST: self.manifest.encode(), **self.files})
        except OSError as error:
            raise PackageError(f"{folder}: {error.strerror}; free or name another place") from error

    @classmethod
    def load(
        cls, folder: Path, sha256: str | None = None, only: tuple[str, ...] | None = None
    ) -> Self:
        """Read and verify the package in *folder*; with *sha256* it must be that package.

        With *only*, no more than those variants have to be there.

        Raises:
            PackageError: a file is missing, leads elsewhere, or is not what the manifest says.
        """
        path = folder / MANIFEST
        manifest = Manifest.decode(_read(path, None, folder), str(path))
        if sha256 is not None and _sha256(manifest.encode()) != sha256:
            raise PackageError(f"{path}: not the package {sha256[:12]}...; fetch it again")
        files = {}
        parts = [path for one in only or () for path in manifest.delivered(one)]
        for name in manifest.files if only is None else parts:
            files[name] = _read(folder / name, manifest.entry(name), folder)
        return cls(manifest, files, only)

    def _referred(self) -> set[str]:
        every = {path for name in self.manifest.variants for path in self.delivered(name)}
        return every | set(self.manifest.golden_inputs.values())


def golden_stride(outputs: Mapping[str, Array], limit: int = 128) -> int:
    """Return the stride that keeps at most *limit* values of one run of each output.

    Hashes guard the bytes; golden outputs show that a runtime computes rightly, which a sample
    does as well, and they are downloaded with the model.
    """
    largest = max(int(np.prod(array.shape[1:])) for array in outputs.values())
    return max(1, -(-largest // limit))


def golden_sample(array: Array, stride: int) -> Array:
    """Return every *stride*-th value of each run of an output, shape (count, kept)."""
    return np.ascontiguousarray(array.reshape(len(array), -1)[:, ::stride])


def write_labels(labels: Sequence[str]) -> bytes:
    """Return *labels* one a line; a line's end within one becomes a space."""
    return "".join(f"{' '.join(label.splitlines())}\n" for label in labels).encode()


def write_npy(array: Array) -> bytes:
    """Return *array* as the bytes of a ``.npy`` file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def read_npy(data: bytes, place: str) -> Array:
    """Return the array in *data*; its header cannot ask for more than there is.

    Raises:
        PackageError: *data* is no such array.
    """
    stream = io.BytesIO(data)
    try:
        np.lib.format.read_magic(stream)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    except ValueError as error:
        raise PackageError(f"{place}: not a .npy file; fetch or export it again") from error
    body = data[stream.tell() :]
    plain = dtype.name in DTYPES and dtype.isnative and not fortran and min(shape, default=0) >= 0
    if not plain or math.prod(shape) * dtype.itemsize != len(body):
        raise PackageError(f"{place}: not a plain array; fetch or export it again")
    return np.frombuffer(body, dtype).reshape(shape)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: Path, entry: FileEntry | None, folder: Path) -> bytes:
    """Read *path* inside *folder*, no more than *entry* (or a manifest) may have."""
    try:
        real = path.resolve(strict=True)
        if not (real.is_relative_to(folder.resolve()) and real.is_file()):
            raise PackageError(f"{path}: no file of the package; remove it and fetch it again")
        limit = MANIFEST_LIMIT_BYTES if entry is None else entry.size_bytes
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise PackageError(f"{path}: {error.strerror}; fetch or export it again") from error
    if entry is None:
        if len(data) > limit:
            raise PackageError(f"{path}: over {limit} bytes; fetch or export it again")
    elif len(data) != entry.size_bytes or _sha256(data) != entry.sha256:
        raise PackageError(f"{path}: changed since it was packed; fetch or export it again")
    return data


def _holds(folder: Path, manifest: bytes) -> bool:
    try:
        return Package.load(folder).manifest.encode() == manifest
    except PackageError:
        return False


def _write_beside(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, data in files.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        beside.chmod(0o755)
        os.rename(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
