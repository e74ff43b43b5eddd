"""Real devices in the rounds of a run: here LiteRT in processes of the host stands in for them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.devices.android.fleet.fleet import Attachment
from droidloop.devices.android.runners.host_runner import HostRunner
from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Result
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.platform.errors import LedgerError, UsageError
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import Rows, read
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import execute, resume
from droidloop.scenarios.schema.load import load
from tests.exported_once import exported_once
from tests.phone.image import CACHE
from tests.scenarios.small_worlds import values

from .test_resume import KilledError, killed_in, quiet
from .test_run import digest

ALONE = """
name = "alone"
title = "Two phones and nobody else"
seed = 3

[data]
items = 80
interactions = 20

[population]
phones = 2
ideal = true

[model]
dim = 8

[protocol]
rounds = 3
every_s = 600.0
deadline_s = 300.0
min_battery = 0.0

[delivery]
deadline_s = 600.0
run_within_s = 600.0

[evaluation]
baselines = []
candidates = 30
"""

SEALED = {
    "delivery.variant": "none",
    "protocol.transforms": '[{kind = "clip-laplace", clip = 0.5, noise = 0.001}, {kind = "masks"}]',
    "protocol.senders": '[{kind = "flipped-signs", share = 0.5}]',
}
AMONG = {"population.phones": 12, "population.ideal": "false", "protocol.rounds": 2}
FAULTS = {
    "link": Outcome.FAILED_LINK,
    "memory": Outcome.FAILED_MEMORY,
    "timeout": Outcome.FAILED_TIMEOUT,
}


class Faulty:
    """A device that fails at its first jobs and then is as good as any."""

    def __init__(self, *outcomes: Outcome) -> None:
        self._left = list(outcomes)
        self._host = HostRunner()

    def run(self, job: ModelJob) -> Result:
        if self._left:
            return Failed(self._left.pop(0), "as the test wants it")
        return self._host.run(job)

    def clean(self) -> None:
        self._host.clean()


class Liar:
    """A device whose numbers are wrong: not finite when it trains, a little off otherwise."""

    def run(self, job: ModelJob) -> Result:
        result = HostRunner().run(job)
        assert isinstance(result, Ran)
        wrong = np.float32(np.nan if "new_rows" in job.outputs else 0.01)
        return replace(result, outputs={n: v + wrong for n, v in result.outputs.items()})

    def clean(self) -> None:
        pass


def play(
    folder: Path,
    runners: Mapping[int, Any],
    settings: Mapping[str, object] | None = None,
    replay: Path | None = None,
) -> Path:
    """Run the scenario with devices in the place of some phones; return its directory."""
    file = folder.with_suffix(".toml")
    file.write_text(ALONE)
    scenario = load(file, [f"{key}={value}" for key, value in (settings or {}).items()])
    devices = [Attachment(f"device {k}", k, runner) for k, runner in runners.items()]
    execute(scenario, folder, replay=replay, progress=lambda *_: None, devices=devices)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The two phones on the host, on devices, replayed; and devices among other phones."""
    folder = tmp_path_factory.mktemp("mixed")
    devices = {0: HostRunner(), 1: HostRunner()}
    among = {
        0: Faulty(*FAULTS.values()),
        3: HostRunner(),
        7: Liar(),
    }
    with exported_once(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(CACHE / "cache"))  # training steps take long to export
        made = {
            "host": play(folder / "host", {}),
            "devices": play(folder / "devices", devices),
            "among": play(folder / "among", among, AMONG),
        }
        made["simulated"] = play(folder / "simulated", {}, AMONG)
        made["replay"] = play(folder / "replay", {}, replay=made["devices"])
        made["again"] = play(folder / "again", {}, replay=made["replay"])
        made["among again"] = play(folder / "among again", {}, AMONG, made["among"])
    return made


def table_of(run: Path) -> Any:
    """Return the item table of the run's package: the scores of unit vectors."""
    package = Package.load(run / "package")
    users = np.eye(package.dim, dtype=np.float32)
    return LiteRT(package.model("float32")).scores(users).values


def jobs_of(run: Path, phone: int, kind: Kind) -> Rows:
    rows = read(run, "jobs")
    mine: Rows = rows[(rows["phone"] == phone) & (rows["kind"] == kind)]
    return mine


