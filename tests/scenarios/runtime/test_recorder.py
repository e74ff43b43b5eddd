"""The recorder: numbers jobs, plays them, and writes a window when nothing can fall into it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simpy

from droidloop.devices.fleets.fleet import CohortFleet, EndsKnown, ExactFleet
from droidloop.devices.fleets.work import Work
from droidloop.network.wire import wire_bytes
from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import Jobs, Kind, Need, Outcome
from droidloop.platform.ledger import WINDOW_US, Ledger, read, segments
from droidloop.platform.units import MINUTE_US, SECOND_US
from droidloop.scenarios.runtime.recorder import SERVER, Recorder
from tests.contracts.worlds import steady


class _Slow(EndsKnown):
    """A fleet whose jobs end *lasts_us* after their plan."""

    def __init__(self, engine: Engine, lasts_us: int) -> None:
        self._engine = engine
        self.lasts_us = lasts_us

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        return self._engine.process(self._end(jobs, self.lasts_us))

    def _end(self, jobs: Jobs, lasts_us: int) -> Process:
        jobs.rows["start_us"] = self._engine.now_us
        jobs.rows["finish_us"] = self._engine.now_us + lasts_us
        jobs.rows["outcome"] = Outcome.DONE
        yield self._engine.until(self._engine.now_us + lasts_us)
        return jobs


def test_jobs_are_numbered_in_the_order_of_planning_and_planned_for_now(tmp_path: Path) -> None:
    engine = Engine()
    recorder = Recorder(engine, _Slow(engine, 1), Ledger(tmp_path))
    one = recorder.plan(np.array([4, 7]), Kind.TRAIN, round=3)
    engine.run(SECOND_US)
    two = recorder.plan(np.array([4]), Kind.INFER, down_bytes=5)
    assert one["job"].tolist() == [0, 1]
    assert two["job"].tolist() == [2]
    assert (one["plan_us"].tolist(), two["plan_us"].tolist()) == ([0, 0], [SECOND_US])
    assert (one["round"].tolist(), two["down_bytes"].tolist()) == ([3, 3], [5])


def test_with_overhead_jobs_move_what_their_messages_are_on_the_link(tmp_path: Path) -> None:
    engine = Engine()
    recorder = Recorder(engine, _Slow(engine, 1), Ledger(tmp_path), overhead=True)
    jobs = recorder.plan(
        np.arange(3),
        Kind.TRAIN,
        needs=[0, int(Need.DIRECT), int(Need.UNMETERED)],
        down_bytes=[1000, 1000, 0],
        up_bytes=[500, 500, 500],
    )
    down, up = wire_bytes(np.array([1000, 0]), np.array([500, 500]))
    assert jobs["down_bytes"].tolist() == [down[0], 1000, down[1]]
    assert jobs["up_bytes"].tolist() == [up[0], 500, up[1]]


def test_played_jobs_are_in_the_ledger_and_handed_back(tmp_path: Path) -> None:
    engine, ledger = Engine(), Ledger(tmp_path)
    recorder = Recorder(engine, _Slow(engine, 7), ledger)
    seen: list[Any] = []

    def protocol() -> Process:
        jobs = recorder.plan(np.arange(3), Kind.TRAIN)
        seen.append((yield recorder.play(jobs)) is jobs)
        seen.append(engine.now_us)

    engine.run(engine.process(protocol()))
    ledger.close()
    assert seen == [True, 7]
    assert read(tmp_path, "jobs")["finish_us"].tolist() == [7, 7, 7]


def test_batches_that_end_at_one_instant_do_so_in_the_order_of_planning(tmp_path: Path) -> None:
    engine = Engine()
    recorder = Recorder(engine, _Slow(engine, 7), Ledger(tmp_path))
    ended: list[int] = []

    def protocol(jobs: Jobs) -> Process:
        yield recorder.play(jobs)
        ended.append(int(jobs["job"][0]))

    one, two = (recorder.plan(np.arange(2), Kind.TRAIN) for _ in range(2))
    for jobs in (two, one):  # whose processes end in this order
        engine.process(protocol(jobs))
    engine.run(8)
    assert ended == [0, 2]


def test_a_window_waits_for_the_batches_that_began_in_it(tmp_path: Path) -> None:
    """A long batch that began before the window's end may still put rows into it."""
    engine, ledger = Engine(), Ledger(tmp_path)
    fleet = _Slow(engine, 2 * WINDOW_US)
    recorder = Recorder(engine, fleet, ledger)

    def on_disk() -> int:
        ledger.wait()
        return len(list(segments(tmp_path, "jobs")))

    def protocol() -> Process:
        long = recorder.play(recorder.plan(np.array([0]), Kind.DELIVER))
        yield engine.until(1)
        fleet.lasts_us = 10
        yield recorder.play(recorder.plan(np.array([1]), Kind.TRAIN))
        yield engine.until(WINDOW_US + 5)
        yield recorder.play(recorder.plan(np.array([2]), Kind.TRAIN))
        assert on_disk() == 0, "the long batch is under way"
        yield long
        assert on_disk() == 2, "the two windows that are over, and not the one of its own end"

    engine.run(engine.process(protocol()))
    ledger.close()
    assert read(tmp_path, "jobs")["phone"].tolist() == [1, 2, 0]


def test_what_the_server_did_is_one_row_a_value(tmp_path: Path) -> None:
    engine, ledger = Engine(), Ledger(tmp_path)
    recorder = Recorder(engine, _Slow(engine, 1), ledger)
    engine.run(5 * MINUTE_US)
    recorder.event("round", 4, selected=17, done=12)
    ledger.close()
    rows = read(tmp_path, "events")
    assert rows[["name", "value"]].tolist() == [(b"done", 12), (b"selected", 17)]
    assert set(rows["t_us"].tolist()) == {5 * MINUTE_US}
    assert set(rows[["kind", "phone", "round"]].tolist()) == {(b"round", SERVER, 4)}


@pytest.mark.parametrize("table", ["jobs", "events"])
def test_cohort_and_exact_play_leave_the_same_files(tmp_path: Path, table: str) -> None:
    """Overlapping batches over a day, windows cut while others are under way."""
    files = []
    for fleet in (CohortFleet, ExactFleet):
        folder = tmp_path / fleet.__name__
        engine, population = Engine(), steady("lte", phones=20, mbps=0.1)
        ledger = Ledger(folder)
        recorder = Recorder(engine, fleet(engine, population), ledger)

        def protocol(number: int, recorder: Recorder = recorder) -> Process:
            engine = recorder.engine
            for turn in range(6):
                yield engine.until(turn * WINDOW_US // 3 + number * MINUTE_US)
                phones = np.arange(number, 20, 3)
                size = 50_000_000 * (number + 1)
                jobs = recorder.plan(
                    phones,
                    Kind.TRAIN,
                    round=turn,
                    down_bytes=size,
                    deadline_us=engine.now_us + 2 * WINDOW_US,
                )
                yield recorder.play(jobs)
                recorder.event("turn", turn, done=int(jobs.done.sum()))

        processes: list[simpy.Event] = [engine.process(protocol(number)) for number in range(3)]
        engine.run(engine.all_of(processes))
        ledger.close()
        files.append({path.name: path.read_bytes() for path in segments(folder, table)})
    assert files[0] == files[1]
    assert len(files[0]) >= 4
