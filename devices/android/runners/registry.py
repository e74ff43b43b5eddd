"""Fetch what a bundle is made of, with pip as this machine configures it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from droidloop.platform import places
from droidloop.platform.errors import DroidloopError

FETCH_S = 900


class BundleError(DroidloopError):
    """A bundle cannot be built or is not what it says it is."""


def cache_folder() -> Path:
    """Return ``$XDG_CACHE_HOME/droidloop/bundles`` (else under ``~/.cache``), made if absent."""
    folder = places.cache_folder("bundles")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def fetch_wheel(
    requirement: str, hashes: Sequence[str], folder: Path, *, platform: str | None = None
) -> Path:
    """Return the wheel of *requirement* (``name==version``) in *folder*, from pip's own index.

    Args:
        requirement: what to fetch, without its dependencies.
        hashes: SHA-256 of every wheel that is accepted.
        folder: where it is kept; a wheel that lies there is not fetched again.
        platform: the wheel's platform tag; this machine's where it is None.

    Raises:
        BundleError: pip cannot fetch it, or it is none of *hashes*.
    """
    place = folder / f"{requirement.replace('==', '-')}-{platform or 'host'}"
    if not any(place.glob("*.whl")):
        part = place.with_name(f"{place.name}.{os.getpid()}.part")
        part.mkdir(parents=True, exist_ok=True)
        listed = part / "requirements.txt"
        listed.write_text(" ".join([requirement, *(f"--hash=sha256:{h}" for h in hashes)]) + "\n")
        target = ["--platform", platform, "--python-version", "3.11"] if platform else []
        fetched(
            [
                *(sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"),
                *(*target, "--dest", str(part), "--requirement", str(listed)),
            ],
            part,
            requirement,
        )
        listed.unlink()
        keep(part, place)
    return next(place.glob("*.whl"))


def fetched(command: list[str], folder: Path, what: str) -> None:
    """Run *command*, which fetches *what* into *folder*.

    Raises:
        BundleError: it does not; the folder is gone then.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_S)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("E:", "ERROR"))] or lines
        shutil.rmtree(folder, ignore_errors=True)
        raise BundleError(f"bundle: cannot fetch {what}: {errors[-1] if errors else 'no message'}")


def keep(part: Path, place: Path) -> None:
    """Put the finished *part* in its place, whole; another process's may be there already."""
    if place.exists():
        shutil.rmtree(place)
    part.rename(place)
