"""Signs packages as The Update Framework prescribes, with python-tuf.

Four roles: root says whose keys count, targets which files a version has, snapshot which targets
are current, timestamp that this is still so. Thresholds keep one stolen key of a root or a
releaser from signing anything. A version of a package is the version of its metadata, so that
versions only grow.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from droidloop.models.packages.manifest import MANIFEST
from droidloop.models.packages.package import Package
from droidloop.platform.errors import PackageError

from .parcel import METADATA

ROLES = {"root": (3, 2), "targets": (3, 2), "snapshot": (1, 1), "timestamp": (1, 1)}
"""Of each role how many keys there are and how many must sign: one for the two that a machine holds
online. The numbers are ours; The Update Framework leaves them to who publishes."""

ROOT_DAYS = 365
"""How long a root is trusted: our choice."""
DAYS = 30
"""How long a package may be installed unless its maker says otherwise: the freeze that is
borne, by our choice."""

ROOT = "root.json"
"""The newest root in a folder of keys; those before it are beside it by number."""


@dataclass(frozen=True)
class Keys:
    """A folder with the root that phones trust and the private keys behind it.

    Attributes:
        folder: where they lie; only ``root.json`` goes to others.
        root: signed metadata that says whose keys count.
    """

    folder: Path
    root: bytes

    @classmethod
    def make(cls, folder: Path, *, now: datetime | None = None) -> Self:
        """Make keys for all roles in the new *folder*.

        Raises:
            PackageError: it exists, or cannot be written.
        """
        now = now or datetime.now(UTC)
        root = Root(expires=_day(now, ROOT_DAYS), consistent_snapshot=False)
        signers: dict[str, list[CryptoSigner]] = {}
        for role, (count, threshold) in ROLES.items():
            signers[role] = [CryptoSigner.generate_ed25519() for _ in range(count)]
            for one in signers[role]:
                root.add_key(one.public_key, role)
            root.roles[role].threshold = threshold
        signed = _signed(Metadata(root), signers["root"])
        try:
            folder.mkdir(parents=True, mode=0o700)
            _write_keys(folder, signers, 1, signed)
        except OSError as error:
            raise PackageError(f"{folder}: {error.strerror}; name a new folder for keys") from error
        return cls(folder, signed)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Return the keys in *folder*.

        Raises:
            PackageError: there is no root.
        """
        try:
            return cls(folder, (folder / ROOT).read_bytes())
        except OSError as error:
            raise PackageError(
                f"{folder / ROOT}: {error.strerror}; make keys with `droidloop package keys`"
            ) from error

    def rotate(self, roles: Sequence[str] = (), *, now: datetime | None = None) -> "Keys":
        """Return these with new keys for *roles* and a root that trusts them; old ones are not.

        Phones follow from any older root: each is signed by enough keys of the one before it, and
        by enough of its own. Without *roles* nothing but the root's expiry is renewed.

        Raises:
            PackageError: keys of the root are missing, or the folder cannot be written.
        """
        before = self.signers("root")
        root = Metadata[Root].from_bytes(self.root).signed
        made: dict[str, list[CryptoSigner]] = {}
        for role in roles:
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            made[role] = [CryptoSigner.generate_ed25519() for _ in range(ROLES[role][0])]
            for one in made[role]:
                root.add_key(one.public_key, role)
        root.version += 1
        root.expires = _day(now or datetime.now(UTC), ROOT_DAYS)
        signed = _signed(Metadata(root), [*before, *made.get("root", [])])
        try:
            _write_keys(self.folder, made, root.version, signed)
        except OSError as error:
            raise PackageError(f"{self.folder}: {error.strerror}; free or mend it") from error
        return Keys(self.folder, signed)

    def roots(self) -> dict[str, bytes]:
        """Return every root so far by its name in a parcel.

        Raises:
            PackageError: one is missing.
        """
        newest = Metadata[Root].from_bytes(self.root).signed.version
        names = [f"{number}.{ROOT}" for number in range(1, newest + 1)]
        try:
            return {f"{METADATA}/{name}": (self.folder / name).read_bytes() for name in names}
        except OSError as error:
            raise PackageError(f"{error.filename}: {error.strerror}; put it back there") from error

    def signers(self, role: str) -> list[Signer]:
        """Return those of *role* whose private keys lie here, at least as many as must sign.

        Raises:
            PackageError: there are fewer.
        """
        root = Metadata[Root].from_bytes(self.root).signed
        found: list[Signer] = []
        for path in sorted(self.folder.glob(f"{role}-*.pem")):
            for keyid in root.roles[role].keyids:
                try:
                    uri = f"{CryptoSigner.SCHEME}:{path.resolve()}"
                    found.append(CryptoSigner.from_priv_key_uri(uri, root.keys[keyid]))
                except (ValueError, TypeError):  # the private key of another one
                    continue
        needed = root.roles[role].threshold
        if len(found) < needed:
            raise PackageError(
                f"{self.folder}: {len(found)} keys of {role}, {needed} must sign; "
                "put the missing .pem files there"
            )
        return found

    def sign(
        self, package: Package, *, days: float = DAYS, now: datetime | None = None
    ) -> dict[str, bytes]:
        """Return the signed metadata of *package*, which expire after *days*, by names in a parcel.

        Raises:
            PackageError: keys are missing, or its version is 0.
        """
        if package.manifest.version < 1:
            raise PackageError(f"{package}: signed versions count from 1; build it as version 1")
        files = _metadata(package, _day(now or datetime.now(UTC), days), self.signers)
        return {**self.roots(), **files}


