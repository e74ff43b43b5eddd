"""The examples of the pages run in a folder of their own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing in the checkout."""
    monkeypatch.chdir(tmp_path)
