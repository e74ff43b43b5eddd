"""Compiled kernels are kept, and never stale: in a plain Python, whatever has changed."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

CALLEE = '''"""Holds what another file calls."""

import numpy as np

from droidloop.platform.law import kernel

FACTOR = 3
TABLE = np.array([1, 2, 3])


@kernel
def twice(x):
    """Return two of *x*."""
    # arithmetic
    return x * 2


@kernel
def scaled(x):
    return x * FACTOR + TABLE[1]
'''
CALLER = """from typing import NamedTuple

from droidloop.platform.law import kernel, law

from . import callee
from .callee import scaled, twice


class Pair(NamedTuple):
    left: int
    right: int


@law
def calls(x):
    return twice(x) + 1


@law
def takes(x):
    return scaled(x)


@law
def member(x):
    return x * callee.FACTOR


@kernel(error_model="numpy")
def alone(x):
    return 1 // x if x else x


@law
def right(pair):
    return pair.right
"""
PROMPT = """
import json
from numba.core import event
from small import caller

with event.install_recorder("numba:compile") as recorder:
    values = [caller.calls(5), caller.takes(5), caller.member(5), caller.alone(0)]
    values.append(caller.right(caller.Pair(1, 2)))
names = {one.data["dispatcher"].py_func.__name__ for _, one in recorder.buffer if one.is_start}
print(json.dumps([values, sorted(names)]))
"""
EVERYTHING = ["alone", "calls", "member", "right", "scaled", "takes", "twice"]


class Package:
    """A small package with kernels of its own, used by one Python after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.callee, self.caller = folder / "small" / "callee.py", folder / "small" / "caller.py"

    def write(self) -> None:
        """Write the two files, from which nothing has been compiled."""
        self.callee.parent.mkdir()
        (self.folder / "small" / "__init__.py").touch()
        self.callee.write_text(CALLEE)
        self.caller.write_text(CALLER)

    def prompt(self, first: str = "", **environment: str) -> tuple[list[int], list[str]]:
        """Return what the kernels give in a Python of its own, and which of them it compiled."""
        done = self.process(first, **environment)
        assert done.returncode == 0, done.stderr
        values, names = json.loads(done.stdout)
        return values, names

    def process(self, first: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", first + PROMPT],
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=280,
        )

    def change(self, path: Path, old: str, new: str) -> None:
        """Replace *old* in the file *path*, which lies there once."""
        text, status = path.read_text(), path.stat()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))
        if len(old) == len(new):  # Python keeps bytecode by date and length
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 2_000_000_000))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The package after its first use."""
    package = Package(tmp_path_factory.mktemp("compiled"))
    package.write()
    assert package.prompt() == ([11, 17, 15, 0, 2], EVERYTHING)
    return package


@pytest.fixture
def package(compiled: Package, tmp_path: Path) -> Package:
    """A copy of it, with all that was compiled."""
    shutil.copytree(compiled.folder, tmp_path, dirs_exist_ok=True)
    return Package(tmp_path)


def test_a_second_prompt_compiles_nothing(package: Package) -> None:
    assert package.prompt() == ([11, 17, 15, 0, 2], [])


def test_a_changed_callee_is_seen_and_nothing_else_is_compiled(package: Package) -> None:
    package.change(package.callee, "x * 2", "x * 4")
    assert package.prompt() == ([21, 17, 15, 0, 2], ["calls", "twice"])
    package.change(package.callee, "x * 4", "x * 2")
    assert package.prompt() == ([11, 17, 15, 0, 2], [])  # what was compiled before is still there


def test_a_comment_a_docstring_and_a_line_more_compile_nothing(package: Package) -> None:
    package.change(package.callee, "# arithmetic", "# a better comment\n    # of two lines")
    package.change(package.callee, "Return two of", "Return the double of")
    package.change(package.caller, "@law\ndef calls", "# moved down\n\n@law\ndef calls")
    assert package.prompt() == ([11, 17, 15, 0, 2], [])


def test_a_changed_constant_is_seen_by_those_who_take_it_in(package: Package) -> None:
    package.change(package.callee, "FACTOR = 3", "FACTOR = 5")
    assert package.prompt() == ([11, 27, 25, 0, 2], ["member", "scaled", "takes"])
    package.change(package.callee, "[1, 2, 3]", "[1, 7, 3]")
    assert package.prompt() == ([11, 32, 25, 0, 2], ["scaled", "takes"])


def test_fields_that_change_places_are_seen(package: Package) -> None:
    package.change(package.caller, "left: int\n    right: int", "right: int\n    left: int")
    assert package.prompt() == ([11, 17, 15, 0, 1], ["right"])


def test_changed_options_are_seen(package: Package) -> None:
    package.change(package.caller, '(error_model="numpy")', "")
    assert package.prompt() == ([11, 17, 15, 0, 2], ["alone"])


def test_what_another_compiler_has_kept_is_not_read(package: Package) -> None:
    other = (
        "from droidloop.platform import kernel_cache\nkernel_cache._compiled_by = lambda: 'new'\n"
    )
    assert package.prompt(other) == ([11, 17, 15, 0, 2], EVERYTHING)
    assert package.prompt() == ([11, 17, 15, 0, 2], [])


def test_a_torn_file_is_written_anew(package: Package) -> None:
    (torn,) = package.callee.parent.glob("__pycache__/caller.member-*.kernel")
    torn.write_bytes(torn.read_bytes()[:100])
    assert package.prompt() == ([11, 17, 15, 0, 2], ["member"])


def test_a_folder_that_the_user_has_chosen_is_used(package: Package, tmp_path: Path) -> None:
    chosen = tmp_path / "chosen"
    package.prompt(NUMBA_CACHE_DIR=str(chosen))
    assert list(chosen.glob("small-*/caller.calls-*.kernel"))


def test_where_no_folder_is_writable_one_line_says_so(package: Package, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = package.process(NUMBA_CACHE_DIR=str(tmp_path / "file" / "folder"))
    assert done.returncode == 0
    assert json.loads(done.stdout)[0] == [11, 17, 15, 0, 2]
    ours = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert len(ours) == 1
    assert "not writable; set NUMBA_CACHE_DIR" in ours[0]


def test_a_global_that_cannot_be_followed_is_refused(package: Package) -> None:
    package.change(package.callee, "FACTOR = 3", "FACTOR = {1: 2}")
    done = package.process()
    assert done.returncode != 0
    assert "kernel small.callee.scaled: takes in a global of type dict" in done.stderr


def test_of_two_prompts_at_once_one_compiles_and_the_other_reads(tmp_path: Path) -> None:
    package = Package(tmp_path)
    package.write()
    with ThreadPoolExecutor(2) as prompts:
        first, second = prompts.map(lambda _: package.prompt(), range(2))
    assert first[0] == second[0] == [11, 17, 15, 0, 2]
    assert sorted(first[1] + second[1]) == EVERYTHING
    assert not list(package.callee.parent.glob("__pycache__/*.lock"))


def test_who_was_killed_over_a_kernel_holds_nobody_back(package: Package) -> None:
    (kept,) = package.callee.parent.glob("__pycache__/caller.member-*.kernel")
    kept.rename(kept.with_suffix(".lock"))  # all that the killed one has left
    assert package.prompt() == ([11, 17, 15, 0, 2], ["member"])
    assert kept.exists()
    assert not kept.with_suffix(".lock").exists()


RAISING = """
from small import caller

for value in (3, -3):
    try:
        print(caller.guarded(value))
    except ValueError as error:
        print(error.args)
"""


def test_what_a_kernel_raises_within_another_says_its_values(tmp_path: Path) -> None:
    """Just compiled and read from the files alike: bare code has globals that its caller sets."""
    package = Package(tmp_path)
    package.write()
    checked = "\n\n@kernel\ndef checked(x):\n    if x < 0:\n        raise ValueError('low', x)\n"
    package.callee.write_text(f"{CALLEE}{checked}    return x\n")
    package.caller.write_text(
        f"{CALLER}\n\n@kernel\ndef guarded(x):\n    return callee.checked(x) + 1\n"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", RAISING],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert (done.stdout, done.stderr) == ("4\n('low', -3)\n", "")
