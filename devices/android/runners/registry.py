"""Fetch what a bundle is made of, with pip and apt-get as this machine configures them."""

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
        _fetch(
            [
                *(sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--only-binary=:all:", "--require-hashes"),
                *(*target, "--dest", str(part), "--requirement", str(listed)),
            ],
            part,
            requirement,
        )
        listed.unlink()
        _keep(part, place)
    return next(place.glob("*.whl"))


def fetch_debs(names: Sequence[str], architecture: str, folder: Path) -> list[Path]:
    """Return the Debian packages *names* of *architecture* in *folder*, newest of the mirror.

    apt checks the mirror's signature; lists and cache are private, so no other package or
    setting of this machine changes, and no rights are needed.

    Raises:
        BundleError: this machine has no apt-get, or its mirrors lack a package.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise BundleError("bundle: building needs apt-get; build it on a Debian or Ubuntu machine")
    place = folder / f"debian-{architecture}"
    if len(list(place.glob("*.deb"))) < len(names):
        part = place.with_name(f"{place.name}.{os.getpid()}.part")
        for sub in ("lists/partial", "cache/archives/partial"):
            (part / "apt" / sub).mkdir(parents=True, exist_ok=True)
        (part / "apt" / "status").touch()
        apt = ["apt-get", "-qq", *_apt_options(part / "apt", architecture)]
        # One mirror among several may be down or lack the architecture; the download tells.
        subprocess.run([*apt, "update"], capture_output=True, timeout=FETCH_S)
        _fetch([*apt, "download", *names], part, f"Debian's packages for {architecture}")
        shutil.rmtree(part / "apt")
        _keep(part, place)
    return sorted(place.glob("*.deb"))


def _apt_options(folder: Path, architecture: str) -> list[str]:
    values = {
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
        "Dir::State::Lists": f"{folder}/lists",
        "Dir::State::status": f"{folder}/status",
        "Dir::Cache": f"{folder}/cache",
    }
    return [f"-o{key}={value}" for key, value in values.items()]


def _fetch(command: list[str], folder: Path, what: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FETCH_S)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("E:", "ERROR"))] or lines
        shutil.rmtree(folder, ignore_errors=True)
        raise BundleError(f"bundle: cannot fetch {what}: {errors[-1] if errors else 'no message'}")


def _keep(part: Path, place: Path) -> None:
    """Put the finished *part* in its place, whole; another process's may be there already."""
    if place.exists():
        shutil.rmtree(place)
    part.rename(place)