def test_with_devices_alone_the_global_model_is_the_hosts(runs: dict[str, Path]) -> None:
    host, devices = table_of(runs["host"]), table_of(runs["devices"])
    np.testing.assert_allclose(devices, host, rtol=0, atol=1e-5)
    assert not np.array_equal(devices, host), "they did not train: this is the host's own result"


def test_devices_train_what_is_then_forged_clipped_blurred_and_masked(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(CACHE / "cache"))
        sealed = play(tmp_path / "sealed", {0: HostRunner(), 1: HostRunner()}, SEALED)
        again = play(tmp_path / "again", {}, SEALED, sealed)
    host = play(tmp_path / "host", {}, SEALED)
    assert read(sealed, "jobs")["measured"].all()
    assert set(read(sealed, "jobs")["outcome"].tolist()) == {Outcome.DONE}
    assert digest(again) == digest(sealed)
    assert len(values(sealed, "refused", "form")) == 0
    assert values(sealed, "transforms", "mask_groups") == [1, 1, 1]
    assert values(sealed, "valid", "hit_rate_ppm") == values(host, "valid", "hit_rate_ppm")
    sizes = [np.sort(read(run, "jobs")["up_bytes"]) for run in (sealed, host)]
    np.testing.assert_array_equal(sizes[0], sizes[1])


def test_jobs_of_devices_are_marked_as_measured_and_no_others(runs: dict[str, Path]) -> None:
    rows = read(runs["among"], "jobs")
    assert np.array_equal(rows["measured"], np.isin(rows["phone"], [0, 3, 7]))
    phones = read(runs["among"], "devices")
    assert phones["phone"][phones["measured"]].tolist() == [0, 3, 7]


@pytest.mark.parametrize(
    ("run", "recorded"),
    [
        ("replay", "devices"),
        ("again", "replay"),
        ("among again", "among"),
    ],
)
def test_a_replay_without_devices_gives_the_same_bytes(
    runs: dict[str, Path], run: str, recorded: str
) -> None:
    expected = digest(runs[recorded])
    assert any(name.startswith("measures/") for name in expected)
    assert digest(runs[run]) == expected


