"""A scenario with every model of radios, links and heat, and all policies at once."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from droidloop.devices.phone.thermal import SUSTAINED_US
from droidloop.network.map import OPTUS, area_share, build_map, time_share
from droidloop.network.slow_start import INITIAL_WINDOW_BYTES
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import DAY_US
from droidloop.scenarios.reports.provenance import synthetic_parts
from droidloop.scenarios.run.coverage import shares_ppm
from droidloop.scenarios.run.people import people
from droidloop.scenarios.schema.load import load

Command = Callable[..., Result]

EVERYTHING = """
radio_year = "2021"
loss = true
slow_start = true
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
    (folder / "windows.csv").write_text(
        "device,start_s,end_s\na,0,25000\na,180000,190000\nb,40000,90000\n"
    )
    on = EVERYTHING.format(traces=folder / "link.csv", windows=folder / "windows.csv")
    text = small.read_text().replace(
        "off_at_night_share = 0.5\n", f"off_at_night_share = 0.5\n{on}"
    )
    path = folder / "field.toml"
    path.write_text(text.replace("seed = 5\n", 'seed = 5\nplay = "exact"\n'))
    return path


def test_what_a_scenario_switches_on_is_in_its_phones(small: Path, tmp_path: Path) -> None:
    checked = load(scenario(tmp_path, small))
    population = people(checked.data, checked.population, checked.seed, checked.churn).population
    world = population.world
    assert population.radios == ["lte", "5g"]
    assert len(world.quality) == len(world.radios) == 3
    assert set(world.radios["window_bytes"].tolist()) == {INITIAL_WINDOW_BYTES}
    assert len(world.map.movers) == 60
    assert world.map.covered.shape == (64, 64)
    assert set(world.traits["throttle_us"].tolist()) == {SUSTAINED_US}
    assert population.cells is not None
    assert set(population.cells.of.tolist()) == {0, 1}
    assert (population.cells.down_rate, population.cells.up_rate) == (250_000, 125_000)
    # one link down, weeks of chargers, one link up: half of it
    first, *weeks, last = world.series
    down, up = (world.knots[row["first"] : row["first"] + row["count"]] for row in (first, last))
    assert np.array_equal(up, down // 2)
    assert set(world.traits["rate_series"].tolist()) == {0}
    assert set(world.traits["up_series"].tolist()) == {len(weeks) + 1}
    assert set(world.traits["charge_series"].tolist()) <= set(range(1, len(weeks) + 1))
    assert {int(week["span_us"]) for week in weeks} == {7 * DAY_US}


def test_policies_hold_for_every_job_of_a_run_with_everything_on(
    command: Command, small: Path, tmp_path: Path
) -> None:
    """Idle, charging and unmetered at once: all work is on a charger, and none on cellular."""
    policies = ("idle", "charging", "unmetered")
    settings = [word for one in policies for word in ("--set", f"protocol.{one}=true")]
    path, out = scenario(tmp_path, small), tmp_path / "run"
    result = command("run", path, *settings, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    answer = {one["figure"]: one["value"] for one in json.loads(result.stdout)}
    shares = {name: answer[f"coverage.{name}"] for name in ("places", "remote_places", "time")}
    assert shares["places"] == pytest.approx(0.70, abs=0.002)
    assert shares["remote_places"] == pytest.approx(0.60, abs=0.002)
    assert shares["places"] < shares["time"] < 1.0
    made_up = [name for name in answer if name.startswith("synthetic.")]
    assert made_up == [
        "synthetic.interactions",
        "synthetic.people's days (off, idle, in use, at home)",
        "synthetic.the map and who moves on it",
    ]
    text = command("report", out).stdout
    assert "70.0% of places are covered (60.0% of the remote ones)" in text
    assert f"phones were covered for {shares['time']:.1%} of the time" in text
    jobs = read(RunDirectory.open(out).path, "jobs")
    trained = jobs[jobs["kind"] == Kind.TRAIN]
    assert set(trained["needs"].tolist()) == {7}
    worked = trained[trained["finish_us"] > trained["start_us"]]
    assert len(worked) > 0
    assert (worked["accepted_uj"] > 0).all()
    assert (trained["cell_end_us"] < 0).all(), "no cellular radio has been used so far"
    assert (jobs["cell_end_us"] > 0).any(), "the delivery did"


def test_a_run_says_what_in_it_is_synthetic(small: Path) -> None:
    def parts(*settings: str) -> list[str]:
        return synthetic_parts(load(small, settings).resolved())

    days = "people's days (off, idle, in use, at home)"
    made = ["interactions", days, "charging"]
    assert parts() == [*made, "the gaps of regions"]
    fitted = ("population.regions.urban=0.0", "population.regions.oslo-3g=1.0")
    assert parts(*fitted) == [*made, "the gaps of regions"], "remote ones are left"
    resolved = load(small).resolved()
    resolved["population"]["regions"] = {"oslo-3g": 1.0}
    assert synthetic_parts(resolved) == made
    assert parts("population.map.preset=optus") == [*made, "the map and who moves on it"]
    assert parts("population.ideal=true", "data.path=ml-100k") == []


def test_shares_of_a_map_are_those_of_its_places_and_of_its_phones_time() -> None:
    world = build_map(replace(OPTUS, remote_phones=0.2), 50, Draws(1, "shares"))
    remote = np.flatnonzero(world.movers["remote"])
    assert shares_ppm(world, DAY_US) == {
        "places_ppm": round(1e6 * area_share(world)),
        "remote_places_ppm": round(1e6 * area_share(world, remote=True)),
        "time_ppm": round(1e6 * time_share(world, np.arange(50), 0, DAY_US)),
        "remote_time_ppm": round(1e6 * time_share(world, remote, 0, DAY_US)),
    }
    assert shares_ppm(build_map(OPTUS, 0, Draws(1, "shares")), DAY_US) == {}
