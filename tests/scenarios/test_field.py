"""A scenario with every model of radios, links and heat, and all policies at once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import Result

from droidloop.devices.thermal import SUSTAINED_US
from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.build import people
from droidloop.scenarios.load import load

Command = Callable[..., Result]

EVERYTHING = """
radio_year = "2021"
loss = true
throttling = true
rate_traces = "{traces}"
uplink_share = 0.5
charging_windows = "{windows}"

[population.map]
cells = 64
cell_m = 1000

[population.cell]
phones = 30
down_mbps = 2.0
up_mbps = 1.0
"""


def scenario(folder: Path, small: Path) -> Path:
    """Write a scenario with everything on, and its recordings."""
    rates = np.where(np.arange(300) % 29 < 3, 0, 50_000 + 998 * np.arange(300))
    lines = [f"{second},{rate}" for second, rate in enumerate(rates.tolist())]
    (folder / "link.csv").write_text("\n".join(["t_s,bytes_per_s", *lines]) + "\n")
    (folder / "windows.csv").write_text("device,start_s,end_s\na,0,25000\nb,40000,90000\n")
    on = EVERYTHING.format(traces=folder / "link.csv", windows=folder / "windows.csv")
    text = small.read_text().replace(
        "off_at_night_share = 0.5\n", f"off_at_night_share = 0.5\n{on}"
    )
    path = folder / "field.toml"
    path.write_text(text.replace("seed = 5\n", 'seed = 5\nplay = "exact"\n'))
    return path


def test_what_a_scenario_switches_on_is_in_its_phones(small: Path, tmp_path: Path) -> None:
    checked = load(scenario(tmp_path, small))
    population = people(checked.data, checked.population, checked.seed).population
    world = population.world
    assert population.radios == ["lte", "5g"]
    assert len(world.quality) == len(world.radios) == 3
    assert len(world.map.movers) == 60
    assert world.map.covered.shape == (64, 64)
    assert set(world.traits["throttle_us"].tolist()) == {SUSTAINED_US}
    assert population.cells is not None
    assert set(population.cells.of.tolist()) == {0, 1}
    assert (population.cells.down_rate, population.cells.up_rate) == (250_000, 125_000)
    # one link down, two chargers, one link up: half of it
    rows = [world.series[number] for number in range(4)]
    down, up = (world.knots[row["first"] : row["first"] + row["count"]] for row in rows[::3])
    assert np.array_equal(up, down // 2)
    assert set(world.traits["rate_series"].tolist()) == {0}
    assert set(world.traits["up_series"].tolist()) == {3}
    assert set(world.traits["charge_series"].tolist()) == {1, 2}
    assert rows[2]["span_us"] == 2 * rows[1]["span_us"]


def test_policies_hold_for_every_job_of_a_run_with_everything_on(
    command: Command, small: Path, tmp_path: Path
) -> None:
    """Idle, charging and unmetered at once: all work is on a charger, and none on cellular."""
    policies = ("idle", "charging", "unmetered")
    settings = [word for one in policies for word in ("--set", f"protocol.{one}=true")]
    path, out = scenario(tmp_path, small), tmp_path / "run"
    result = command("run", path, *settings, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    jobs = read(RunDirectory.open(out).path, "jobs")
    trained = jobs[jobs["kind"] == Kind.TRAIN]
    assert set(trained["needs"].tolist()) == {7}
    worked = trained[trained["finish_us"] > trained["start_us"]]
    assert len(worked) > 0
    assert (worked["accepted_uj"] > 0).all()
    assert (trained["cell_end_us"] < 0).all(), "no cellular radio has been used so far"
    assert (jobs["cell_end_us"] > 0).any(), "the delivery did"
