"""Packs a version for phones and takes it out again: whole, one variant of it, or as a patch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from droidloop.models.packages.manifest import MANIFEST, MANIFEST_LIMIT_BYTES, Manifest
from droidloop.models.packages.package import Package
from droidloop.platform.errors import PackageError

from .delta import WAYS, WHOLE, restored, smallest
from .parcel import DELTAS, METADATA, TARGETS, Parcel, opened, write_parcel
from .trust import METADATA_LIMIT_BYTES, Signed, Trust

PACKAGE_LIMIT_BYTES = 2**31
"""The most that a package may unpack to where nothing else is said."""


@dataclass(frozen=True)
class Packed:
    """What was put into a file: for each one of the package its way (see ``delta``) and bytes."""

    ways: Mapping[str, tuple[str, int]]
    size_bytes: int


def pack(
    package: Package,
    metadata: Mapping[str, bytes],
    path: Path,
    *,
    variants: Iterable[str] | None = None,
    base: Package | None = None,
) -> Packed:
    """Write *package*, signed by *metadata*, as the file *path*.

    Args:
        package: with all files that are to go.
        metadata: of ``Keys.sign``.
        path: of the new file.
        variants: those that go; all if None.
        base: what the phone has: each file goes as what differs from its file of that name, if
            that is less. Without it all files go as they are.

    Raises:
        PackageError: there is no such variant, or *path* cannot be written.
    """
    names = {one for variant in variants or () for one in package.delivered(variant)}
    files = package.files if variants is None else {n: package.files[n] for n in sorted(names)}
    entries, ways = dict(metadata), {}
    if base is not None:  # whoever has a version has the first root, but not what came after
        entries.pop(f"{METADATA}/1.root.json", None)
    for name, data in {MANIFEST: package.manifest.encode(), **files}.items():
        old = b"" if base is None else _of(base, name)
        if base is not None and old == data:
            ways[name] = ("kept", 0)
            continue
        way, body = smallest(old, data) if base is not None else (WHOLE, data)
        entries[_entry(name, way)] = body
        ways[name] = (way or "whole", len(body))
    return Packed(ways, write_parcel(path, entries))


def receive(
    path: Path,
    trust: Trust,
    *,
    variants: Sequence[str] | None = None,
    base: Package | None = None,
    name: str | None = None,
    limit_bytes: int = PACKAGE_LIMIT_BYTES,
) -> Package:
    """Return the package in the file *path*, every byte of which has been signed for.

    Args:
        path: of the file.
        trust: who must have signed, and what was seen before.
        variants: those that are wanted; all that the file has if None.
        base: what is there already, for a patch.
        name: that the package must have; any if None.
        limit_bytes: the most that it may unpack to.

    Raises:
        PackageError: it is not to be trusted, another one, damaged, or larger; nothing is left of
            it but the metadata that were rightly signed.
    """
    with opened(path) as parcel:
        signed = trust.targets(parcel)
        size = _size(signed, MANIFEST, MANIFEST_LIMIT_BYTES)
        manifest = Manifest.decode(_taken(signed, MANIFEST, size, base), f"{path}: {MANIFEST}")
        if name is not None and manifest.name != name:
            raise PackageError(f"{path}: is {manifest.name}, not {name}; name that one's file")
        held = tuple(variants or _there(parcel, manifest, base))
        for one in held:
            if one not in manifest.variants:
                known = ", ".join(sorted(manifest.variants))
                raise PackageError(f"{path}: has no variant {one!r}; it has {known}")
        whole = set(held) == set(manifest.variants)
        wanted = {one for variant in held for one in manifest.delivered(variant)}
        wanted |= set(manifest.files) if whole else set()
        sizes = {one: _size(signed, one, manifest.entry(one).size_bytes) for one in sorted(wanted)}
        if sum(sizes.values()) > limit_bytes:
            raise PackageError(
                f"{path}: unpacks to {sum(sizes.values())} bytes where {limit_bytes} are the most; "
                "free that room or take a smaller variant"
            )
        files = {one: _taken(signed, one, size, base) for one, size in sizes.items()}
    return Package(manifest, files, None if whole else held)


def root_in(parcel: Parcel) -> bytes:
    """Return the root that a package file brings: it shows that a file is whole, not whose it is.

    Raises:
        PackageError: it brings none.
    """
    roots = [name for name in parcel.sizes if name.endswith(".root.json")]
    if not roots:
        raise PackageError(f"{parcel}: has no root; fetch it again, or give --root")
    return parcel.read(min(roots, key=len), METADATA_LIMIT_BYTES)


def _size(signed: Signed, name: str, limit_bytes: int) -> int:
    length = signed.target(name).length
    if length > limit_bytes:
        raise PackageError(
            f"{signed.parcel}: {name} is signed with {length} bytes, {limit_bytes} are the most; "
            "build it again"
        )
    return length


def _there(parcel: Parcel, manifest: Manifest, base: Package | None) -> list[str]:
    """Return the variants whose files are all in *parcel* or in what the phone has.

    Raises:
        PackageError: there is none.
    """
    old = {} if base is None else base.files

    def known(name: str) -> bool:
        return name in old or any(_entry(name, way) in parcel for way in WAYS)

    found = [one for one in manifest.variants if all(map(known, manifest.delivered(one)))]
    if not found:
        raise PackageError(f"{parcel}: is a patch for another version; fetch the whole package")
    return found


def _taken(signed: Signed, name: str, size_bytes: int, base: Package | None) -> bytes:
    """Return the file *name*: as it is in the parcel, made of the old one, or the old one."""
    parcel, old = signed.parcel, b"" if base is None else _of(base, name)
    data = old
    for way in WAYS:
        entry = _entry(name, way)
        if entry in parcel:
            # bzip2 and zstandard may lengthen what has no pattern, by far less than this
            packed = parcel.read(entry, size_bytes + size_bytes // 16 + 1024)
            data = restored(way, packed, old, size_bytes, f"{parcel}: {entry}")
            break
    else:
        if not old:
            what = "is no part of this file; it is a patch, or for another variant"
            raise PackageError(f"{parcel}: {name} {what}; fetch the whole package")
    signed.require(name, data)
    return data


def _of(package: Package, name: str) -> bytes:
    return package.manifest.encode() if name == MANIFEST else package.files.get(name, b"")


def _entry(name: str, way: str) -> str:
    return f"{DELTAS}/{name}{way}" if way else f"{TARGETS}/{name}"


def metadata_in(parcel: Parcel) -> dict[str, bytes]:
    """Return the metadata of a package file, to send them on with a part of it.

    Raises:
        PackageError: one is larger than any can be.
    """
    names = [name for name in parcel.sizes if name.startswith(f"{METADATA}/")]
    return {name: parcel.read(name, METADATA_LIMIT_BYTES) for name in names}