def signature_bytes(package: Package) -> int:
    """Return what the signed metadata of *package* take, for a phone that has the root."""
    throwaway = {
        role: [CryptoSigner.generate_ed25519() for _ in range(count)]
        for role, (count, _) in ROLES.items()
    }
    files = _metadata(package, _day(datetime.now(UTC), DAYS), lambda role: throwaway[role])
    return sum(map(len, files.values()))


def _metadata(
    package: Package, expires: datetime, signers: Callable[[str], Sequence[Signer]]
) -> dict[str, bytes]:
    version = package.manifest.version
    targets = Targets(version, expires=expires)
    for name, data in {MANIFEST: package.manifest.encode(), **package.files}.items():
        targets.targets[name] = TargetFile.from_data(name, data, ["sha256"])
    made = {"targets": _signed(Metadata(targets), signers("targets"))}
    meta = {"targets.json": MetaFile.from_data(version, made["targets"], ["sha256"])}
    snapshot = Snapshot(version, None, expires, meta)
    made["snapshot"] = _signed(Metadata(snapshot), signers("snapshot"))
    pinned = MetaFile.from_data(version, made["snapshot"], ["sha256"])
    stamp = Timestamp(version, expires=expires, snapshot_meta=pinned)
    made["timestamp"] = _signed(Metadata(stamp), signers("timestamp"))
    return {f"{METADATA}/{role}.json": data for role, data in made.items()}


def _signed(
    metadata: "Metadata[Root] | Metadata[Targets] | Metadata[Snapshot] | Metadata[Timestamp]",
    signers: Sequence[Signer],
) -> bytes:
    for one in signers:
        metadata.sign(one, append=True)
    return metadata.to_bytes()


def _day(now: datetime, days: float) -> datetime:
    """Return *now* and *days*, in whole seconds, as metadata have them."""
    return (now + timedelta(days=days)).replace(microsecond=0)


def _write_keys(
    folder: Path, signers: Mapping[str, Sequence[CryptoSigner]], version: int, root: bytes
) -> None:
    """Write keys of the root of that *version*, then the root itself, the newest at last."""
    for role, mine in signers.items():
        for k, one in enumerate(mine, 1):
            name = f"{role}-{k}.pem" if version == 1 else f"{role}-{version}-{k}.pem"
            _write_secret(folder / name, one.private_bytes)
    for name in (f"{version}.{ROOT}", ROOT):
        part = folder / f".{name}.part"
        part.write_bytes(root)
        part.replace(folder / name)


def _write_secret(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
