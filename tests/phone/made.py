"""What tests of runners need and is expensive to make: models and bundles, kept in ``.phone/``."""

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from droidloop.devices.android.runners import bundle_build
from droidloop.devices.android.runners.bundle import Bundle
from droidloop.devices.android.runners.bundle_cache import recipe

from .image import CACHE, PhoneError, locked

EXPORT = Path(__file__).with_name("export_models.py")


def models() -> Path:
    """Return the folder of ``export_models``'s models, which are exported unless they are there."""
    versions = [version("litert-torch"), version("ai-edge-quantizer"), version("torch")]
    folder = CACHE / f"models-{_key([EXPORT], versions)}"
    with locked("models"):
        if not folder.is_dir():
            part = CACHE / "exporting"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            command = [sys.executable, str(EXPORT), str(part)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                raise PhoneError(f"the models were not exported: {done.stderr.strip()[-300:]}")
            part.rename(folder)
    return folder


def bundle(abi: str) -> Bundle:
    """Return the bundle of *abi*, which is built unless its recipe has not changed."""
    folder = CACHE / f"bundle-{_key(recipe(), [abi])}"
    with locked(f"bundle-{abi}"):
        if not folder.is_dir():
            part = CACHE / f"bundling-{abi}"
            shutil.rmtree(part, ignore_errors=True)
            bundle_build.build(abi, part, cache=CACHE / "packages")
            part.rename(folder)
    return Bundle.open(folder / f"droidloop-{abi}.tar.gz")


def _key(files: list[Path], words: list[str]) -> str:
    digest = hashlib.sha256("\0".join(words).encode())
    for file in files:
        digest.update(b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
