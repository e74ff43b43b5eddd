"""The picture of a run is a PNG made from its ledger."""

from pathlib import Path

from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.picture import draw_run


def test_a_run_is_drawn(runs: dict[str, RunDirectory], tmp_path: Path) -> None:
    path = tmp_path / "run.png"
    draw_run(runs["cohort"], path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 20_000
