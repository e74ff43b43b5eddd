"""Releases in stages: bad ones stop at the first and are taken back; the ledger tells all of it."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from droidloop.models.packages.export import export
from droidloop.models.packages.exportable import Graph
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.models.packages.packing import Answer, Face, pack
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read, texts
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.load import load
from tests.scenarios.run.gates import require_gates
from tests.scenarios.run.test_resume import killed_and_resumed, quiet

GOOD, WRONG, SLOW, WORSE, LAST = 14, 28, 42, 56, 70
"""Versions, and what is planted in them."""
STAGED = [
    *("protocol.rounds=70", "protocol.every_s=1800.0", "delivery.when=every", "delivery.every=14"),
    *("delivery.deadline_s=3600.0", "delivery.run_within_s=900.0", "population.phones=150"),
    *("delivery.stages=[0.4,1.0]", "delivery.retries=2", "delivery.retry_s=600.0"),
    "delivery.planted=[{release=2,fault='wrong'},{release=3,fault='slow'},{release=4,fault='worse'}]",
    *(
        "evaluation.baselines=['popularity']",
        "delivery.variant=auto",
        "churn.lifetime_days=30.0",
    ),
]


@pytest.fixture(scope="module", autouse=True)
def quick_export() -> Iterator[None]:
    """Make the files of a version from those of the first one, with another table in them.

    Converting takes seconds and is tested where it is; a scorer of the same shape is the same file
    but for its table, which both variants hold as float32 here.
    """
    first: list[tuple[bytes, Package]] = []

    def export_like(
        graph: Graph, *, name: str, version: int, variants: Sequence[str], items: Sequence[str]
    ) -> Package:
        table = graph.constants["table"].tobytes()
        if not first:
            first.append((table, export(graph, name=name, version=version, variants=("float32",))))
        was, package = first[0]
        model = package.model("float32")
        assert model.count(was) == 1
        model = model.replace(was, table)
        golden = graph.golden_inputs(4)
        face = Face(graph.signature, graph.inputs, graph.outputs)
        answers = {one: Answer(model, LiteRT(model).run(golden)) for one in variants}
        return pack(face, name, version, golden, answers, variants)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("droidloop.models.packages.packing._ram_bytes", lambda model: 2**22)
        patch.setattr("droidloop.scenarios.delivery.releases.export", export_like)
        yield


@pytest.fixture(scope="module")
def run(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of five releases of which three are bad."""
    out = tmp_path_factory.mktemp("staged") / "run"
    execute(load(small, STAGED), out, replay=None, progress=quiet)
    return out


def reached(run: Path, version: int) -> int:
    installs = read(run, "installs")
    mine = (installs["event"] == b"switched") & (installs["version"] == version)
    return len(np.unique(installs["phone"][mine]))


def verdict(run: Path, version: int) -> list[int]:
    events = read(run, "events")
    mine = (events["kind"] == b"release") & (events["round"] == version - 1)
    found: list[int] = events[mine & (events["name"] == b"passed")]["value"].tolist()
    return found


def test_at_every_instant_each_phone_is_on_a_version_that_passed_its_gate(run: Path) -> None:
    assert require_gates(run) > 75


def test_good_releases_reach_the_phones_after_their_first_stage(run: Path) -> None:
    for version in (GOOD, LAST):
        assert verdict(run, version) == [1]
        assert reached(run, version) > 75


@pytest.mark.parametrize("version", [WRONG, SLOW, WORSE])
def test_a_bad_release_stops_at_its_first_stage(run: Path, version: int) -> None:
    assert verdict(run, version) == [0]
    assert reached(run, version) <= 60
    jobs = read(run, "jobs")
    asked = jobs["phone"][(jobs["kind"] == Kind.DELIVER) & (jobs["version"] == version)]
    assert 0 < len(np.unique(asked)) <= 60


def test_wrong_files_work_nowhere(run: Path) -> None:
    installs = read(run, "installs")
    mine = installs[(installs["version"] == WRONG) & (installs["why"] != b"")]
    assert reached(run, WRONG) == 0
    assert any(why.startswith("golden outputs: gives scores") for why in texts(mine["why"]))


