"""The attacks that The Update Framework names, each tried on a phone; its own code refuses them."""

import json
import zipfile
from pathlib import Path

import pytest
from tuf.api import exceptions
from tuf.api.metadata import Metadata
from tuf.ngclient import FetcherInterface, Updater

from droidloop.models.updates.parcel import write_parcel
from droidloop.models.updates.signing import ROLES, Keys
from droidloop.models.updates.transport import receive
from droidloop.models.updates.trust import Trust
from droidloop.platform.errors import PackageError
from tests.models.updates.conftest import Maker, versioned


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_what_was_signed_is_received(maker: Maker) -> None:
    assert receive(maker.file(versioned(1)), maker.trust) == versioned(1)


def test_the_same_version_may_come_again(maker: Maker) -> None:
    path = maker.file(versioned(1))
    assert receive(path, maker.trust) == receive(path, maker.trust)


def test_an_older_version_is_refused_once_a_newer_was_seen(maker: Maker) -> None:
    """Rollback."""
    old = maker.file(versioned(1))
    receive(maker.file(versioned(2)), maker.trust)
    with pytest.raises(PackageError, match=r"mf-1.pkg: older than what is trusted here"):
        receive(old, maker.trust)


def test_an_expired_version_is_refused(maker: Maker) -> None:
    """Freeze: what was right once is shown for ever."""
    path = maker.file(versioned(1), days=-1)
    with pytest.raises(PackageError, match=r"timestamp.json is expired; fetch a package that was"):
        receive(path, maker.trust)


def test_an_expired_root_is_refused(tmp_path: Path, maker: Maker) -> None:
    from datetime import UTC, datetime, timedelta

    old = Keys.make(tmp_path / "old", now=datetime.now(UTC) - timedelta(days=400))
    path = Maker(tmp_path, old, maker.trust).file(versioned(1))
    with pytest.raises(PackageError, match=r"root.json is expired"):
        receive(path, Trust(tmp_path / "other", old.root))


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_of_two_versions_are_not_mixed(maker: Maker, role: str) -> None:
    """Mix and match."""
    one, two = maker.file(versioned(1)), maker.file(versioned(2))
    name = f"metadata/{role}.json"
    write_parcel(maker.folder / "mixed", {**entries(two), name: entries(one)[name]})
    with pytest.raises(PackageError, match=r"mixed: (metadata do not belong|older than)"):
        receive(maker.folder / "mixed", maker.trust)


@pytest.mark.parametrize("name", ["manifest.json", "int8.tflite", "golden/scores.npy"])
def test_files_of_two_versions_are_not_mixed(maker: Maker, name: str) -> None:
    one, two = maker.file(versioned(1)), maker.file(versioned(2))
    name = f"targets/{name}"
    write_parcel(maker.folder / "mixed", {**entries(two), name: entries(one)[name]})
    with pytest.raises(
        PackageError, match=r"mixed: .* (is not what was signed|gives another size)"
    ):
        receive(maker.folder / "mixed", maker.trust)


def test_a_package_that_somebody_else_signed_is_refused(tmp_path: Path, maker: Maker) -> None:
    stranger = Maker(tmp_path, Keys.make(tmp_path / "theirs"), maker.trust)
    path = stranger.file(versioned(1))
    with pytest.raises(PackageError, match=r"not signed by enough keys that are trusted here"):
        receive(path, maker.trust)


def test_one_key_of_a_role_that_needs_two_signs_nothing(maker: Maker) -> None:
    """Thresholds: a stolen key of a releaser is not enough."""
    assert ROLES["targets"] == (3, 2)
    files = entries(maker.file(versioned(1)))
    signed = json.loads(files["metadata/targets.json"])
    signed["signatures"] = signed["signatures"][:1]
    lone = json.dumps(signed).encode()
    root, alone = Metadata.from_bytes(maker.keys.root).signed, Metadata.from_bytes(lone)
    with pytest.raises(exceptions.UnsignedMetadataError):
        root.verify_delegate("targets", alone.signed_bytes, alone.signatures)
    write_parcel(maker.folder / "lone", {**files, "metadata/targets.json": lone})
    with pytest.raises(PackageError, match="lone: "):
        receive(maker.folder / "lone", maker.trust)


def test_two_keys_of_a_role_that_needs_two_do(tmp_path: Path, maker: Maker) -> None:
    (maker.keys.folder / "targets-3.pem").rename(tmp_path / "away")
    try:
        assert receive(maker.file(versioned(1)), maker.trust).manifest.version == 1
        (maker.keys.folder / "targets-2.pem").rename(tmp_path / "away-2")
        with pytest.raises(PackageError, match=r"1 keys of targets, 2 must sign; put the missing"):
            maker.file(versioned(2))
    finally:
        for name, away in (("targets-3.pem", "away"), ("targets-2.pem", "away-2")):
            if (tmp_path / away).exists():
                (tmp_path / away).rename(maker.keys.folder / name)


def test_a_package_of_another_name_is_refused(maker: Maker) -> None:
    with pytest.raises(PackageError, match="is other, not mf; name that one's file"):
        receive(maker.file(versioned(1, "other")), maker.trust, name="mf")


def test_a_refused_package_changes_nothing_but_what_was_rightly_signed(maker: Maker) -> None:
    receive(maker.file(versioned(2)), maker.trust)
    before = {p.name: p.read_bytes() for p in maker.trust.folder.rglob("*") if p.is_file()}
    for path in (maker.file(versioned(1)), maker.file(versioned(3), days=-1)):
        with pytest.raises(PackageError):
            receive(path, maker.trust)
    after = {p.name: p.read_bytes() for p in maker.trust.folder.rglob("*") if p.is_file()}
    assert after == before


class Unzipped(FetcherInterface):
    """A folder of files in place of a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _fetch(self, url: str):  # type: ignore[no-untyped-def]
        path = self.folder / url.removeprefix("file:///")
        if not path.exists():
            raise exceptions.DownloadHTTPError("none", 404)
        return iter([path.read_bytes()])


def test_the_file_is_checked_with_unzip_and_any_client_of_the_framework(
    tmp_path: Path, maker: Maker
) -> None:
    """No line of droidloop is needed to see that a package is whole and whose it is."""
    with zipfile.ZipFile(maker.file(versioned(1))) as archive:
        archive.extractall(tmp_path / "open")
    for name in ("seen", "taken"):
        (tmp_path / name).mkdir()
    updater = Updater(
        *(str(tmp_path / "seen"), "file:///metadata/", str(tmp_path / "taken"), "file:///targets/"),
        fetcher=Unzipped(tmp_path / "open"),
        bootstrap=maker.keys.root,
    )
    names = [*versioned(1).files, "manifest.json"]
    for name in names:
        target = updater.get_targetinfo(name)
        assert target is not None
        updater.download_target(target)
    assert len(list((tmp_path / "taken").iterdir())) == len(names)
    (tmp_path / "open/targets/int8.tflite").write_bytes(b"TFL3" + b"x" * 4096)
    target = updater.get_targetinfo("int8.tflite")
    assert target is not None
    with pytest.raises(exceptions.LengthOrHashMismatchError):
        updater.download_target(target)


def test_secrets_are_for_their_owner_alone(maker: Maker) -> None:
    modes = {path.stat().st_mode & 0o777 for path in maker.keys.folder.glob("*.pem")}
    assert modes == {0o600}
