"""The picture of a run shows what its ledger says, and is a PNG."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.picture import draw_run, figure_of
from droidloop.scenarios.reports.quality import quality_of
from droidloop.scenarios.reports.summary import summarise

Runs = dict[str, RunDirectory]


def test_a_run_is_drawn(runs: Runs, tmp_path: Path) -> None:
    path = tmp_path / "run.png"
    draw_run(runs["cohort"], path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_curve_is_that_of_the_validations(runs: Runs) -> None:
    events = read(runs["cohort"].path, "events")
    valid = events[(events["kind"] == b"valid") & (events["name"] == b"hr_at_10_ppm")]
    [line] = figure_of(runs["cohort"]).axes[0].lines
    assert len(valid) == 4
    assert line.get_ydata().tolist() == (valid["value"] / 1e6).tolist()
    assert np.allclose(line.get_xdata() * 3.6e9, valid["t_us"])


def test_the_bars_are_the_means_of_the_classes_beside_the_strongest_baseline(runs: Runs) -> None:
    answer = summarise(runs["cohort"])
    bars = figure_of(runs["cohort"]).axes[1].containers
    models = (answer["baseline"]["model"], "trained", "int8")
    for container, model in zip(bars, models, strict=True):
        heights = [bar.get_height() for bar in container]
        expected = [
            quality_of(facts, "hr_at_10", model=model) for facts in answer["classes"].values()
        ]
        assert heights == pytest.approx([np.nan if v is None else v for v in expected], nan_ok=True)


def test_the_parts_of_energy_stand_on_one_another(runs: Runs) -> None:
    answer = summarise(runs["cohort"])
    axis = figure_of(runs["cohort"]).axes[2]
    tops = np.max([[bar.get_y() + bar.get_height() for bar in c] for c in axis.containers], axis=0)
    for top, facts in zip(tops, answer["classes"].values(), strict=True):
        spent = facts["energy_j"]["total"] - facts["energy_j"]["own"]
        assert top == pytest.approx(spent / facts["phones"]["total"])


def test_the_steps_end_at_the_share_of_phones_that_have_the_model(runs: Runs) -> None:
    jobs, devices = (read(runs["cohort"].path, name) for name in ("jobs", "devices"))
    done = jobs[(jobs["kind"] == Kind.DELIVER) & (jobs["outcome"] == Outcome.DONE)]
    lines = figure_of(runs["cohort"]).axes[3].lines
    for line in lines:
        mine = devices["phone"][devices["profile"] == line.get_label().encode()]
        reached = np.isin(done["phone"], mine).sum()
        assert len(line.get_ydata()) == reached
        assert not reached or line.get_ydata()[-1] == reached / len(mine)
    assert sum(len(line.get_ydata()) for line in lines) == len(done) > 0
