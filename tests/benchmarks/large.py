"""What large data take: seconds and peak memory of one part after the other, as a table.

    python -m tests.benchmarks.large

A million phones; a million users with twenty events each, made and put in rows by user; the same
number of events from a Parquet file, a batch at a time; an embedding table of a million items,
drawn, packed, and trained in rounds of federated matrix factorisation. Each part has a process of
its own, whose memory counts from its start, imports included; that of writing the file does not.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MILLION = 1_000_000
PER_USER = 20
ITEMS = 100_000
DIM = 32
CLIENTS = 10_000

Part = Callable[[int, Path], str]
"""Does its work for so many phones, users or items; says what that was."""


def population(count: int, file: Path) -> str:
    """Make phones."""
    from droidloop.devices.population.population import PopulationSpec, build
    from droidloop.platform.draws import Draws

    made = build(PopulationSpec(count), Draws(1, "population"))
    return f"a population of {len(made):,} phones"


def interactions(count: int, file: Path) -> str:
    """Draw events and put them in rows by user."""
    from droidloop.models.data.interactions import by_user
    from droidloop.models.data.synthetic import generate
    from droidloop.platform.draws import Draws

    data = by_user(generate(count, ITEMS, PER_USER, Draws(1, "large")))
    return f"{len(data.items):,} synthetic events of {count:,} users, by user"


def written(count: int, file: Path) -> str:
    """Write events in no order, with ratings and times, to *file*."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    chance = np.random.Generator(np.random.PCG64(1))
    events = count * PER_USER
    columns = {
        "user": chance.integers(count, size=events),
        "item": chance.integers(ITEMS, size=events),
        "rating": chance.integers(1, 6, events).astype(np.float64),
        "time": chance.integers(1_700_000_000, 1_715_000_000, events),
    }
    pq.write_table(pa.table(columns), file, row_group_size=1 << 20)
    return f"{events:,} events written"


def parquet(count: int, file: Path) -> str:
    """Read what `written` wrote."""
    from droidloop.models.data.readers import Columns
    from droidloop.models.data.streaming import stream

    data = stream(file, Columns("user", "item", "rating", "time")).data
    held = sum(len(values) * 8 for values in (data.items, data.times_s, data.ratings))
    return (
        f"{len(data.items):,} events of a Parquet file of {file.stat().st_size >> 20} MiB, "
        f"by user ({held >> 20} MiB)"
    )


def table(count: int, file: Path) -> str:
    """Draw an embedding table and pack it."""
    from droidloop.models.tables.dense import DenseTable
    from droidloop.platform.draws import Draws

    made = DenseTable(count, DIM)
    packed = made.pack(made.init(Draws(1, "table")))
    return f"a table of {count:,} x {DIM} drawn and packed ({len(packed) >> 20} MiB)"


def training(count: int, file: Path) -> str:
    """Train on so many items."""
    from .row_train_million import rounds_of

    rate = rounds_of(CLIENTS, count, CLIENTS, 3)
    return f"FedMF on {count:,} items, 4 rounds of {CLIENTS:,} ({rate:,.0f} updates/s)"


PARTS: dict[str, Part] = {
    part.__name__: part for part in (population, interactions, written, parquet, table, training)
}


def one(name: str, count: int, file: Path) -> list[object]:
    """Do a part in this process: what it was, wall seconds, peak bytes."""
    import resource

    part = PARTS[name]
    part(1000, file.with_suffix(".small"))  # compiles or loads its kernels
    start = time.perf_counter()
    what = part(count, file)
    wall_s = time.perf_counter() - start
    return [what, wall_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024]


def main() -> None:
    """Print the table, or do one part for the process that asks."""
    parser = argparse.ArgumentParser(prog="large", description="What large data take.")
    parser.add_argument("--count", type=int, default=MILLION, help="of phones, users and items")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, file = options.one
        print(json.dumps(one(name, options.count, Path(file))))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name in PARTS:
            command = [sys.executable, "-m", "tests.benchmarks.large"]
            command += ["--count", str(options.count), "--one", name, f"{folder}/events.parquet"]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            what, wall_s, peak_bytes = json.loads(done.stdout)
            if name != "written":
                print(f"{wall_s:7.2f} s  {peak_bytes / 2**30:5.2f} GiB  {what}", flush=True)


if __name__ == "__main__":
    main()
