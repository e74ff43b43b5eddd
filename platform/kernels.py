"""Where compiled kernels are kept between runs.

numba notices a change of a kernel's own file, but not of one that it calls. So the cache folder
carries a hash of all files with kernels, and of those whose constants kernels take in: after a
change of one of them all kernels are compiled anew, and never stale.
"""

import hashlib
import os
import shutil
from pathlib import Path

_PARTS = ("platform", "network", "models", "devices", "scenarios")
_CONSTANTS = ("platform/jobs.py", "devices/phone/world.py", "models/numerics/bounds.py")
_KEEP = 3


def keep_kernels() -> None:
    """Point numba at the cache of these sources; call before numba is imported.

    ``NUMBA_CACHE_DIR``, where set, is left alone. Only the newest few caches are kept.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "droidloop"
    folder = home / f"kernels-{_hash()}"
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    for old in sorted(home.glob("kernels-*"), key=_age)[:-_KEEP]:
        shutil.rmtree(old, ignore_errors=True)


def _age(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:  # another process has just removed it
        return 0.0


def _hash() -> str:
    package = Path(__file__).parents[1]
    package = package / "droidloop" if (package / "droidloop").is_dir() else package
    digest = hashlib.blake2b(digest_size=8)
    for part in _PARTS:
        for path in sorted((package / part).rglob("*.py")):
            source = path.read_bytes()
            if b"njit" in source or b"@law" in source or path.as_posix().endswith(_CONSTANTS):
                digest.update(source)
    return digest.hexdigest()
