"""`droidloop scenarios show radio`: three pictures, and coverage as shares of places and time."""

import re
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Command = Callable[..., Result]


def test_it_draws_three_pictures_and_prints_both_shares(command: Command, tmp_path: Path) -> None:
    result = command("scenarios", "show", "radio", "--out", tmp_path / "pictures")
    assert result.exit_code == 0, result.output
    *paths, places, time, remote = result.stdout.splitlines()
    assert [Path(path).name for path in paths] == ["transfers.png", "link.png", "batteries.png"]
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in paths)
    assert "70.0% of places are covered, 60.0% of the remote ones" in places
    shares = [float(re.findall(r"([\d.]+)%", line)[0]) for line in (time, remote)]
    assert shares[0] > 70.0
    assert shares[1] < shares[0]
