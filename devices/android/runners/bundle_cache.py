"""The bundles of this machine: built once for each ABI and recipe, then kept."""

import hashlib
from pathlib import Path

from . import bundle_build, registry
from .bundle import Bundle


def bundle_path(abi: str) -> Path:
    """Return where the bundle of *abi* lies, or will: its name changes with its recipe."""
    digest = hashlib.sha256()
    for source in (bundle_build.SOURCE, bundle_build.__file__, registry.__file__):
        digest.update(Path(source).read_bytes())
    return registry.cache_folder() / digest.hexdigest()[:16] / f"droidloop-{abi}.tar.gz"


def kept_bundle(abi: str) -> Bundle:
    """Return the bundle of *abi* (``x86_64`` or ``arm64``), built now if there is none yet.

    Raises:
        BundleError: it cannot be built.
    """
    path = bundle_path(abi)
    if not path.exists():
        bundle_build.build(abi, path.parent, cache=registry.cache_folder() / "packages")
    return Bundle.open(path)
