"""The folder of compiled kernels changes with the sources that went into them."""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from droidloop.platform import kernels

KERNEL = "from numba import njit\n\n\n@njit(cache=True)\ndef f(x):\n    return x + 1\n"


def package(folder: Path) -> Any:
    """Return the module as part of a package of its own, with one kernel and one other file."""
    (folder / "platform").mkdir(parents=True)
    (folder / "devices").mkdir()
    (folder / "devices" / "law.py").write_text(KERNEL)
    (folder / "devices" / "other.py").write_text("x = 1\n")
    path = folder / "platform" / "kernels.py"
    shutil.copy(kernels.__file__, path)
    spec = importlib.util.spec_from_file_location("copied_kernels", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return package(tmp_path / "package")


def kept(module: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that *module* points numba at."""
    with monkeypatch.context() as patch:
        patch.delenv("NUMBA_CACHE_DIR", raising=False)
        module.keep_kernels()
        return Path(os.environ["NUMBA_CACHE_DIR"])


def test_the_same_sources_share_a_folder(
    copied: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = kept(copied, monkeypatch)
    assert one.is_dir()
    assert one.parent == tmp_path / "cache" / "droidloop"
    assert kept(copied, monkeypatch) == one


def test_a_change_of_any_kernel_file_is_another_folder_and_of_others_is_none(
    copied: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """numba itself would miss a change of a kernel that only another file calls."""
    before = kept(copied, monkeypatch)
    (tmp_path / "package" / "devices" / "other.py").write_text("x = 2\n")
    assert kept(copied, monkeypatch) == before
    law = tmp_path / "package" / "devices" / "law.py"
    law.write_text(KERNEL.replace("x + 1", "x + 2"))
    assert kept(copied, monkeypatch) != before
    law.write_text(KERNEL)
    assert kept(copied, monkeypatch) == before


def test_only_the_newest_few_folders_are_kept(
    copied: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    law = tmp_path / "package" / "devices" / "law.py"
    folders = []
    for number in range(6):
        law.write_text(KERNEL + f"# {number}\n")
        folders.append(kept(copied, monkeypatch))
        os.utime(folders[-1], (number, number))
    left = sorted((tmp_path / "cache" / "droidloop").iterdir())
    assert len(left) <= 4
    assert folders[-1] in left
    assert folders[0] not in left


def test_a_folder_that_the_user_has_chosen_is_left_alone(
    copied: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    copied.keep_kernels()
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"
    assert not (tmp_path / "cache").exists()
