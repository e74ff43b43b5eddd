"""What a reference row is: figures that a public source states, and how they are measured here.

Rows are files ``row_NAME.py`` in this folder, picked up by their name. A file holds:

- ``DATA``: the data set, as it is printed;
- ``LINES``: a ``Line`` for each figure by its name; a name occurs in one file alone;
- ``measure(seed)``: one run; returns for each name in ``LINES`` a value, or one for each user (NaN:
  not asked), of which the mean is printed with its 95 % interval over users and seeds;
- ``SEEDS``, optional: the seeds whose mean is compared, ``(1, 2, 3)`` without it.

Each (file, seed) runs in a process of its own with one thread, as many at a time as there are
processors, so the import of a row's file must be cheap: import torch and the like inside
``measure``. A row that trains anyway for its first figure states the others (own table and global
table, sampled and full ranking) as further lines without a bar. A claim is a line with a bar; what
is compared with a bar from below is the low end of the interval, where there is one. A claim that
does not hold says why in ``because``, and is then expected to miss its bar. For example::

    from tests.reference.row import Line, Values, within

    DATA = "ml-100k"
    LINES = {
        "fedmf-ml-100k": Line("pfedrec", "HR@10", within(0.03, 0.6515), "reproduced"),
        "fedmf-ml-100k-full": Line("pfedrec, all items", "HR@10"),
    }

    def measure(seed: int) -> Values:
        ...
        return {"fedmf-ml-100k": sampled, "fedmf-ml-100k-full": full}

Of ``movielens.py`` are the splits, of ``federated.py`` the rounds with the best validation kept, of
``beside.py`` the simple baselines.
"""

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Protocol, cast

from droidloop.platform.arrays import FloatArray

from .interval import pooled

ROWS = Path(__file__).parent
USUAL_SEEDS = (1, 2, 3)

Values = Mapping[str, float | Sequence[float] | FloatArray]
"""What a row measures, by line: a figure, or one for each user."""

FAILS = {"works here": "does not work here", "reproduced": "not reproduced"}
"""What a claim turns into if it does not hold."""


@dataclass(frozen=True)
class Bar:
    """What the mean over the seeds must reach, both ends included; None: no bound."""

    low: float
    high: float | None = None

    def reached(self, value: float) -> bool:
        """Tell whether *value* lies within the bar; NaN does not."""
        return value >= self.low and (self.high is None or value <= self.high)

    def as_json(self) -> float | list[float]:
        """Return the least value, or the least and the largest."""
        return self.low if self.high is None else [self.low, self.high]

    def __str__(self) -> str:
        return f">= {self.low:.4g}" if self.high is None else f"{self.low:.4g}..{self.high:.4g}"


def at_least(low: float) -> Bar:
    """Return the bar for a mean that must not be smaller than *low*."""
    return Bar(low)


def within(share: float, of: float) -> Bar:
    """Return the bar for a mean that may differ from *of* by the *share* of it, either way."""
    return Bar(of * (1 - share), of * (1 + share))


@dataclass(frozen=True)
class Line:
    """A figure: the protocol it holds under, the metric, and what it shows.

    Attributes:
        bar: None: it is printed for comparison.
        claim: what it shows if the bar is reached.
        because: why it is not; empty: it is.
    """

    protocol: str
    metric: str
    bar: Bar | None = None
    claim: Literal["reproduced", "works here"] = "works here"
    because: str = ""

    def verdict(self, reached: bool) -> str:
        """Return what the row has shown."""
        if reached:
            return self.claim
        fails = FAILS[self.claim]
        return f"{fails}, because {self.because}" if self.because else fails


class Row(Protocol):
    """What a row's file holds; ``SEEDS`` may be absent."""

    DATA: str
    LINES: dict[str, Line]
    measure: Callable[[int], Values]


def row_files(folder: Path) -> dict[str, Path]:
    """Return the row files of *folder* by their name, ``row_fedmf_ml_1m.py`` as fedmf-ml-1m."""
    found = sorted(folder.glob("row_*.py"))
    return {path.stem.removeprefix("row_").replace("_", "-"): path for path in found}


@cache
def load(path: Path) -> Row:
    """Import a row's file, once."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast(Row, module)


def seeds_of(row: Row) -> tuple[int, ...]:
    """Return the seeds of a row."""
    return cast(tuple[int, ...], getattr(row, "SEEDS", USUAL_SEEDS))


def result_of(
    name: str,
    row: Row,
    values: Sequence[float | Sequence[float]],
    seeds: tuple[int, ...],
    wall_s: float,
) -> dict[str, object]:
    """Return what is printed of a line: *values* by seed, their mean, and what that shows.

    ``expected`` tells whether the row says so itself; without a bar there is nothing to say.
    """
    line, interval = row.LINES[name], None
    if any(isinstance(value, Sequence) for value in values):
        by_seed = cast(Sequence[Sequence[float]], values)
        means = [pooled([one])[0] for one in by_seed]
        mean, *interval = pooled(by_seed)
    else:
        means = [float(value) for value in cast(Sequence[float], values)]
        mean = sum(means) / len(means)
    result: dict[str, object] = {
        "name": name,
        "data": row.DATA,
        "protocol": line.protocol,
        "metric": line.metric,
        "value": mean,
        "interval": interval,
        "bar": None if line.bar is None else line.bar.as_json(),
        "verdict": None,
        "expected": None,
        "seeds": list(seeds),
        "values": means,
        "wall_s": round(wall_s, 1),
    }
    if line.bar is not None:
        reached = line.bar.reached(interval[0] if interval and line.bar.high is None else mean)
        result |= {"verdict": line.verdict(reached), "expected": reached == (not line.because)}
    return result


def files_of(wanted: str, files: dict[str, Path]) -> Iterator[tuple[str, set[str]]]:
    """Yield the files that hold the row *wanted*, and which of their lines it means.

    The name of a file means all its lines, that of one of them included.
    """
    for name, path in files.items():
        lines = set(load(path).LINES)
        if name == wanted:
            yield name, lines
        elif wanted in lines and wanted not in files:
            yield name, {wanted}