@pytest.mark.parametrize(("version", "why"), [(SLOW, "latency: "), (WORSE, "quality: ")])
def test_phones_return_from_a_bad_release_and_are_told_why(
    run: Path, version: int, why: str
) -> None:
    installs = read(run, "installs")
    left = installs[(installs["event"] == b"returned") & (installs["before"] == version)]
    assert reached(run, version) == len(np.unique(left["phone"])) > 0
    assert all(text.startswith(why) for text in texts(left["why"]))
    assert set(left["version"].tolist()) <= {-1, GOOD}


def test_nobody_is_left_on_a_bad_release(run: Path) -> None:
    devices = read(run, "devices")
    assert set(devices["version"].tolist()) <= {-1, GOOD, LAST}


def test_what_differs_is_fetched_and_that_is_less(run: Path) -> None:
    """Version 42 goes to phones that have version 14."""
    events = read(run, "events")
    mine = events[(events["kind"] == b"release") & (events["round"] == SLOW - 1)]
    last = {row["name"].decode(): int(row["value"]) for row in mine}
    assert 0 < last["fetched_bytes"] < last["whole_bytes"]


def test_a_first_stage_is_other_phones_each_time(run: Path) -> None:
    jobs = read(run, "jobs")
    first = []
    for version in (WRONG, SLOW, WORSE):
        mine = jobs[(jobs["kind"] == Kind.DELIVER) & (jobs["version"] == version)]
        first.append(set(mine["phone"].tolist()))
    assert len(set.union(*first)) > len(first[0])


def test_somebody_can_hold_a_release_back(small: Path, tmp_path: Path) -> None:
    settings = [one for one in STAGED if "planted" not in one and "rounds" not in one]
    settings += ["protocol.rounds=14", "delivery.hold=[1]"]
    execute(load(small, settings), tmp_path / "run", replay=None, progress=quiet)
    assert verdict(tmp_path / "run", GOOD) == [0]
    installs = read(tmp_path / "run", "installs")
    back = installs[installs["event"] == b"returned"]
    assert set(texts(back["why"])) == {"held back by hand"}
    assert set(read(tmp_path / "run", "devices")["version"].tolist()) == {-1}


def test_a_day_takes_no_more_than_its_budget(small: Path, tmp_path: Path) -> None:
    settings = [one for one in STAGED if "planted" not in one and "rounds" not in one]
    settings += ["protocol.rounds=28", "delivery.budget_mb=0.015", "delivery.patches=false"]
    execute(load(small, settings), tmp_path / "run", replay=None, progress=quiet)
    jobs = read(tmp_path / "run", "jobs")
    jobs = jobs[jobs["kind"] == Kind.DELIVER]
    day = jobs["plan_us"] // 86_400_000_000
    for phone in np.unique(jobs["phone"]):
        for one in np.unique(day):
            mine = jobs[(jobs["phone"] == phone) & (day == one)]
            assert mine["downloaded_bytes"].sum() <= 15_000
    installs = read(tmp_path / "run", "installs")
    assert any(why.startswith("budget: ") for why in texts(np.unique(installs["why"])))


@pytest.mark.parametrize("play", ["cohort", "exact"])
def test_a_staged_release_is_resumed_as_if_nothing_had_happened(
    small: Path, tmp_path: Path, play: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    settings = [
        *(one for one in STAGED if "rounds" not in one),
        "protocol.rounds=30",
        f"play={play}",
    ]
    killed_and_resumed(small, settings, tmp_path, turn=29)


def test_both_ways_of_playing_give_one_ledger(small: Path, tmp_path: Path, run: Path) -> None:
    execute(load(small, [*STAGED, "play=exact"]), tmp_path / "exact", replay=None, progress=quiet)
    for table in ("jobs", "installs", "events"):
        assert (read(tmp_path / "exact", table) == read(run, table)).all()


def test_lost_deliveries_are_offered_again_and_go_on_where_they_were(run: Path) -> None:
    jobs = read(run, "jobs")
    mine = jobs[(jobs["kind"] == Kind.DELIVER) & (jobs["version"] == LAST)]
    again = [phone for phone in np.unique(mine["phone"]) if (mine["phone"] == phone).sum() > 1]
    assert again
    for phone in again:
        tries = mine[mine["phone"] == phone]
        tries = tries[np.argsort(tries["plan_us"])]
        assert (tries["outcome"][:-1] != Outcome.DONE).all()
        for before, after in itertools.pairwise(tries):
            assert after["down_bytes"] <= before["down_bytes"] - before["downloaded_bytes"]
