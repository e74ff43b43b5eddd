"""The scripts in .ci/ catch what they are there for."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout")


def tracked() -> set[str]:
    parts = ["platform", "devices", "network", "models", "scenarios"]
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", *parts],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in listed.stdout.split("\0") if name}


def check_wheel(folder: Path, names: set[str]) -> subprocess.CompletedProcess[str]:
    """Check a wheel that holds the given files under droidloop/."""
    wheel = folder / "droidloop-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in names | {"__init__.py", "py.typed"}:
            archive.writestr(f"droidloop/{name}", "")
        archive.writestr("droidloop-0.dist-info/METADATA", "")
    command = [sys.executable, ".ci/check_wheel.py", str(wheel)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_a_wheel_with_every_tracked_file_passes(tmp_path: Path) -> None:
    done = check_wheel(tmp_path, tracked())
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wheel_without_one_module_fails_and_names_it(tmp_path: Path) -> None:
    done = check_wheel(tmp_path, tracked() - {"platform/units.py"})
    assert done.returncode == 1
    assert "droidloop/platform/units.py: not in droidloop-0" in done.stderr


def test_a_wheel_without_code_fails(tmp_path: Path) -> None:
    done = check_wheel(tmp_path, set())
    assert len(done.stderr.splitlines()) == len(tracked())


def test_a_wheel_with_a_file_that_is_not_in_git_fails(tmp_path: Path) -> None:
    done = check_wheel(tmp_path, tracked() | {"models/scratch.py"})
    assert done.returncode == 1
    assert "droidloop/models/scratch.py: in droidloop-0-py3-none-any.whl but not in git" in (
        done.stderr
    )


def packages(*lists: Path) -> subprocess.CompletedProcess[str]:
    """Run packages.sh where only the names that dpkg-query is told about count as installed."""
    command = ["bash", str(ROOT / ".ci" / "packages.sh"), *map(str, lists)]
    environment = {"PATH": f"{lists[0].parent}:/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """A list of two packages, with a dpkg-query that knows only one and an id that is not root."""
    for name, body in {
        "dpkg-query": '[ "$4" = present ] && echo "ii "',
        "id": "echo 1000",
        "apt-get": "echo must not be called; exit 9",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    wanted = tmp_path / "some-packages"
    wanted.write_text("# a comment\npresent\nabsent  # why\n")
    return wanted


def test_anybody_but_root_is_told_what_to_install(lists: Path) -> None:
    done = packages(lists)
    assert done.returncode == 1
    assert done.stderr.endswith("sudo apt-get install -y --no-install-recommends absent\n")


def test_root_installs_what_is_absent(lists: Path) -> None:
    called = lists.parent / "called"
    (lists.parent / "id").write_text("#!/bin/bash\necho 0\n")
    (lists.parent / "apt-get").write_text(f'#!/bin/bash\necho "$@" >> {called}\n')
    assert packages(lists).returncode == 0
    assert called.read_text().splitlines() == [
        "update -qq",
        "install -y --no-install-recommends absent -qq",
    ]


def test_nothing_happens_when_nothing_is_absent(lists: Path) -> None:
    lists.write_text("present\n")
    done = packages(lists)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_python_without_venv_is_told_the_debian_package(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text(
        f'#!/bin/bash\n[[ "$*" != *ensurepip* ]] && exec {sys.executable} "$@"\nexit 1\n'
    )
    python.chmod(0o755)
    (tmp_path / "id").write_text("#!/bin/bash\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    done = subprocess.run(
        ["bash", str(ROOT / ".ci" / "venv.sh"), str(python), str(tmp_path / "new")],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert done.returncode == 1
    assert done.stderr.endswith("sudo apt-get install python3-venv\n")
    assert not (tmp_path / "new").exists()
