"""Build the bundle of one ABI: LiteRT, a program that runs it, and a C library of their own.

Why a C program on the wheel's ``libLiteRt.so``, and not CPython with LiteRT: for x86_64 it is
5.4 MB packed and 13.5 MB on the device (CPython: 32 MB and 104 MB when that was tried), needs 10 ms
from start to end of a small job (the same job in Python: 0.3 s), and its process peaks at 14 MB of
memory (42 MB), so that what is measured on a small phone is the model and not the interpreter. Its
numbers are LiteRT's own: equal to the Python package's to the last bit on the same processor.

LiteRT has no package for 32-bit ARM; there the program is linked with TensorFlow Lite 2.14, the
last one that has: the same jobs, of models whose operations it knows (``runtime_tflite.c``).

It costs a compiler. It comes from PyPI too (``ziglang``, one wheel that compiles C for all ABIs),
so nobody needs to install one, and the same source gives the same program on every machine.
"""

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .debian import fetch_debs, members
from .registry import BundleError, cache_folder, fetch_wheel

COMPILER = "ziglang==0.17.0"
COMPILER_HASHES = (
    "97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b",  # x86_64 Linux
    "d2804f94f54f7fcf8169f4b212a619ad688a4e2e6592e976f0cf2e58e2cd8af3",  # aarch64 Linux
    "87274af689c4128051b26c80f6f676757e0a81c2fdc137fd8b5679e928e4bc4f",  # arm64 macOS 13
    "4d910f0e363ddb60a6b8ddb55235617797a8ccbcb6c5c7132a949d9f833eea42",  # x86_64 macOS 13
)
SOURCES = tuple(
    Path(__file__).with_name(name)
    for name in ("device_job.c", "runtime.h", "runtime_litert.c", "runtime_tflite.c")
)
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
SCHEMA = 2


@dataclass(frozen=True)
class Runtime:
    """What runs models: a package of PyPI, the library in its wheel, the source that drives it.

    *library* is what the library calls itself; under that name the program asks for it.
    """

    name: str
    package: str
    version: str
    library: str
    source: str

    @property
    def member(self) -> str:
        """Where its wheel has the library."""
        return f"{self.package.replace('-', '_')}/{self.library}"


LITERT = Runtime("LiteRT", "ai-edge-litert", "2.3.0", "libLiteRt.so", "runtime_litert.c")
TFLITE = Runtime(
    "TensorFlow Lite",
    "tflite-runtime",
    "2.14.0",
    "_pywrap_tensorflow_interpreter_wrapper.so",
    "runtime_tflite.c",
)


@dataclass(frozen=True)
class Abi:
    """What an ABI is called by those whose packages a bundle takes."""

    debian: str
    wheel: str
    compiler: str
    loader: str
    runtime: Runtime
    runtime_hash: str


ABIS = {
    "x86_64": Abi(
        debian="amd64",
        wheel="manylinux_2_27_x86_64",
        compiler="x86_64-linux-gnu.2.27",
        loader="ld-linux-x86-64.so.2",
        runtime=LITERT,
        runtime_hash="1f15078a6725d2357d9de9221664c29afa0545d807559c5f7199ce5e40b96b23",
    ),
    "arm64": Abi(
        debian="arm64",
        wheel="manylinux_2_27_aarch64",
        compiler="aarch64-linux-gnu.2.27",
        loader="ld-linux-aarch64.so.1",
        runtime=LITERT,
        runtime_hash="853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae",
    ),
    "arm": Abi(
        debian="armhf",
        wheel="manylinux_2_34_armv7l",
        compiler="arm-linux-gnueabihf.2.27",
        loader="ld-linux-armhf.so.3",
        runtime=TFLITE,
        runtime_hash="c4e66a74165b18089c86788400af19fa551768ac782d231a9beae2f6434f7949",
    ),
}


