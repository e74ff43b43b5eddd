"""Checkpoints: the tree of a run's state in one safetensors file, written beside and renamed.

Arrays are tensors, everything else is JSON in the file's header. An array that the tree holds in
several places is written once, and is one array again when it is read.
"""

import errno
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .durable import replacing
from .errors import LedgerError
from .state import Tree

NAME = "checkpoint.safetensors"
_ARRAY = "~array"
_FORMAT = "droidloop 2"
_WORDS = ("format", "tree", "crc32")


def write_checkpoint(folder: Path, tree: Tree) -> int:
    """Write *tree* as the checkpoint in *folder*, in place of the one before; return its bytes.

    Raises:
        LedgerError: it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays: dict[str, Any] = {}
    seen: dict[Any, str] = {}
    body = json.dumps(_split(tree, arrays, seen))
    words = {"format": _FORMAT, "tree": body, "crc32": _sum_of(body, arrays)}
    path = folder / NAME
    with replacing(path) as beside:
        try:
            save_file(arrays, beside, words)
        except SafetensorError as error:  # so it says that the disk is full
            raise _system_error(error) from error
        size = beside.stat().st_size
    return size


def _system_error(error: Exception) -> OSError:
    """Return what the system said in *error*, a text that ends in ``(os error 28)``."""
    found = re.search(r"os error (\d+)", str(error))
    number = int(found[1]) if found else errno.EIO
    return OSError(number, os.strerror(number))


def read_checkpoint(folder: Path) -> Tree:
    """Return the tree of the checkpoint in *folder*; None where there is none.

    Raises:
        LedgerError: the file is damaged or of another version.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, "numpy") as file:
            words = file.metadata() or {}
            if words.get("format") != _FORMAT:
                raise LedgerError(f"{path}: not a checkpoint of this version; run again without it")
            arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        if set(words) != set(_WORDS) or words["crc32"] != _sum_of(words["tree"], arrays):
            raise ValueError("its bytes are not those that were written")
        return _joined(json.loads(words["tree"]), arrays, {})
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(folder, error) from error


def damaged(folder: Path, error: BaseException) -> LedgerError:
    """Return the error for a checkpoint in *folder* that cannot be gone on with."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return LedgerError(f"{folder / NAME}: damaged ({reason}); remove it and resume again")


def _sum_of(body: str, arrays: dict[str, Any]) -> str:
    """Return the checksum of the tree *body* and of *arrays*, in the order of their names."""
    found = zlib.crc32(body.encode())
    for name in sorted(arrays):
        found = zlib.crc32(np.ascontiguousarray(arrays[name]).view(np.uint8).data, found)
    return f"{found:08x}"


def remove_checkpoint(folder: Path) -> None:
    """Remove the checkpoint in *folder*, if there is one: the run is complete.

    Raises:
        LedgerError: it cannot be removed.
    """
    try:
        (folder / NAME).unlink(missing_ok=True)
    except OSError as error:
        raise LedgerError(f"{folder / NAME}: cannot be removed ({error.strerror})") from error


def _split(tree: Tree, arrays: dict[str, Any], seen: dict[Any, str]) -> Any:
    """Return *tree* with names in place of arrays, which go to *arrays*."""
    if isinstance(tree, np.ndarray):
        key = (*tree.__array_interface__["data"], tree.shape, tree.strides, tree.dtype.str)
        if key not in seen or tree.size == 0:
            seen[key] = f"{len(arrays):06d}"
            arrays[seen[key]] = _plain(tree)
        return {_ARRAY: seen[key], "shape": tree.shape, "dtype": _words_of(tree.dtype)}
    if isinstance(tree, list):
        return [_split(part, arrays, seen) for part in tree]
    if isinstance(tree, dict):
        return {key: _split(part, arrays, seen) for key, part in tree.items()}
    return tree


def _joined(tree: Any, arrays: dict[str, Any], made: dict[str, Any]) -> Tree:
    if isinstance(tree, list):
        return [_joined(part, arrays, made) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if _ARRAY not in tree:
        return {key: _joined(part, arrays, made) for key, part in tree.items()}
    key = tree[_ARRAY]
    if key not in made:
        array = arrays[key].copy()
        made[key] = array.view(_dtype_of(tree["dtype"])).reshape(tree["shape"])
    return made[key]


def _plain(array: Any) -> Any:
    """Return *array* in one piece, as numbers that safetensors knows."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(np.uint8) if array.dtype.kind in "VS" else flat


def _words_of(dtype: Any) -> Any:
    return np.lib.format.dtype_to_descr(dtype)


def _dtype_of(words: Any) -> Any:
    if isinstance(words, str):
        return np.dtype(words)
    return np.dtype([tuple(field) for field in words])
