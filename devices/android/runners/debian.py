"""Debian's packages for another machine: by apt where it can, else straight from a mirror.

apt knows the architectures of its own sources: Ubuntu's mirror for amd64 has no arm64, and macOS
has no apt at all. A mirror is named by whoever has one: there is none that a program may take for
granted.
"""

import hashlib
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import zstandard

from .registry import FETCH_S, BundleError, fetched, keep

MIRROR = "DROIDLOOP_DEBIAN_MIRROR"
"""The environment variable that holds the address of a mirror: what is above dists/ and pool/."""

_SUITE = "stable"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_LOCAL = ("localhost", "127.0.0.1", "::1")
_MAX_BYTES = 128 << 20


def fetch_debs(names: Sequence[str], architecture: str, folder: Path) -> list[Path]:
    """Return the Debian packages *names* of *architecture* in *folder*, newest of the mirror.

    They come from the mirror that ``DROIDLOOP_DEBIAN_MIRROR`` names, else from apt's sources. apt's
    lists and cache are private, so nothing of this machine changes, and no rights are needed.

    Raises:
        BundleError: there is neither a mirror nor apt, or it lacks a package.
    """
    place = folder / f"debian-{architecture}"
    if len(list(place.glob("*.deb"))) < len(names):
        part = place.with_name(f"{place.name}.{os.getpid()}.part")
        part.mkdir(parents=True, exist_ok=True)
        try:
            mirror = os.environ.get(MIRROR)
            if mirror:
                _by_mirror(mirror.rstrip("/"), names, architecture, part)
            else:
                _by_apt(names, architecture, part)
        except BundleError:
            shutil.rmtree(part, ignore_errors=True)
            raise
        keep(part, place)
    return sorted(place.glob("*.deb"))


def _by_apt(names: Sequence[str], architecture: str, part: Path) -> None:
    """Download by apt-get, which checks the mirror's signature."""
    remedy = f"set {MIRROR} to the address of a Debian mirror, or give --bundle FILE"
    if shutil.which("apt-get") is None:
        raise BundleError(f"bundle: this machine has no apt-get; {remedy}")
    with tempfile.TemporaryDirectory(prefix="droidloop-apt-") as scratch:
        for sub in ("lists/partial", "cache/archives/partial"):
            Path(scratch, sub).mkdir(parents=True)
        Path(scratch, "status").touch()
        apt = ["apt-get", "-qq", *_apt_options(Path(scratch), architecture)]
        # One mirror among several may be down or lack the architecture; the download tells.
        subprocess.run([*apt, "update"], capture_output=True, timeout=FETCH_S)
        try:
            fetched([*apt, "download", *names], part, f"Debian's packages for {architecture}")
        except BundleError as error:
            raise BundleError(f"{error}; {remedy}") from error


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


def _by_mirror(mirror: str, names: Sequence[str], architecture: str, part: Path) -> None:
    """Download from *mirror*: its list of checksums proves the list of packages, that the rest."""
    listed = f"main/binary-{architecture}/Packages.xz"
    sums = _sums(_release(mirror))
    if listed not in sums:
        raise BundleError(f"{MIRROR}: {mirror} has no packages for {architecture}")
    packed = _proved(f"{mirror}/dists/{_SUITE}/{listed}", sums[listed])
    told = _packages(lzma.decompress(packed).decode(), names)
    for name in names:
        if name not in told:
            raise BundleError(f"{MIRROR}: {mirror} has no {name} for {architecture}")
        path, digest = told[name]
        data = _proved(f"{mirror}/{path}", digest)
        (part / PurePosixPath(path).name).write_bytes(data)


