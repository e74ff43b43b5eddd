"""Packages and patches as an enemy makes them: by the thousand, each from a number."""

import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from droidloop.models.packages.package import Package
from droidloop.models.updates.signing import Keys
from droidloop.models.updates.transport import pack

NAMES = (
    *("../evil", "/etc/evil", "targets/../../evil", "targets/..", "targets/a//b", "deltas/~/x"),
    *("targets/a\\b", "targets/\n", "C:/evil", "targets/" + "a" * 300, "", "metadata/../evil"),
)


@dataclass(frozen=True)
class Enemy:
    """Knows good files, has keys of its own, and a folder to put its work in."""

    folder: Path
    whole: bytes
    patch: bytes
    old: bytes
    expired: bytes
    foreign: bytes

    def make(self, number: int) -> tuple[Path, str]:
        """Return the file of that *number*, and in a word how it is wrong."""
        chance = np.random.Generator(np.random.Philox(number))
        kinds = list(KINDS)
        kind = kinds[number % len(kinds)]
        good = self.whole if number // len(kinds) % 2 else self.patch
        path = self.folder / f"{number}.pkg"
        path.write_bytes(KINDS[kind](self, good, chance))
        return path, kind


def _entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(entries: list[tuple[str, bytes]], way: int = zipfile.ZIP_STORED) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", way) as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = way
            archive.writestr(info, data)
    return stream.getvalue()


