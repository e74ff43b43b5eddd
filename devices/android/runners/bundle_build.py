"""Build the bundle of one ABI: LiteRT, a program that runs it, and a C library of their own.

Why a C program on the wheel's ``libLiteRt.so``, and not CPython with LiteRT: for x86_64 it is
5.4 MB packed and 13.5 MB on the device (CPython: 32 MB and 104 MB when that was tried), needs 10 ms
from start to end of a small job (the same job in Python: 0.3 s), and its process peaks at 14 MB of
memory (42 MB), so that what is measured on a small phone is the model and not the interpreter. Its
numbers are LiteRT's own: equal to the Python package's to the last bit on the same processor.

It costs a compiler. It comes from PyPI too (``ziglang``, one wheel that compiles C for both ABIs),
so nobody needs to install one, and the same source gives the same program on every machine.
"""

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .registry import BundleError, cache_folder, fetch_debs, fetch_wheel

LITERT = "ai-edge-litert==2.3.0"
COMPILER = "ziglang==0.17.0"
COMPILER_HASHES = (
    "97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b",  # x86_64 Linux
    "d2804f94f54f7fcf8169f4b212a619ad688a4e2e6592e976f0cf2e58e2cd8af3",  # aarch64 Linux
)
SOURCE = Path(__file__).with_name("device_job.c")
PACKAGES = ("libc6", "libcjson1", "libgcc-s1", "libstdc++6")
LIBRARIES = (
    *("libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1"),
    *("libcjson.so.1", "libgcc_s.so.1", "libstdc++.so.6"),
)
PROGRAM = "device_job"
# Parts of the compiler's wheel for other systems and languages: four fifths of its files.
_FOR_OTHERS = re.compile(
    r"/libc/(mingw|musl|wasi|darwin|[a-z]*bsd)/"
    r"|/libc/include/[^/]*(windows|macos|darwin|wasi|musl|bsd)"
    r"|/lib/(libcxx|libcxxabi|libtsan|docs)/|/doc/"
)
SCHEMA = 1


@dataclass(frozen=True)
class Abi:
    """What an ABI is called by those whose packages a bundle takes."""

    debian: str
    wheel: str
    compiler: str
    loader: str
    litert_hash: str


ABIS = {
    "x86_64": Abi(
        debian="amd64",
        wheel="manylinux_2_27_x86_64",
        compiler="x86_64-linux-gnu.2.27",
        loader="ld-linux-x86-64.so.2",
        litert_hash="1f15078a6725d2357d9de9221664c29afa0545d807559c5f7199ce5e40b96b23",
    ),
    "arm64": Abi(
        debian="arm64",
        wheel="manylinux_2_27_aarch64",
        compiler="aarch64-linux-gnu.2.27",
        loader="ld-linux-aarch64.so.1",
        litert_hash="853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae",
    ),
}


def build(abi: str, out: Path, *, cache: Path | None = None) -> Path:
    """Build the bundle of *abi* in the folder *out* from registry packages; return its path.

    Args:
        abi: ``x86_64`` or ``arm64``.
        out: folder of ``droidloop-ABI.tar.gz``, made if absent.
        cache: where packages are kept; ``cache_folder()`` where it is None.

    Raises:
        BundleError: a package cannot be had, or the program does not compile.
        ValueError: *abi* is none of the two.
    """
    if abi not in ABIS:
        raise ValueError(f"abi {abi!r}: choose one of {', '.join(ABIS)}")
    target, kept = ABIS[abi], cache or cache_folder()
    wheel = fetch_wheel(LITERT, [target.litert_hash], kept, platform=target.wheel)
    debs = fetch_debs(PACKAGES, target.debian, kept)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="droidloop-bundle-") as scratch:
        content = Path(scratch) / "content"
        (content / "lib").mkdir(parents=True)
        _take_litert(wheel, content / "lib")
        _take_libraries(debs, target.loader, Path(scratch) / "debian", content / "lib")
        _compile(target, kept, Path(scratch), content)
        _write_manifest(content, abi, [wheel, *debs])
        return _pack(content, out / f"droidloop-{abi}.tar.gz")


