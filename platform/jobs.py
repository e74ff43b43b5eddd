"""Jobs: what a cohort of phones is to do and what came of it, one row a job.

One table of columns is plan, outcome and ledger schema at once. The plan columns are written by a
protocol, the others by the fleet that plays the jobs (simulated, Android or replay).
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Any, Self

import numpy as np

from .arrays import BoolArray, IntArray
from .columns import Column, dtype_of
from .state import kept_value
from .units import NEVER_US

JobArray = np.ndarray[Any, np.dtype[np.void]]


class Kind(IntEnum):
    """What a job is for. Codes are part of the ledger's schema: never renumber."""

    TRAIN = 1
    DELIVER = 2
    INFER = 3
    EXCHANGE = 4
    TUNE = 5
    FIT = 6  # of what is private, to a model that was given
    RETURN = 7  # to the version before
    UNLEARN = 8  # a turn that is played because somebody asked to be forgotten


LEARNING = frozenset({Kind.TRAIN, Kind.EXCHANGE, Kind.TUNE})
"""The kinds whose computation changes what is learned: a replay needs its outputs."""


class Need(IntFlag):
    """What must hold for a job to start on a phone."""

    IDLE = 1
    CHARGING = 2
    UNMETERED = 4
    DIRECT = 8  # moves its bytes between two phones that have met, not over the network


class Outcome(IntEnum):
    """How a job ended and why, in one word. Codes are part of the ledger's schema."""

    PLANNED = 0
    DONE = 1
    LATE = 2
    CUT_OFF = 3  # ended, but enough others had answered before
    REFUSED_RAM = 10
    REFUSED_STORAGE = 11
    REFUSED_BATTERY = 12
    REFUSED_POLICY = 13
    REFUSED_RUNTIME = 14
    LOST_COVERAGE = 20
    LOST_LEFT = 21
    LOST_DEAD = 22
    LOST_KILLED = 23
    INTERRUPTED_UNPLUGGED = 24
    INTERRUPTED_IN_USE = 25
    INTERRUPTED_WIFI = 26
    FAILED_LINK = 30
    FAILED_OFFLINE = 31
    FAILED_TIMEOUT = 32
    FAILED_STORAGE = 33
    FAILED_MEMORY = 34
    FAILED_RUNNER = 35
    FAILED_OUTPUT = 36

    @property
    def refused(self) -> bool:
        """Whether the phone turned the job down before it began."""
        return Outcome.REFUSED_RAM <= self <= Outcome.REFUSED_RUNTIME

    @property
    def lost(self) -> bool:
        """Whether the job began, or waited, and the phone never came to its end."""
        return Outcome.LOST_COVERAGE <= self <= Outcome.INTERRUPTED_WIFI

    @property
    def failed(self) -> bool:
        """Whether a real device failed at the job."""
        return self >= Outcome.FAILED_LINK


ENERGY_PARTS = ("promotion_uj", "radio_uj", "tail_uj", "cpu_uj", "own_uj")
"""The columns that sum to a job's ``energy_uj``."""

JOB_COLUMNS = (
    # the plan
    Column("job", np.int64, "its number in the run, in the order of planning"),
    Column("round", np.int32, "the round or turn that it belongs to"),
    Column("phone", np.int32, "who does it"),
    Column("kind", np.int8, "what it is for: see Kind in platform/jobs.py"),
    Column("needs", np.int8, "what must hold for it to start: see Need"),
    Column("version", np.int32, "of the model that is delivered, run or trained from"),
    Column("plan_us", np.int64, "when it was planned"),
    Column("deadline_us", np.int64, "when it is given up"),
    Column("down_bytes", np.int64, "to fetch"),
    Column("up_bytes", np.int64, "to send"),
    Column("flops", np.int64, "of the computation"),
    Column("moved_bytes", np.int64, "memory traffic of the computation"),
    Column("operators", np.int64, "that a runtime dispatches, one after the other", since=2),
    Column("load_bytes", np.int64, "read from storage before it; -1: it needs no process"),
    Column("ram_bytes", np.int64, "that it needs"),
    Column("storage_bytes", np.int64, "that it needs"),
    Column("runtime", np.int32, "lowest runtime version that can do it"),
    # what came of it
    Column("outcome", np.int8, "how it ended: see Outcome"),
    Column("measured", np.bool_, "by a real device, or modelled"),
    Column("start_us", np.int64, "when it began; -1 here and below: it did not get that far"),
    Column("down_end_us", np.int64, "when all was fetched"),
    Column("compute_end_us", np.int64, "when it was computed"),
    Column("finish_us", np.int64, "when it ended"),
    Column("downloaded_bytes", np.int64, "that really moved"),
    Column("uploaded_bytes", np.int64, "that really moved"),
    Column("promotion_uj", np.int64, "waking the radio"),
    Column("radio_uj", np.int64, "the transfers"),
    Column("tail_uj", np.int64, "since the last job: a tail ends with the next transfer"),
    Column("cpu_uj", np.int64, "the computation"),
    Column("own_uj", np.int64, "the phone's own life from start to finish"),
    Column("energy_uj", np.int64, "the five above together"),
    Column("accepted_uj", np.int64, "from the charger, from start to finish"),
    # the phone afterwards, so that a recorded job can stand in for a played one; -1 where the
    # job was given up while its phone was busy with another
    Column("battery_uj", np.int64, "what the phone had left"),
    Column("cell_end_us", np.int64, "when its cellular radio last moved something"),
    Column("wifi_end_us", np.int64, "when its WiFi last moved something"),
)
JOB_DTYPE = dtype_of(JOB_COLUMNS)


@kept_value
@dataclass(frozen=True)
class Jobs:
    """A batch of jobs as one structured array of ``JOB_DTYPE``, in the order of planning."""

    rows: JobArray

    @classmethod
    def plan(
        cls, phones: IntArray, *, kind: Kind, plan_us: int, first: int, **columns: Any
    ) -> Self:
        """Return jobs for *phones*, numbered from *first*; other plan columns by name.

        Columns that are not given are 0, except ``deadline_us`` (never).
        """
        rows = np.zeros(len(phones), JOB_DTYPE)
        rows["job"] = np.arange(first, first + len(phones))
        rows["phone"] = phones
        rows["kind"] = kind
        rows["plan_us"] = plan_us
        rows["deadline_us"] = NEVER_US
        for name in ("start_us", "down_end_us", "compute_end_us", "finish_us"):
            rows[name] = -1
        for name, value in columns.items():
            rows[name] = value
        return cls(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, column: str) -> Any:
        return self.rows[column]

    def take(self, index: Any) -> "Jobs":
        """Return a copy of the rows at *index* (numbers or a mask)."""
        return Jobs(self.rows[index])

    @property
    def done(self) -> BoolArray:
        """A mask of the jobs that came to their end in time."""
        return np.asarray(self.rows["outcome"] == Outcome.DONE)
