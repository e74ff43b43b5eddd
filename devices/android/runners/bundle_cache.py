"""The bundles of this machine: built once for each ABI and recipe, then kept."""

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

from . import bundle_build, debian, registry
from .bundle import Bundle
from .registry import BundleError

_BUILDING = threading.Lock()
"""Devices that are prepared at the same time wait for the one bundle of their ABI."""


def bundle_path(abi: str) -> Path:
    """Return where the bundle of *abi* lies, or will: its name changes with its recipe."""
    digest = hashlib.sha256()
    for source in recipe():
        digest.update(source.read_bytes())
    return registry.cache_folder() / digest.hexdigest()[:16] / f"droidloop-{abi}.tar.gz"


def recipe() -> list[Path]:
    """Return the files that a bundle's bytes follow from, beside its packages."""
    modules = (bundle_build.__file__, debian.__file__, registry.__file__)
    return [*bundle_build.SOURCES, *map(Path, modules)]


def bundle_for(abi: str, given: Sequence[Path]) -> Bundle:
    """Return the bundle of *abi*: among the files *given* if one is for it, else the kept one.

    Raises:
        BundleError: a file is no bundle, or there is none for *abi* and it cannot be built.
    """
    for bundle in map(Bundle.open, given):
        if bundle.abi == abi:
            return bundle
    return kept_bundle(abi)


def kept_bundle(abi: str) -> Bundle:
    """Return the bundle of *abi*, one of ``bundle_build.ABIS``, built now if there is none yet.

    Raises:
        BundleError: it cannot be built.
    """
    if abi not in bundle_build.ABIS:
        raise BundleError(
            f"bundle: there are packages for {', '.join(bundle_build.ABIS)}, "
            f"not for {abi!r}; give one of your own (--bundle FILE)"
        )
    path = bundle_path(abi)
    with _BUILDING:
        if not path.exists():
            bundle_build.build(abi, path.parent, cache=registry.cache_folder() / "packages")
    return Bundle.open(path)
