"""Whatever an enemy sends is refused in one line, and leaves nothing behind.

Some hundreds here; DROIDLOOP_HOSTILE=10000 makes as many.
"""

import os
import shutil
import tracemalloc
from collections import Counter
from pathlib import Path

from droidloop.models.packages.package import Package
from droidloop.models.updates.signing import Keys
from droidloop.models.updates.transport import pack, receive
from droidloop.models.updates.trust import Trust
from droidloop.platform.errors import PackageError
from tests.models.updates.conftest import versioned
from tests.models.updates.hostile import KINDS, enemy_of

COUNT = int(os.environ.get("DROIDLOOP_HOSTILE", "300"))
MOST_BYTES = 2**24


def listing(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def refusal(path: Path, trust: Trust, base: Package) -> str:
    """Return why *path* is refused; empty: it gives what was signed, to the byte."""
    try:
        taken = receive(path, trust, base=base, name="mf")
    except PackageError as error:
        return str(error)
    assert taken == versioned(3).part("int8")
    return ""


def test_every_hostile_file_is_refused_with_its_reason_and_writes_nothing(
    tmp_path: Path, keys: Keys
) -> None:
    enemy = enemy_of(tmp_path, keys, (versioned(1), versioned(2), versioned(3)))
    phone = tmp_path / "phone"
    seen = tmp_path / "two.pkg"
    pack(versioned(2), keys.sign(versioned(2)), seen)
    base = receive(seen, Trust(phone / "trust", keys.root), variants=["int8"])
    shutil.copytree(phone, tmp_path / "before")
    before = listing(phone)
    outside = {path.name for path in tmp_path.iterdir()}
    reasons: Counter[str] = Counter()
    harmless = 0
    tracemalloc.start()
    try:
        for number in range(COUNT):
            path, kind = enemy.make(number)
            tracemalloc.reset_peak()
            now = tracemalloc.get_traced_memory()[0]
            text = refusal(path, Trust(phone / "trust", keys.root), base)
            peak = tracemalloc.get_traced_memory()[1] - now
            assert peak < MOST_BYTES, f"{kind} {number}: {peak} bytes"
            if not text:
                assert kind == "changed"  # a bit of a patch that its decoder does not heed
                harmless += 1
                text = f"{path}: ; "
            assert text.startswith(str(path)), f"{kind} {number}: {text}"
            assert "\n" not in text, f"{kind} {number}: {text}"
            assert "; " in text, f"{kind} {number}: {text}"
            reasons[kind] += 1
            path.unlink()
            if listing(phone) != before:  # metadata that were rightly signed may be known now
                assert set(listing(phone)) == set(before)
                shutil.rmtree(phone)
                shutil.copytree(tmp_path / "before", phone)
    finally:
        tracemalloc.stop()
    assert set(reasons) == set(KINDS)
    assert harmless <= COUNT // 5000
    assert {path.name for path in tmp_path.iterdir()} == outside
    assert list((tmp_path / "work").iterdir()) == []


def test_a_phone_that_remembers_takes_nothing_but_what_was_signed(
    tmp_path: Path, keys: Keys
) -> None:
    """Metadata that it has seen rightly signed it does not ask for again: damage there is none."""
    enemy = enemy_of(tmp_path, keys, (versioned(1), versioned(2), versioned(3)))
    trust = Trust(tmp_path / "phone", keys.root)
    seen = tmp_path / "two.pkg"
    pack(versioned(2), keys.sign(versioned(2)), seen)
    receive(seen, trust)
    for number in range(60):
        path, _ = enemy.make(number)
        try:
            taken = receive(path, trust, base=versioned(2).part("int8"))
        except PackageError:
            continue
        assert taken.manifest == versioned(3).manifest
    right = tmp_path / "right"
    right.write_bytes(enemy.patch)
    assert receive(right, trust, base=versioned(2).part("int8")).manifest.version == 3
