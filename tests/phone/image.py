"""The QEMU phone's disk, kernel and booted snapshots: built once, kept in ``.phone/``."""

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".phone"
TOOLS = ("qemu-system-x86_64", "qemu-img", "iasl", "cpio", "mke2fs", "depmod", "apt-get", "setpriv")
KEPT_KEYS = 2


class PhoneError(Exception):
    """The QEMU phone could not be built, started or reached."""


def missing_tools() -> list[str]:
    """Return the programs that the phone needs and this machine lacks."""
    search = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/bin"
    return [tool for tool in TOOLS if not (shutil.which(tool) or shutil.which(tool, path=search))]


def image() -> Path:
    """Build the phone's files unless they are there; return their folder.

    Raises:
        PhoneError: a program is missing, or the mirror gave no packages.
    """
    if lacking := missing_tools():
        raise PhoneError(
            f"the phone needs {', '.join(lacking)}: .ci/packages.sh .ci/phone-packages"
        )
    folder = CACHE / _key()
    with locked("image"):
        if not folder.is_dir():
            _build(folder)
            _forget_old(folder)
    return folder


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock *name* of the cache: one process builds, the others wait for it."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _key() -> str:
    """Return what the image depends on, as one word: these files and the emulator's version."""
    digest = hashlib.sha256()
    for path in [HERE / "build_image.sh", *sorted((HERE / "guest").iterdir())]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    version = subprocess.run(
        ["qemu-system-x86_64", "--version"], check=True, stdout=subprocess.PIPE
    )
    digest.update(version.stdout)
    return digest.hexdigest()[:16]


def _build(folder: Path) -> None:
    part = CACHE / "building"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    with (CACHE / "build.log").open("wb") as log:
        done = subprocess.run(
            [str(HERE / "build_image.sh"), str(part)], stdout=log, stderr=subprocess.STDOUT
        )
    if done.returncode != 0:
        lines = (CACHE / "build.log").read_text(errors="replace").strip().splitlines()
        raise PhoneError(f"the phone's image was not built: {lines[-1] if lines else 'no output'}")
    part.rename(folder)


def _forget_old(current: Path) -> None:
    """Remove all but the newest images; one that still runs keeps its open files."""
    others = [p for p in CACHE.iterdir() if p.is_dir() and len(p.name) == 16 and p != current]
    others.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for folder in others[KEPT_KEYS - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)
