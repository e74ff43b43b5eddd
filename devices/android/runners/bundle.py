"""A bundle on its way to a device: pushed once, checked, kept there, removed on request."""

import hashlib
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import final

from droidloop.devices.android.errors import (
    CommandError,
    ParseError,
    StorageFullError,
    VerificationError,
)
from droidloop.devices.android.parsers.df import mount_of, parse_df
from droidloop.devices.fleets.model_job import Device

from .bundle_build import SCHEMA, sha256
from .registry import BundleError

ROOT = "/data/local/tmp/droidloop"
INSTALL_S = 120.0

# The scripts are constant, and take everything that varies as arguments. They use only what
# Android's toybox has had since version 8.
_SUM = "sum() { sha256sum <\"$1\" | cut -d' ' -f1; }\n"
INTACT_SCRIPT = (
    _SUM
    + """cd "$1" || exit 1
[ "$(sum SHA256SUMS)" = "$2" ] || exit 1
while read -r want name; do
  [ "$(sum "$name")" = "$want" ] || exit 1
done <SHA256SUMS"""
)
FILE_INTACT_SCRIPT = _SUM + '[ -f "$1" ] && [ "$(sum "$1")" = "$2" ]'
UNPACK_SCRIPT = """rm -rf "$1" "$1.part" && mkdir -p "$1.part" &&
tar -xzf "$2" -C "$1.part" && mv "$1.part" "$1"
code=$?
rm -rf "$2" "$1.part"
exit $code"""


@dataclass(frozen=True)
class Bundle:
    """An archive of ``bundle_build.build``.

    Attributes:
        path: of the archive.
        abi: that it is for.
        runtime: what runs models in it, as people call it, such as ``LiteRT``.
        package: the same as PyPI calls it.
        version: of it.
        sha256: of the archive.
        sums_sha256: of its ``SHA256SUMS``, which lists every other file.
        unpacked_bytes: of all its files.
        entry: the command that starts its program, relative to the folder it lies in.
    """

    path: Path
    abi: str
    runtime: str
    package: str
    version: str
    sha256: str
    sums_sha256: str
    unpacked_bytes: int
    entry: tuple[str, ...]

    @property
    def runtime_version(self) -> str:
        """The runtime with its version, such as ``LiteRT 2.3.0``."""
        return f"{self.runtime} {self.version}"

    @classmethod
    def open(cls, path: Path) -> "Bundle":
        """Read the manifest of the archive at *path*.

        Raises:
            BundleError: it is no bundle, or one of a later droidloop.
        """
        try:
            with tarfile.open(path, "r:gz") as archive:
                manifest = json.loads(_member(archive, "manifest.json"))
                sums = _member(archive, "SHA256SUMS")
                unpacked_bytes = sum(member.size for member in archive.getmembers())
            if manifest["schema"] != SCHEMA:
                raise ValueError(f"its schema is {manifest['schema']}")
            entry = tuple(str(word) for word in manifest["entry"])
            told = {k: str(manifest[k]) for k in ("abi", "runtime", "package", "version")}
        except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
            raise BundleError(
                f"{path}: not a bundle of this droidloop ({error}); "
                "build one with `droidloop devices bundle`"
            ) from error
        sums_sha256 = hashlib.sha256(sums).hexdigest()
        return cls(
            path=path,
            **told,
            sha256=sha256(path),
            sums_sha256=sums_sha256,
            unpacked_bytes=unpacked_bytes,
            entry=entry,
        )


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    return file.read(1 << 20)


def abi_of(cpu_abi: str) -> str:
    """Return what bundles call the ABI of a device whose ``ro.product.cpu.abi`` is *cpu_abi*.

    >>> abi_of("arm64-v8a"), abi_of("armeabi-v7a"), abi_of("x86_64")
    ('arm64', 'arm', 'x86_64')
    """
    return {"arm64-v8a": "arm64", "armeabi-v7a": "arm"}.get(cpu_abi, cpu_abi)


@final
class Store:
    """droidloop's folder on one device: files named by their checksum, put there once."""

    def __init__(self, device: Device, root: str = ROOT) -> None:
        self._device = device
        self.root = root
        self._present: set[str] = set()
        self.sent_bytes = 0

    def put_bundle(self, bundle: Bundle) -> str:
        """Have *bundle* unpacked and intact on the device; return its folder there.

        Raises:
            AndroidError: the device cannot take it.
        """
        folder = f"{self.root}/{bundle.sha256}"
        if folder in self._present or self._holds(INTACT_SCRIPT, folder, bundle.sums_sha256):
            self._present.add(folder)
            return folder
        archive = f"{folder}.tar.gz"
        self._check_room(bundle.path.stat().st_size + bundle.unpacked_bytes)
        self._send(bundle.path, archive)
        self.checked(["sh", "-c", UNPACK_SCRIPT, "sh", folder, archive])
        if not self._holds(INTACT_SCRIPT, folder, bundle.sums_sha256):
            raise VerificationError(self._device.serial, "the bundle is damaged after unpacking")
        self._present.add(folder)
        return folder

    def put_file(self, local: Path) -> str:
        """Have a copy of *local* on the device; return its path there.

        Raises:
            AndroidError: the device cannot take it.
        """
        digest = sha256(local)
        path = f"{self.root}/files/{digest}"
        if path not in self._present and not self._holds(FILE_INTACT_SCRIPT, path, digest):
            self._send(local, path)
        self._present.add(path)
        return path

    @property
    def trusting(self) -> bool:
        """Whether something is taken to be there because it was there before."""
        return bool(self._present)

    def forget(self) -> None:
        """Look again what is there before the next job: somebody may have removed it."""
        self._present.clear()

    def clean(self) -> None:
        """Remove all that droidloop keeps on the device, bundles and models too.

        Raises:
            AndroidError: the device does not answer, or something stays.
        """
        self._present.clear()
        self.checked(["rm", "-rf", "--", self.root])

    def checked(self, argv: list[str], timeout_s: float = INSTALL_S) -> str:
        """Run *argv*, which must succeed; return what it prints.

        Raises:
            AndroidError: it did not.
        """
        answer = self._device.shell(argv, timeout_s=timeout_s)
        if answer.exit_code == 0:
            return answer.stdout
        said = answer.last_words or f"{argv[0]} ended with status {answer.exit_code}"
        if "No space left" in said:
            raise StorageFullError(self._device.serial, said)
        raise CommandError(self._device.serial, said, answer.exit_code)

    def _check_room(self, size_bytes: int) -> None:
        """Refuse what would fill the device; one that does not tell its room is tried."""
        place = self.root.rpartition("/")[0]
        answer = self._device.shell(["df", place], timeout_s=INSTALL_S)
        try:
            free_bytes = mount_of(parse_df(answer.stdout), place).free_bytes
        except ParseError:
            return
        if free_bytes < size_bytes:
            what = f"{size_bytes} bytes, unpacked, do not fit into the {free_bytes} free on {place}"
            raise StorageFullError(self._device.serial, what)

    def _holds(self, script: str, path: str, digest: str) -> bool:
        argv = ["sh", "-c", script, "sh", path, digest]
        return self._device.shell(argv, timeout_s=INSTALL_S).exit_code == 0

    def _send(self, local: Path, remote: str) -> None:
        # A copy that was interrupted, and could not be removed then, does not stay for ever.
        script = 'mkdir -p "$1" && rm -f "$2".*.part'
        self.checked(["sh", "-c", script, "sh", remote.rpartition("/")[0], remote])
        self._device.push(local, remote)
        self.sent_bytes += local.stat().st_size