def _take_litert(wheel: Path, lib: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (lib / "libLiteRt.so").write_bytes(archive.read("ai_edge_litert/libLiteRt.so"))


def _take_libraries(debs: Iterable[Path], loader: str, scratch: Path, lib: Path) -> None:
    for deb in debs:
        subprocess.run(["dpkg-deb", "-x", str(deb), str(scratch)], check=True)  # noqa: S607  Debian has it at one place
    for name in (*LIBRARIES, loader):
        # An absolute link in a package would lead to this machine's own library.
        found = [p for p in scratch.rglob(name) if p.resolve().is_relative_to(scratch.resolve())]
        if not found:
            raise BundleError(f"bundle: Debian's packages hold no {name}; report this")
        shutil.copyfile(found[0].resolve(), lib / name)


def _compile(target: Abi, cache: Path, scratch: Path, content: Path) -> None:
    wheel = fetch_wheel(COMPILER, COMPILER_HASHES, cache)
    with zipfile.ZipFile(wheel) as archive:
        needed = [name for name in archive.namelist() if not _FOR_OTHERS.search(name)]
        archive.extractall(scratch / "compiler", needed)  # noqa: S202  of a wheel whose hash was checked
    compiler = scratch / "compiler" / "ziglang" / "zig"
    compiler.chmod(0o755)
    caches = {f"ZIG_{kind}_CACHE_DIR": str(scratch / kind) for kind in ("GLOBAL", "LOCAL")}
    libraries = [content / "lib" / n for n in ("libLiteRt.so", "libstdc++.so.6", "libcjson.so.1")]
    done = subprocess.run(
        [
            *(str(compiler), "cc", "-target", target.compiler, "-std=c11", "-D_GNU_SOURCE"),
            *("-O2", "-s", "-Wall", "-Wextra", "-Werror", "-o", str(content / PROGRAM)),
            *(str(SOURCE), *map(str, libraries)),
        ],
        capture_output=True,
        text=True,
        env=os.environ | caches,
        cwd=scratch,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise BundleError(f"bundle: {SOURCE.name} does not compile: {lines[0]}")


def _write_manifest(content: Path, abi: str, sources: Iterable[Path]) -> None:
    files = sorted(path for path in content.rglob("*") if path.is_file())
    names = [path.relative_to(content).as_posix() for path in files]
    manifest = {
        "schema": SCHEMA,
        "abi": abi,
        "litert": LITERT.partition("==")[2],
        "entry": [f"lib/{ABIS[abi].loader}", "--library-path", "lib", PROGRAM],
        "files": {
            n: {"sha256": sha256(p), "bytes": p.stat().st_size}
            for n, p in zip(names, files, strict=True)
        },
        "sources": {path.name: sha256(path) for path in [*sources, SOURCE]},
    }
    (content / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    # What `sha256sum -c` on the device reads; it proves each file, so it need not list itself.
    listed = [*names, "manifest.json"]
    lines = "".join(f"{sha256(content / name)}  {name}\n" for name in listed)
    (content / "SHA256SUMS").write_text(lines)


def _pack(content: Path, path: Path) -> Path:
    """Write *content* as a tar archive that depends on nothing but the files' bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(p for p in content.rglob("*") if p.is_file()):
            name = file.relative_to(content).as_posix()
            entry = tarfile.TarInfo(name)
            entry.size = file.stat().st_size
            runs = name == PROGRAM or name.startswith("lib/ld-")
            entry.mode = 0o755 if runs else 0o644
            with file.open("rb") as data:
                archive.addfile(entry, data)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(gzip.compress(buffer.getvalue(), 9, mtime=0))
    part.rename(path)
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