def build(abi: str, out: Path, *, cache: Path | None = None) -> Path:
    """Build the bundle of *abi* in the folder *out* from registry packages; return its path.

    Args:
        abi: one of ``ABIS``.
        out: folder of ``droidloop-ABI.tar.gz``, made if absent.
        cache: where packages are kept; ``cache_folder()`` where it is None.

    Raises:
        BundleError: a package cannot be had, or the program does not compile.
        ValueError: *abi* is none of them.
    """
    if abi not in ABIS:
        raise ValueError(f"abi {abi!r}: choose one of {', '.join(ABIS)}")
    target, kept = ABIS[abi], cache or cache_folder()
    runtime = target.runtime
    requirement = f"{runtime.package}=={runtime.version}"
    wheel = fetch_wheel(requirement, [target.runtime_hash], kept, platform=target.wheel)
    debs = fetch_debs(PACKAGES, target.debian, kept)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="droidloop-bundle-") as scratch:
        content = Path(scratch) / "content"
        (content / "lib").mkdir(parents=True)
        _take_runtime(wheel, runtime, content / "lib")
        _take_libraries(debs, target.loader, content / "lib")
        _compile(target, kept, Path(scratch), content)
        _write_manifest(content, abi, [wheel, *debs])
        return _pack(content, out / f"droidloop-{abi}.tar.gz")


def _take_runtime(wheel: Path, runtime: Runtime, lib: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (lib / runtime.library).write_bytes(archive.read(runtime.member))


def _take_libraries(debs: Iterable[Path], loader: str, lib: Path) -> None:
    wanted, found = {*LIBRARIES, loader}, dict[str, bytes]()
    for deb in debs:
        found |= members(deb, wanted - found.keys())
    if missing := sorted(wanted - found.keys()):
        raise BundleError(f"bundle: Debian's packages hold no {missing[0]}; report this")
    for name, data in found.items():
        (lib / name).write_bytes(data)


def _compile(target: Abi, cache: Path, scratch: Path, content: Path) -> None:
    wheel = fetch_wheel(COMPILER, COMPILER_HASHES, cache)
    with zipfile.ZipFile(wheel) as archive:
        needed = [name for name in archive.namelist() if not _FOR_OTHERS.search(name)]
        archive.extractall(scratch / "compiler", needed)  # noqa: S202  of a wheel whose hash was checked
    compiler = scratch / "compiler" / "ziglang" / "zig"
    compiler.chmod(0o755)
    caches = {f"ZIG_{kind}_CACHE_DIR": str(scratch / kind) for kind in ("GLOBAL", "LOCAL")}
    linked = (target.runtime.library, "libstdc++.so.6", "libcjson.so.1")
    libraries = [content / "lib" / name for name in linked]
    # A Python package's library looks for Python when it is loaded: the program has what it finds.
    python = ["-rdynamic", "-Wl,--allow-shlib-undefined"] if target.runtime is TFLITE else []
    sources = [SOURCES[0], SOURCES[0].with_name(target.runtime.source)]
    done = subprocess.run(
        [
            *(str(compiler), "cc", "-target", target.compiler, "-std=c11", "-D_GNU_SOURCE"),
            *("-D_FILE_OFFSET_BITS=64", "-O2", "-s", "-Wall", "-Wextra", "-Werror"),
            *(*python, "-o", str(content / PROGRAM)),
            *(*map(str, sources), *map(str, libraries)),
        ],
        capture_output=True,
        text=True,
        env=os.environ | caches,
        cwd=scratch,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise BundleError(f"bundle: {PROGRAM} does not compile: {lines[0]}")


def _write_manifest(content: Path, abi: str, sources: Iterable[Path]) -> None:
    files = sorted(path for path in content.rglob("*") if path.is_file())
    names = [path.relative_to(content).as_posix() for path in files]
    manifest = {
        "schema": SCHEMA,
        "abi": abi,
        "runtime": ABIS[abi].runtime.name,
        "package": ABIS[abi].runtime.package,
        "version": ABIS[abi].runtime.version,
        "entry": [f"lib/{ABIS[abi].loader}", "--library-path", "lib", PROGRAM],
        "files": {
            n: {"sha256": sha256(p), "bytes": p.stat().st_size}
            for n, p in zip(names, files, strict=True)
        },
        "sources": {path.name: sha256(path) for path in [*sources, *SOURCES]},
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
