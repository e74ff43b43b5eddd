"""The bundle: what is in it, that it needs nothing else, and what is not taken for one."""

import json
import os
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.android.runners import bundle_build
from droidloop.devices.android.runners.bundle import Bundle, abi_of
from droidloop.devices.android.runners.bundle_cache import bundle_for
from droidloop.devices.android.runners.job_files import conclude, write_job
from droidloop.devices.android.runners.registry import BundleError, fetch_wheel
from droidloop.devices.fleets.model_job import Ran
from tests.contracts.runner import on_host, score_job
from tests.phone.made import bundle, models

ABIS = sorted(bundle_build.ABIS)
MAX_PACKED_BYTES = 6_000_000


def unpack(archive: Path, folder: Path) -> None:
    """Unpack *archive*; what is new in Python 3.11.4 is no part of Debian 12, which has 3.11.2."""
    with tarfile.open(archive) as opened:
        opened.extraction_filter = getattr(tarfile, "data_filter", None)
        opened.extractall(folder)  # noqa: S202  of our own archive


@pytest.mark.parametrize("abi", ABIS)
def test_it_stays_small(abi: str) -> None:
    assert bundle(abi).path.stat().st_size < MAX_PACKED_BYTES


@pytest.mark.parametrize("abi", ABIS)
def test_its_manifest_names_every_file_and_source_with_its_hash(abi: str, tmp_path: Path) -> None:
    packed = bundle(abi)
    unpack(packed.path, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {*manifest["files"], "manifest.json", "SHA256SUMS"}
    for name, entry in manifest["files"].items():
        assert entry["sha256"] == bundle_build.sha256(tmp_path / name), name
    for source in bundle_build.SOURCES:
        assert manifest["sources"][source.name] == bundle_build.sha256(source)
    runtime = bundle_build.ABIS[abi].runtime
    wheel = f"{runtime.package.replace('-', '_')}-{runtime.version}-"
    assert any(name.startswith(wheel) for name in manifest["sources"])
    assert (packed.package, packed.version) == (runtime.package, runtime.version)


@pytest.mark.parametrize(
    ("abi", "bits", "machine"), [("x86_64", 2, 62), ("arm64", 2, 183), ("arm", 1, 40)]
)
def test_all_its_programs_are_for_its_processor(abi: str, bits: int, machine: int) -> None:
    """By their ELF headers: class, and machine as the System V ABI numbers it."""
    with tarfile.open(bundle(abi).path) as archive:
        heads = {m.name: f.read(20) for m in archive if (f := archive.extractfile(m)) is not None}
    programs = {name: head for name, head in heads.items() if head.startswith(b"\x7fELF")}
    assert len(programs) == len(bundle_build.LIBRARIES) + 3  # loader, runtime, and the job's
    for name, head in programs.items():
        assert (head[4], int.from_bytes(head[18:20], "little")) == (bits, machine), name


@pytest.mark.slow
def test_the_same_packages_give_the_same_bytes(tmp_path: Path) -> None:
    packed = bundle("x86_64")
    cache = packed.path.parents[1] / "packages"
    again = bundle_build.build("x86_64", tmp_path, cache=cache)
    assert again.read_bytes() == packed.path.read_bytes()


def test_it_runs_where_there_is_nothing_else(tmp_path: Path) -> None:
    """A directory tree with the bundle, /proc and /dev is all it needs: no library of a system."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root, to change the root directory")
    if platform.machine() != "x86_64":
        pytest.skip("needs an x86_64 host")
    packed, tree, job = bundle("x86_64"), tmp_path / "tree", score_job("scorer_d8")
    for name in ("proc", "dev", "bundle"):
        (tree / name).mkdir(parents=True)
    unpack(packed.path, tree / "bundle")
    shutil.copyfile(models() / "scorer_d8.tflite", tree / "model.tflite")
    write_job(job, tree / "job.bin", "/model.tflite")
    loader, *rest = (w if w.startswith("-") else f"/bundle/{w}" for w in packed.entry)
    command = [loader, *rest, "/job.bin", "/outputs.bin", "/result.json"]
    done = _in_tree(tree, command)
    if "mount:" in done.stderr:
        pytest.skip(f"this machine does not let root mount: {done.stderr.strip()}")
    log, text = done.stderr, (tree / "result.json").read_text() if done.returncode == 0 else ""
    result = conclude(
        job, done.returncode, text, log, lambda _: (tree / "outputs.bin").read_bytes()
    )
    assert isinstance(result, Ran), result
    np.testing.assert_array_equal(result.outputs["scores"], on_host(job)["scores"])


def _in_tree(tree: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run *command* with *tree* as its root directory and an empty environment."""
    script = (
        'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && '
        'tree=$1 && shift && exec env -i "$(command -v chroot)" "$tree" "$@"'
    )
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(tree), *command],
        capture_output=True,
        text=True,
    )


def test_it_is_built_for_three_abis_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="abi 'mips': choose one of x86_64, arm64, arm"):
        bundle_build.build("mips", tmp_path)


@pytest.mark.parametrize(
    ("cpu_abi", "abi"), [("x86_64", "x86_64"), ("arm64-v8a", "arm64"), ("armeabi-v7a", "arm")]
)
def test_a_device_gets_the_bundle_of_its_abi(cpu_abi: str, abi: str) -> None:
    assert abi_of(cpu_abi) == abi


def test_an_abi_without_packages_needs_a_bundle_of_ones_own() -> None:
    message = r"for x86_64, arm64, arm, not for 'riscv64'; .*--bundle FILE"
    with pytest.raises(BundleError, match=message):
        bundle_for("riscv64", [])


def test_a_bundle_that_was_built_elsewhere_is_taken_for_its_abi(tmp_path: Path) -> None:
    """It is what `droidloop devices bundle --out` wrote, on a machine that can build it."""
    given = Path(shutil.copy2(bundle("x86_64").path, tmp_path))
    assert bundle_for("x86_64", [given]).path == given
    with pytest.raises(BundleError, match="not for 'riscv64'"):
        bundle_for("riscv64", [given])


def test_another_archive_is_not_taken_for_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "other.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(__file__, "manifest.json")
    with pytest.raises(
        BundleError, match=r"other\.tar\.gz: not a bundle .*droidloop devices bundle"
    ):
        Bundle.open(path)


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path) -> None:
    """pip itself compares; a wheel that is not the pinned one never becomes part of a bundle."""
    with pytest.raises(
        BundleError, match=r"cannot fetch six==1\.17\.0: .*(HASH|hash|DO NOT MATCH)"
    ):
        fetch_wheel("six==1.17.0", ["0" * 64], tmp_path)
    assert list(tmp_path.iterdir()) == []
