"""Where a user's files lie."""

from pathlib import Path

import pytest

from droidloop.platform.errors import UsageError
from droidloop.platform.places import cache_folder


def test_it_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder("steps") == tmp_path / "droidloop" / "steps"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("steps") == tmp_path / ".cache" / "droidloop" / "steps"


def test_without_a_home_a_line_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(UsageError, match="set HOME or XDG_CACHE_HOME"):
        cache_folder("steps")
