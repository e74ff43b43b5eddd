"""docs/extending.md works as written: in the rooms of droidloop, and from a package of its own.

A block of Python that begins with a comment of a path is a file. The same files are tried in two
ways, with the tests that stand beside them: laid over the rooms that their paths name, where they
touch no file that is there, and as a package that pip builds and installs, with the entry points
that the page shows.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "extending.md"
MAX_LINES = 60
TIMEOUT_S = 1200

FILE = re.compile(
    r"^```(?:python|toml)\n# (\S+\.(?:py|toml))\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
KIND = re.compile(r'kind="(\w+)"')
FILES = {found[1]: found[2] for found in FILE.finditer(PAGE.read_text())}
TESTS = {path: text for path, text in FILES.items() if path.startswith("tests/")}
METHODS = {path: text for path, text in FILES.items() if path.endswith(".py") and path not in TESTS}

OVERLAY = """
import importlib, pathlib
for folder in {path.parent for path in pathlib.Path(FOLDER).rglob("*.py")}:
    parts = folder.relative_to(FOLDER).parts
    if len(parts) == 2 and parts[0] != "tests":
        importlib.import_module(f"droidloop.{'.'.join(parts)}").__path__.append(str(folder))
"""
"""Run by every Python that is started beside it: rooms have more than one folder then."""


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def run_tests(folder: Path, paths: list[Path]) -> None:
    """Run the tests of the page in *folder*, with *paths* before everything else."""
    write(folder, TESTS)
    options = ["-q", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:anyio"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--import-mode=importlib", "tests"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [*paths, ROOT]))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout


def test_each_kind_that_people_add_is_shown() -> None:
    shown = {found[1] for text in METHODS.values() for found in KIND.finditer(text)}
    assert shown >= {"recommender", "table", "rule", "transform", "metric", "protocol", "policy"}


@pytest.mark.parametrize("path", [*METHODS, *TESTS])
def test_each_is_one_new_file_of_at_most_sixty_lines(path: str) -> None:
    assert not (ROOT / path).exists()
    assert len(FILES[path].splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", METHODS)
def test_each_has_its_test_in_the_folder_that_mirrors_its_own(path: str) -> None:
    folder, _, name = path.rpartition("/")
    assert f"tests/{folder}/test_{name}" in TESTS


@pytest.mark.parametrize("path", [*METHODS, *TESTS])
def test_each_follows_the_rules_of_the_house(path: str) -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [Path(sys.executable).with_name("ruff"), *command, "--stdin-filename", path, "-"],
            cwd=ROOT,
            input=FILES[path],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_files_in_the_rooms_pass_their_tests(tmp_path: Path) -> None:
    overlay = tmp_path / "rooms"
    write(overlay, METHODS)
    started = tmp_path / "started"
    write(started, {"sitecustomize.py": f"FOLDER = {str(overlay)!r}{OVERLAY}"})
    run_tests(tmp_path / "work", [started])


def test_a_package_of_somebody_else_passes_the_same_tests(tmp_path: Path) -> None:
    project, target = tmp_path / "project", tmp_path / "target"
    module = {f"my_methods/{Path(path).name}": text for path, text in METHODS.items()}
    assert len(module) == len(METHODS)
    write(
        project, {**module, "my_methods/__init__.py": "", "pyproject.toml": FILES["pyproject.toml"]}
    )
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--no-index", "--disable-pip-version-check", "--target", str(target), str(project)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout
    run_tests(tmp_path / "work", [target])