def _release(mirror: str) -> str:
    """Return the mirror's list of checksums, which comes over a link or under a signature to trust.

    Over plain HTTP Debian's signature is checked, for which gpgv and Debian's keys must be here.
    """
    parts = urllib.parse.urlsplit(mirror)
    if parts.scheme not in ("http", "https", "file"):
        raise BundleError(f"{MIRROR}: {mirror!r}: give an address that begins with https://")
    data = _got(f"{mirror}/dists/{_SUITE}/InRelease")
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        if shutil.which("gpgv") is None or not _KEYRING.exists():
            raise BundleError(
                f"{MIRROR}: {mirror}: its signature cannot be checked here (no gpgv, or no Debian "
                "keys); give an address that begins with https://"
            )
        with tempfile.TemporaryDirectory(prefix="droidloop-release-") as scratch:
            signed, proved = Path(scratch, "InRelease"), Path(scratch, "Release")
            signed.write_bytes(data)
            command = ["gpgv", "--keyring", str(_KEYRING), "--output", str(proved), str(signed)]
            if subprocess.run(command, capture_output=True).returncode != 0:
                raise BundleError(f"{MIRROR}: {mirror}: its list does not have Debian's signature")
            data = proved.read_bytes()
    return data.decode(errors="replace")


def _sums(release: str) -> dict[str, str]:
    """Return the SHA-256 of the files that a release lists, by their paths."""
    _, _, rest = release.partition("\nSHA256:\n")
    rows: dict[str, str] = {}
    for line in rest.splitlines():
        words = line.split()
        if not line.startswith(" ") or len(words) != 3:
            break
        rows[words[2]] = words[0]
    return rows


def _packages(text: str, names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return path and SHA-256 of the packages *names* that a list of packages holds."""
    wanted, found = set(names), dict[str, tuple[str, str]]()
    for stanza in text.split("\n\n"):
        name = stanza[len("Package: ") : stanza.find("\n")]
        if name in wanted:
            fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line)
            found[name] = (fields["Filename"], fields["SHA256"])
    return found


def _proved(address: str, digest: str) -> bytes:
    data = _got(address)
    if (found := hashlib.sha256(data).hexdigest()) != digest:
        raise BundleError(f"{MIRROR}: {address} has SHA-256 {found}, not {digest}; try again")
    return data


def _got(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310  see _release
            data: bytes = answer.read(_MAX_BYTES + 1)
    except (OSError, urllib.error.URLError) as error:
        raise BundleError(f"{MIRROR}: cannot fetch {address}: {error}") from error
    if len(data) > _MAX_BYTES:
        raise BundleError(f"{MIRROR}: {address} is larger than any package that is needed")
    return data


def members(deb: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Return the contents of the files called *names* in the Debian package *deb*.

    A link leads within the package; one that leads to another package is not there.

    Raises:
        BundleError: it is no Debian package.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(_data(deb.read_bytes()))) as archive:
            by_path = {PurePosixPath("/", one.name): one for one in archive.getmembers()}
            found = {}
            for path, member in by_path.items():
                if path.name in names and (file := _at_end(by_path, path, member)) is not None:
                    content = archive.extractfile(file)
                    assert content is not None  # it is a file
                    found[path.name] = content.read()
            return found
    except (ValueError, lzma.LZMAError, zstandard.ZstdError, tarfile.TarError) as error:
        raise BundleError(f"bundle: {deb.name} is no Debian package ({error})") from error


def _at_end(
    by_path: Mapping[PurePosixPath, tarfile.TarInfo], path: PurePosixPath, member: tarfile.TarInfo
) -> tarfile.TarInfo | None:
    """Return the file that *member* is, or that its links lead to."""
    for _ in range(8):
        if member.isfile():
            return member
        if not member.issym():
            return None
        path = PurePosixPath(os.path.normpath(path.parent / member.linkname))
        if path not in by_path:
            return None
        member = by_path[path]
    return None


def _data(deb: bytes) -> bytes:
    """Return the archive of files in a package: an ``ar`` archive with one ``data.tar`` inside."""
    if not deb.startswith(b"!<arch>\n"):
        raise ValueError("it is no ar archive")
    at = 8
    while at + 60 <= len(deb):
        name = deb[at : at + 16].decode("latin1").strip().rstrip("/")
        size = int(deb[at + 48 : at + 58])
        content = deb[at + 60 : at + 60 + size]
        if name == "data.tar.xz":
            return lzma.decompress(content)
        if name == "data.tar.zst":
            return zstandard.ZstdDecompressor().decompressobj().decompress(content)
        at += 60 + size + size % 2
    raise ValueError("it has no data.tar.xz and no data.tar.zst")