def _content(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    """Change a byte of a file within, and keep the archive right."""
    entries = _entries(good)
    name = str(chance.choice(sorted(one for one in entries if not one.endswith("root.json"))))
    data = bytearray(entries[name])
    mask = int(chance.integers(1, 256))
    # a large letter for a small one leaves a hexadecimal signature as good as it was
    data[int(chance.integers(len(data)))] ^= mask if mask != 0x20 else 0x21
    return _zipped([*{**entries, name: bytes(data)}.items()])


def _cut(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    return good[: int(chance.integers(len(good)))]


def _cut_within(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    entries = _entries(good)
    name = str(chance.choice(sorted(one for one in entries if not one.endswith("root.json"))))
    return _zipped([*{**entries, name: entries[name][: len(entries[name]) // 2]}.items()])


def _left_out(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    entries = _entries(good)
    needed = sorted(one for one in entries if one.startswith("metadata") and "root" not in one)
    entries.pop(str(chance.choice(needed)))
    return _zipped([*entries.items()])


def _leads_out(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    return _zipped([*_entries(good).items(), (NAMES[int(chance.integers(len(NAMES)))], b"evil")])


def _twice(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    entries = _entries(good)
    name = str(chance.choice(sorted(entries)))
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for one, data in entries.items():
            archive.writestr(zipfile.ZipInfo(one), data)
        # a second entry of that name, made without the warning of writing it so
        archive.filelist[-1].filename = name
        archive.filelist[-1].orig_filename = name
    return stream.getvalue() if name != [*entries][-1] else good[:-1]


def _resigned(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    """Take some of the metadata of somebody else who signs the same files."""
    theirs = _entries(enemy.foreign)
    roles = ["timestamp", "snapshot", "targets"]
    some = [role for role in roles if chance.random() < 0.5] or roles
    mine = {f"metadata/{role}.json": theirs[f"metadata/{role}.json"] for role in some}
    return _zipped([*{**_entries(good), **mine}.items()])


def _unsigned(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    entries = _entries(good)
    role = str(chance.choice(["timestamp", "snapshot", "targets"]))
    signed = json.loads(entries[f"metadata/{role}.json"])
    way = int(chance.integers(4))
    if way == 0:
        signed["signatures"] = []
    elif way == 1:
        signed["signatures"] = [{**one, "sig": one["sig"][::-1]} for one in signed["signatures"]]
    elif way == 2:
        signed["signed"]["version"] += 1
    else:
        signed["signed"]["expires"] = "2999-01-01T00:00:00Z"
    return _zipped([*{**entries, f"metadata/{role}.json": json.dumps(signed).encode()}.items()])


def _older(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    return enemy.old


def _expired(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    return enemy.expired


def _no_json(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    texts = [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"signed": 1}', b"\xff", b"1" * 5000]
    role = str(chance.choice(["timestamp", "snapshot", "targets"]))
    text = texts[int(chance.integers(len(texts)))]
    return _zipped([*{**_entries(good), f"metadata/{role}.json": text}.items()])


def _bomb(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    """A file that unpacks to far more: as a compressed archive, or as a patch without end."""
    entries = _entries(good)
    if chance.random() < 0.5:
        return _zipped([*entries.items(), ("targets/zeros", bytes(10**7))], zipfile.ZIP_DEFLATED)
    import zstandard

    packed = zstandard.ZstdCompressor().compress(bytes(10**8))
    entries.pop("targets/int8.tflite", None)
    entries = {name: data for name, data in entries.items() if "int8.tflite" not in name}
    return _zipped([*entries.items(), ("deltas/int8.tflite.zst", packed)])


def _directory(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    """Lie in the archive's own directory: its size, its place, a size of an entry, ZIP64."""
    data, end = bytearray(good), len(good) - 22
    way = int(chance.integers(4))
    if way == 0:
        data[end + 12 : end + 16] = struct.pack("<I", 2**31)
    elif way == 1:
        data[end + 16 : end + 20] = struct.pack("<I", int(chance.integers(2**31, 2**32)))
    elif way == 2:
        (start,) = struct.unpack("<I", data[end + 16 : end + 20])
        data[start + 20 : start + 28] = struct.pack("<II", 2**31 - 1, 2**31 - 1)
    else:
        data[end:end] = b"PK\x06\x07" + struct.pack("<IQI", 0, 0, 1)
    return bytes(data)


def _noise(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    return chance.bytes(int(chance.integers(1, 5000)))


def _other_base(enemy: Enemy, good: bytes, chance: np.random.Generator) -> bytes:
    """A patch whose parts are swapped for others."""
    entries = _entries(enemy.patch)
    deltas = sorted(one for one in entries if one.startswith("deltas/"))
    victim = str(chance.choice(deltas))
    way = int(chance.integers(3))
    body = chance.bytes(len(entries[victim])) if way == 0 else entries[victim][::-1]
    if way == 2:
        stem = victim.rsplit(".", 1)[0]
        other = str(chance.choice([".zst", ".zstd", ".bsdiff"]))
        body = entries.pop(victim)
        return _zipped([*entries.items(), (stem + other, body[1:])])
    return _zipped([*{**entries, victim: body}.items()])


KINDS: dict[str, Callable[[Enemy, bytes, np.random.Generator], bytes]] = {
    "changed": _content,
    "cut": _cut,
    "cut within": _cut_within,
    "left out": _left_out,
    "leads out": _leads_out,
    "twice": _twice,
    "signed by others": _resigned,
    "not signed": _unsigned,
    "older": _older,
    "expired": _expired,
    "no JSON": _no_json,
    "bomb": _bomb,
    "directory": _directory,
    "noise": _noise,
    "other base": _other_base,
}


def enemy_of(folder: Path, keys: Keys, versions: tuple[Package, Package, Package]) -> Enemy:
    """Return an enemy of a phone that has the second of *versions* and awaits the third."""
    one, two, three = versions
    theirs = Keys.make(folder / "theirs")
    made = {}
    for name, package, signer, days, base in (
        ("whole", three, keys, 30, None),
        ("patch", three, keys, 30, two.part("int8")),
        ("old", one, keys, 30, None),
        ("expired", three, keys, -1, None),
        ("foreign", three, theirs, 30, None),
    ):
        path = folder / name
        variants = ["int8"] if base else None
        pack(package, signer.sign(package, days=days), path, variants=variants, base=base)
        made[name] = path.read_bytes()
    work = folder / "work"
    work.mkdir()
    return Enemy(work, **made)
