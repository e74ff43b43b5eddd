"""Keys that are replaced: phones follow from the root that they have, and thieves stay behind."""

import shutil
from pathlib import Path

import pytest

from droidloop.models.updates.signing import Keys
from droidloop.models.updates.transport import receive
from droidloop.models.updates.trust import Trust
from droidloop.platform.errors import PackageError
from tests.models.updates.conftest import Maker, versioned


@pytest.fixture
def phone(tmp_path: Path) -> Maker:
    """A maker with keys of its own, and a phone that has taken version 1 from it."""
    keys = Keys.make(tmp_path / "keys")
    made = Maker(tmp_path, keys, Trust(tmp_path / "trust", keys.root))
    receive(made.file(versioned(1)), made.trust)
    return made


def rotated(maker: Maker, *roles: str) -> Maker:
    return Maker(maker.folder, maker.keys.rotate(roles), maker.trust)


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_a_phone_follows_to_new_keys(phone: Maker, role: str) -> None:
    later = rotated(phone, role)
    assert receive(later.file(versioned(2)), phone.trust) == versioned(2)


def test_a_phone_that_missed_two_rotations_follows_both(phone: Maker) -> None:
    later = rotated(rotated(phone, "root"), "root", "targets")
    assert receive(later.file(versioned(2)), phone.trust) == versioned(2)


def test_a_patch_leads_to_new_keys_as_well(phone: Maker) -> None:
    later = rotated(phone, "root", "targets")
    patch = later.file(versioned(2), base=versioned(1))
    assert receive(patch, phone.trust, base=versioned(1)) == versioned(2)


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_who_has_stolen_old_keys_signs_nothing_that_is_taken(phone: Maker, role: str) -> None:
    shutil.copytree(phone.keys.folder, phone.folder / "stolen")
    thief = Maker(phone.folder, Keys.open(phone.folder / "stolen"), phone.trust)
    receive(rotated(phone, role).file(versioned(2)), phone.trust)
    if role == "root":  # it says whose keys count, and signs no package itself
        thief = rotated(thief, "targets")
    with pytest.raises(PackageError, match=r"stolen.pkg: (not signed|metadata|older)"):
        receive(thief.file(versioned(3), "stolen.pkg"), phone.trust)


def test_a_root_that_too_few_old_keys_have_signed_is_not_followed(phone: Maker) -> None:
    shutil.copytree(phone.keys.folder, phone.folder / "half")
    for name in ("root-2.pem", "root-3.pem"):
        (phone.folder / "half" / name).unlink()
    with pytest.raises(PackageError, match="1 keys of root, 2 must sign; put the missing"):
        Keys.open(phone.folder / "half").rotate(["targets"])


def test_a_root_of_somebody_else_is_not_followed(phone: Maker) -> None:
    foreign = Maker(phone.folder, Keys.make(phone.folder / "theirs"), phone.trust)
    path = rotated(foreign, "root").file(versioned(2), "theirs.pkg")
    with pytest.raises(PackageError, match=r"theirs.pkg: not signed by enough keys"):
        receive(path, phone.trust)


def test_a_root_alone_can_be_renewed(phone: Maker) -> None:
    later = rotated(phone)
    assert sorted(path.name for path in later.keys.folder.glob("*root.json")) == [
        *("1.root.json", "2.root.json", "root.json"),
    ]
    assert receive(later.file(versioned(2)), phone.trust) == versioned(2)


def test_a_missing_root_is_named(phone: Maker) -> None:
    later = rotated(phone)
    (later.keys.folder / "1.root.json").unlink()
    with pytest.raises(PackageError, match=r"1.root.json: No such file or directory; put it back"):
        later.file(versioned(2))