def test_a_replay_without_what_the_devices_sent_is_refused(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    hidden = runs["devices"] / "uploads"
    hidden.rename(tmp_path / "uploads")
    try:
        with pytest.raises(LedgerError, match="no outputs of a device"):
            play(tmp_path / "run", {}, replay=runs["devices"])
    finally:
        (tmp_path / "uploads").rename(hidden)


def test_the_measured_stands_beside_the_modelled(runs: dict[str, Path]) -> None:
    measures = read(runs["devices"], "measures")
    assert len(measures) == len(read(runs["devices"], "jobs"))
    for name in ("wall_us", "cpu_us", "peak_rss_bytes", "modelled_compute_us"):
        assert (measures[name] > 0).all(), name
    assert set(measures["energy_source"].tolist()) == {b"modelled"}


def test_a_job_lasts_as_long_as_its_device_took(runs: dict[str, Path]) -> None:
    rows, measures = read(runs["devices"], "jobs"), read(runs["devices"], "measures")
    rows, measures = rows[np.argsort(rows["job"])], measures[np.argsort(measures["job"])]
    took_us = rows["compute_end_us"] - rows["down_end_us"]
    assert np.array_equal(took_us, measures["wall_us"])


def test_a_device_that_fails_fails_that_job_alone(runs: dict[str, Path]) -> None:
    faults = jobs_of(runs["among"], 0, Kind.TRAIN)["outcome"].tolist()
    faults += jobs_of(runs["among"], 0, Kind.DELIVER)["outcome"].tolist()
    assert faults == list(FAULTS.values())
    for kind in (Kind.TRAIN, Kind.DELIVER, Kind.INFER):
        assert set(jobs_of(runs["among"], 3, kind)["outcome"].tolist()) == {Outcome.DONE}
    log = (runs["among"] / "devices.log").read_text()
    assert log.count("on phone 0: as the test wants it") == len(FAULTS)


def test_simulated_phones_do_not_notice_the_devices(runs: dict[str, Path]) -> None:
    """Their jobs in the first round, before the model differs, are the same to the microsecond."""

    def first_round(run: Path) -> Rows:
        rows = read(run, "jobs")
        mine = (rows["kind"] == Kind.TRAIN) & (rows["round"] == 0)
        rows = rows[mine & ~np.isin(rows["phone"], [0, 3, 7])]
        names = [name for name in rows.dtype.names or () if name != "job"]
        return np.sort(rows[names], order="phone")

    assert np.array_equal(first_round(runs["among"]), first_round(runs["simulated"]))


def test_wrong_numbers_are_no_training_and_no_list(runs: dict[str, Path]) -> None:
    for kind in (Kind.TRAIN, Kind.DELIVER):
        rows = jobs_of(runs["among"], 7, kind)
        assert set(rows["outcome"].tolist()) == {Outcome.FAILED_OUTPUT}, kind
        assert (rows["compute_end_us"] == -1).all()
    assert len(jobs_of(runs["among"], 7, Kind.INFER)) == 0


def test_a_device_needs_a_phone_that_exists(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"device 9: there is no phone 9; choose one of 0 to 1"):
        play(tmp_path / "run", {9: HostRunner()})


def test_a_replay_takes_no_devices(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs no devices"):
        play(tmp_path / "run", {0: HostRunner()}, replay=runs["devices"])


@pytest.mark.parametrize(
    ("rule", "protocol", "variant"),
    [
        ("fedncf", "rounds", "int8"),
        ("fcf", "rounds", "int8"),
        ("fedgcn", "rounds", "int8"),
        ("pfedrec", "rounds", "none"),
        ("mpda", "local", "none"),
    ],
)
def test_a_rule_without_a_step_for_devices_takes_none(
    tmp_path: Path, rule: str, protocol: str, variant: str
) -> None:
    settings = {
        "training.rule": rule,
        "protocol.kind": protocol,
        "delivery.variant": variant,
        "population.phones": 12,
        "data.interactions": 40,
    }
    with pytest.raises(UsageError, match=f"'{rule}': has no training step for real devices"):
        play(tmp_path / "run", {0: HostRunner()}, settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("turn", [1, 2])
def test_a_replay_that_is_killed_goes_on(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    file = tmp_path / "among.toml"
    file.write_text(ALONE)
    scenario = load(file, [f"{key}={value}" for key, value in AMONG.items()])
    out = tmp_path / "killed"
    with exported_once():
        with pytest.raises(KilledError):
            execute(scenario, out, replay=runs["among"], progress=killed_in(turn))
        resume(out, progress=lambda *_: None)
    assert digest(out) == digest(runs["among"])


WAYS: Mapping[str, Mapping[str, object]] = {
    "rounds": {},
    "exact rounds": {"play": "exact"},
    "buffered": {
        "protocol.kind": "buffered",
        "protocol.every_s": 60,
        "protocol.buffer": 4,
        "protocol.clients": 8,
    },
    "gossip": {
        "training.rule": "gossip-mf",
        "protocol.kind": "gossip",
        "protocol.mode": "push-pull",
        "delivery.variant": "none",
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_with_devices_that_is_killed_goes_on_and_has_every_job_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """What devices do is not the same twice; so the whole is held against its own replay."""
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE / "cache"))
    settings = {**AMONG, "protocol.rounds": 5, **WAYS[way]}
    file, out = tmp_path / "among.toml", tmp_path / "killed"
    file.write_text(ALONE)
    scenario = load(file, [f"{key}={value}" for key, value in settings.items()])

    def devices(*faults: Outcome) -> list[Attachment]:
        return [Attachment("a", 0, Faulty(*faults)), Attachment("b", 3, HostRunner())]

    with exported_once():
        with pytest.raises(KilledError):
            execute(scenario, out, replay=None, progress=killed_in(2), devices=devices())
        last = max(int(path.stem) for path in (out / "uploads").iterdir())
        # beyond the checkpoint, and done otherwise from now on
        with pytest.raises(UsageError, match=r"alone: a as phone 0, b as"):
            resume(out, progress=quiet)
        resume(out, progress=quiet, devices=devices(*FAULTS.values()))
        play(tmp_path / "again", {}, settings, replay=out)
    assert digest(tmp_path / "again") == digest(out)
    jobs = np.sort(read(out, "jobs")["job"])
    assert np.array_equal(jobs, np.arange(len(jobs)))
    assert len(jobs) > last
    outcomes = set(read(out, "jobs")["outcome"].tolist())
    assert {*FAULTS.values()} <= outcomes
    assert Outcome.PLANNED not in outcomes
