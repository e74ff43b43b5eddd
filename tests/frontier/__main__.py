"""Which table for how many bytes: `python -m tests.frontier [ROW]`, or `make frontier`.

Each row fits its table to three budgets with three seeds and prints a JSON line a budget: what
ships (bytes), memory, latency and energy of a list through LiteRT, seconds of fitting, NDCG@10 over
all items with its 95 % interval over users and seeds, and by how much that exceeds dense vectors of
the same budget. Without ROW all rows run, as many at once as there are processors; what they ship
is measured when all are fitted, so that nothing else runs then. Lines go to runs/frontier.jsonl and
a table to stdout.

    python -m tests.frontier --tune ROW     tries the row's settings on validation, seed 11
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray
from tests.frontier.answers import answers
from tests.frontier.measuring import measure_again
from tests.frontier.row import (
    DATA,
    SEEDS,
    SHARES,
    TIES,
    TUNING_SEED,
    TUNING_SHARE,
    Fitted,
    OutOfReachError,
    Row,
    Setting,
    Work,
    budgets,
    data,
)
from tests.frontier.rows import ROWS
from tests.reference.interval import pooled
from tests.reference.small_tables import ndcg, tie_breaks

OUT = Path("runs", "frontier.jsonl")
DENSE = "dense"


def commit() -> str:
    """Return which state of the sources is measured."""
    words = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()


def judged(fitted: Fitted, seed: int, part: str = "test") -> FloatArray:
    """Return NDCG@10 of each user over all items."""
    from droidloop.models.tables.float_rows import every_vector

    ties = TIES * tie_breaks(fitted.table.n, seed)

    def by_user(table: Any, params: Any) -> FloatArray:
        return ndcg(data(), params["user"].numpy(), every_vector(table, params), part, ties)

    values = by_user(fitted.table, fitted.params)
    for one in fitted.parts:
        values[one.users] = by_user(one.table, one.params)[one.users]
    return values


def fit(row: Row, share: int, seed: int, setting: Setting | None = None) -> tuple[Fitted, float]:
    """Return what ships of *row* and the processor seconds that fitting took."""
    budget = budgets(data().n_items)[f"1/{share}"]
    begin = time.process_time()
    fitted = row.fit(Work(data(), budget, setting or row.setting, seed))
    took = time.process_time() - begin
    most = max(table.nbytes for table in (fitted.table, *(one.table for one in fitted.parts)))
    if most > budget:
        raise ValueError(f"{most} bytes where {budget} are the most")
    return fitted, took


def lines_of(name: str, *, measure: bool = True) -> Iterator[dict[str, Any]]:
    """Yield the line of each budget of row *name*; what it takes is in it if *measure*."""
    from tests.frontier.measuring import exported, measured

    for share in SHARES:
        about: dict[str, Any] = {
            "commit": commit(),
            "name": name,
            "data": DATA,
            "budget": f"1/{share}",
        }
        about["budget_bytes"] = budgets(data().n_items)[f"1/{share}"]
        try:
            fits = [fit(ROWS[name], share, seed) for seed in SEEDS]
        except OutOfReachError as error:
            yield {**about, "out_of_reach": str(error)}
            continue
        values = [judged(fitted, seed) for (fitted, _), seed in zip(fits, SEEDS, strict=True)]
        dense = values if name == DENSE else [_dense(share, seed) for seed in SEEDS]
        mean, *interval = pooled([one.tolist() for one in values])
        over = pooled([(a - b).tolist() for a, b in zip(values, dense, strict=True)])
        table, path = fits[0][0].table, exported(fits[0][0], name, share)
        yield {
            **about,
            "bytes": table.nbytes,
            **(measured(path) if measure else {}),
            **answers(fits[0][0], np.bincount(data().train.items, minlength=data().n_items)),
            "fit_s": round(float(np.mean([took for _, took in fits])), 1),
            "metric": "NDCG@10 of all items",
            "value": mean,
            "interval": interval,
            "over_dense": over[0],
            "over_dense_interval": over[1:],
            "seeds": list(SEEDS),
        }


def _dense(share: int, seed: int) -> FloatArray:
    """Return what dense vectors of the same budget give."""
    return judged(fit(ROWS[DENSE], share, seed)[0], seed)


def tune(name: str) -> None:
    """Print what each setting gives on validation, and the best."""
    row, found = ROWS[name], {}
    for setting in row.tried:
        fitted, took = fit(row, TUNING_SHARE, TUNING_SEED, setting)
        found[setting] = float(judged(fitted, TUNING_SEED, "valid").mean())
        told = {"valid": found[setting], "fit_s": round(took, 1)}
        print(json.dumps({"name": name, **setting.__dict__, **told}), flush=True)
    best = max(found, key=lambda one: found[one])
    print(json.dumps({"name": name, "best": best.__dict__, "valid": found[best]}), flush=True)


def run_all(names: Sequence[str]) -> list[dict[str, Any]]:
    """Run each row in a process of its own on a processor of its own; keep lines as they come."""
    free: Queue[int] = Queue()
    for processor in os.sched_getaffinity(0):
        free.put(processor)

    def run(name: str) -> list[dict[str, Any]]:
        processor = free.get()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tests.frontier", name, "--processor", str(processor)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
            return [json.loads(line) for line in done.stdout.splitlines()]
        finally:
            free.put(processor)

    OUT.parent.mkdir(exist_ok=True)
    lines: dict[str, list[dict[str, Any]]] = {}
    with ThreadPoolExecutor(free.qsize()) as pool, OUT.open("w") as out:
        jobs = {pool.submit(run, name): name for name in names}
        for job in as_completed(jobs):
            lines[jobs[job]] = job.result()
            out.writelines(f"{json.dumps(line)}\n" for line in job.result())
            out.flush()
    OUT.write_text("".join(f"{json.dumps(one)}\n" for name in names for one in lines[name]))
    return measure_again(OUT)


def show(lines: Sequence[dict[str, Any]]) -> None:
    """Print *lines* as a table."""
    print(
        f"{'table':22} {'budget':>6} {'bytes':>8} {'RAM':>9} {'ms':>7} {'NDCG@10':>8}  over dense"
    )
    for line in lines:
        begin = f"{line['name']:22} {line['budget']:>6}"
        if "out_of_reach" in line:
            print(f"{begin} out of reach: {line['out_of_reach']}")
            continue
        low, high = line["over_dense_interval"]
        print(
            f"{begin} {line['bytes']:8} {line['peak_ram_bytes']:9} {1e3 * line['latency_s']:7.3f} "
            f"{line['value']:8.4f}  {line['over_dense']:+.4f} [{low:+.4f}, {high:+.4f}]"
        )


def main() -> None:
    """Run one row, or all."""
    parser = argparse.ArgumentParser(prog="frontier", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("row", nargs="?", choices=sorted(ROWS), help="all without it")
    parser.add_argument("--tune", action="store_true", help="try the settings of a row")
    parser.add_argument("--processor", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.processor is not None:
        os.sched_setaffinity(0, {options.processor})
    if options.tune:
        if options.row is None:
            parser.error("--tune ROW: name the row")
        tune(options.row)
    elif options.row is None:
        show(run_all(list(ROWS)))
    else:
        for line in lines_of(options.row, measure=options.processor is None):
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
