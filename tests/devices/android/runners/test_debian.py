"""Debian's packages without apt: from a mirror that somebody names, each proved by its checksum."""

import hashlib
import io
import lzma
import shutil
import tarfile
from pathlib import Path

import pytest
import zstandard

from droidloop.devices.android.runners import debian
from droidloop.devices.android.runners.debian import MIRROR, fetch_debs, members
from droidloop.devices.android.runners.registry import BundleError


def _deb(compressed: bytes, name: str = "data.tar.xz") -> bytes:
    """Return a package with that archive of files."""
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", name: compressed}
    packed = b"!<arch>\n"
    for key, data in parts.items():
        packed += f"{key:16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data
        packed += b"\n" * (len(data) % 2)
    return packed


def _files() -> bytes:
    """Return an archive with a library, a link to it, and a link out of the package."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        library = tarfile.TarInfo("./usr/lib/libone.so.1.2")
        library.size = 3
        archive.addfile(library, io.BytesIO(b"one"))
        for name, target in (
            ("./usr/lib/libone.so.1", "libone.so.1.2"),
            ("./lib/ld-one.so.1", "/usr/lib/libone.so.1"),
            ("./usr/lib/libaway.so.1", "../../../../etc/passwd"),
        ):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return buffer.getvalue()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror in a folder, named as a user names one, on a machine without apt."""
    root = tmp_path / "mirror"
    deb = _deb(lzma.compress(_files()))
    pool = root / "pool/main/o/one/one_1.2_armhf.deb"
    pool.parent.mkdir(parents=True)
    pool.write_bytes(deb)
    text = "\n\n".join(
        f"Package: {name}\nFilename: {pool.relative_to(root)}\n"
        f"Description: a: b\nSHA256: {hashlib.sha256(deb).hexdigest()}"
        for name in ("none", "one")
    )
    lists = root / "dists/stable/main/binary-armhf/Packages.xz"
    lists.parent.mkdir(parents=True)
    lists.write_bytes(lzma.compress(text.encode()))
    digest = hashlib.sha256(lists.read_bytes()).hexdigest()
    (root / "dists/stable/InRelease").write_text(
        f"Suite: stable\nMD5Sum:\n 0 0 main/binary-armhf/Packages.xz\nSHA256:\n"
        f" {digest} 9 main/binary-armhf/Packages.xz\n-----BEGIN PGP SIGNATURE-----\n"
    )
    monkeypatch.setenv(MIRROR, f"{root.as_uri()}/")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    return root


def test_a_package_of_another_architecture_comes_from_the_mirror(
    mirror: Path, tmp_path: Path
) -> None:
    (deb,) = fetch_debs(["one"], "armhf", tmp_path / "kept")
    assert deb.name == "one_1.2_armhf.deb"
    shutil.rmtree(mirror)  # what is kept is not fetched again
    assert fetch_debs(["one"], "armhf", tmp_path / "kept") == [deb]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("pool/main/o/one/one_1.2_armhf.deb", "has SHA-256 .*, not .*; try again"),
        ("dists/stable/main/binary-armhf/Packages.xz", "has SHA-256 .*, not .*; try again"),
    ],
)
def test_what_was_changed_on_its_way_is_refused(
    mirror: Path, tmp_path: Path, place: str, message: str
) -> None:
    (mirror / place).write_bytes(b"other")
    with pytest.raises(BundleError, match=message):
        fetch_debs(["one"], "armhf", tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize(
    ("names", "architecture", "message"),
    [
        (["two"], "armhf", "has no two for armhf"),
        (["one"], "s390x", "has no packages for s390x"),
    ],
)
def test_what_a_mirror_lacks_is_named(
    mirror: Path, tmp_path: Path, names: list[str], architecture: str, message: str
) -> None:
    with pytest.raises(BundleError, match=f"^{MIRROR}: file://.*mirror {message}"):
        fetch_debs(names, architecture, tmp_path / "kept")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mirror.invalid/debian", "give an address that begins with https://"),
        ("http://127.0.0.1:9/debian", "cannot fetch http://127.0.0.1:9/debian/dists"),
    ],
)
def test_an_address_that_leads_nowhere_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str, message: str
) -> None:
    monkeypatch.setenv(MIRROR, address)
    with pytest.raises(BundleError, match=message):
        fetch_debs(["one"], "armhf", tmp_path)


def test_over_plain_http_debians_signature_is_wanted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(MIRROR, "http://mirror.invalid/debian")
    monkeypatch.setattr(debian, "_got", lambda _: b"SHA256:\n")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BundleError, match=r"signature cannot be checked here .*https://"):
        fetch_debs(["one"], "armhf", tmp_path)


def test_without_apt_and_without_a_mirror_the_ways_out_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on macOS."""
    monkeypatch.delenv(MIRROR, raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BundleError, match=f"no apt-get; set {MIRROR} .* or give --bundle FILE"):
        fetch_debs(["one"], "armhf", tmp_path)


def test_an_apt_that_lacks_the_architecture_says_the_ways_out_as_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As apt on Ubuntu for amd64, whose mirror has nothing for arm64."""
    fake = tmp_path / "bin/apt-get"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'E: Unable to locate package one' >&2\nexit 100\n")
    fake.chmod(0o755)
    monkeypatch.delenv(MIRROR, raising=False)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    with pytest.raises(BundleError, match=f"Unable to locate package one; set {MIRROR} "):
        fetch_debs(["one"], "arm64", tmp_path / "kept")


@pytest.mark.parametrize("name", ["data.tar.xz", "data.tar.zst"])
def test_files_are_found_behind_their_links_and_never_outside(tmp_path: Path, name: str) -> None:
    pack = lzma.compress if name.endswith("xz") else zstandard.ZstdCompressor().compress
    deb = tmp_path / "one.deb"
    deb.write_bytes(_deb(pack(_files()), name))
    wanted = ["libone.so.1", "ld-one.so.1", "libaway.so.1", "libnone.so"]
    assert members(deb, wanted) == {"libone.so.1": b"one", "ld-one.so.1": b"one"}


@pytest.mark.parametrize("data", [b"odd", b"!<arch>\n", _deb(b"odd"), _deb(b"odd", "data.tar.zst")])
def test_what_is_no_package_is_said(tmp_path: Path, data: bytes) -> None:
    deb = tmp_path / "one.deb"
    deb.write_bytes(data)
    with pytest.raises(BundleError, match=r"one\.deb is no Debian package"):
        members(deb, ["libone.so.1"])
