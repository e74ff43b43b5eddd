"""Reproduce published figures: `python -m tests.reference [ROW]`, or `make reference`.

Without ROW all rows run and a table goes to stdout; each figure is also a JSON line of
runs/reference.jsonl as soon as its seeds are done. With ROW (the name of a figure, or that of a
file for all its figures) the JSON lines go to stdout. ``row.py`` tells what a row is.

- value: the mean over ``seeds`` of ``values``; interval: null, or the ends of its 95 % interval
  over users and seeds;
- bar: null, what the low end of the interval (or the mean, without one) must reach, or the least
  and the largest mean; verdict: what that shows; expected: whether the row says so itself;
- wall_s: processor seconds of all seeds of the file, which its figures share.

Exit code 1: a verdict is not what its row says.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray
from tests.reference.row import ROWS, files_of, load, result_of, row_files, seeds_of

HEADER = ("row", "data", "protocol", "metric", "value", "95 %", "bar", "seeds", "wall", "verdict")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ALL_ROWS = Path("runs", "reference.jsonl")

Value = float | list[float]


def answer(path: Path, seed: int, out: Path) -> None:
    """Run one seed of a row in this process and write what it gives to *out*."""
    row = load(path)
    values = {name: _plain(value) for name, value in row.measure(seed).items()}
    if values.keys() != row.LINES.keys():
        raise SystemExit(f"{path.name}: values of {sorted(values)} for {sorted(row.LINES)}")
    out.write_text(json.dumps(values))


def _plain(value: float | Sequence[float] | FloatArray) -> float | list[float]:
    plain: float | list[float] = np.asarray(value, np.float64).tolist()
    return plain


def run_seed(path: Path, seed: int, free: Queue[int]) -> tuple[dict[str, Value], float]:
    """Run one seed of a row in a child; return its values and the seconds it took.

    The child gets a processor of its own out of *free*: so it starts one thread for everything.
    """
    processor = free.get()
    try:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "answer.json")
            command = [sys.executable, "-m", "tests.reference", "--seed", str(seed)]
            start = time.perf_counter()
            done = subprocess.run(
                [*command, "--processor", str(processor), str(path), str(out)],
                stdout=sys.stderr,
                env={**os.environ, **dict.fromkeys(ONE_THREAD, "1")},
            )
            if done.returncode != 0:
                raise SystemExit(f"reference: {path.name}, seed {seed}: exit {done.returncode}")
            return json.loads(out.read_text()), time.perf_counter() - start
    finally:
        free.put(processor)


def run_rows(paths: dict[str, Path]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Run all seeds of the files, as many at once as there are processors; yield results.

    A file's results come when its last seed is done: its name and one result a line.
    """
    rows = {name: load(path) for name, path in paths.items()}
    done: dict[str, dict[int, tuple[dict[str, Value], float]]] = {name: {} for name in rows}
    free: Queue[int] = Queue()
    for processor in os.sched_getaffinity(0):
        free.put(processor)
    with ThreadPoolExecutor(free.qsize()) as pool:
        jobs = {
            pool.submit(run_seed, paths[name], seed, free): (name, seed)
            for name, row in rows.items()
            for seed in seeds_of(row)
        }
        try:
            for job in as_completed(jobs):
                name, seed = jobs[job]
                done[name][seed] = job.result()
                print(f"{name}, seed {seed}: {done[name][seed][1]:.0f} s", file=sys.stderr)
                row, seeds = rows[name], seeds_of(rows[name])
                if len(done[name]) == len(seeds):
                    wall_s = sum(wall for _, wall in done[name].values())
                    yield (
                        name,
                        [
                            result_of(
                                *(line, row, [done[name][seed][0][line] for seed in seeds]),
                                *(seeds, wall_s),
                            )
                            for line in row.LINES
                        ],
                    )
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def cells(result: dict[str, Any]) -> list[str]:
    """Return a result as the texts of one table row."""
    bar = result["bar"]
    if isinstance(bar, list):
        shown = "..".join(f"{end:.4f}" for end in bar)
    else:
        shown = "-" if bar is None else f">= {bar:.4g}"
    interval = result["interval"]
    return [
        *(result[key] for key in ("name", "data", "protocol", "metric")),
        f"{result['value']:.4f}",
        "" if interval is None else f"{interval[0]:.4f}..{interval[1]:.4f}",
        shown,
        str(len(result["seeds"])),
        f"{result['wall_s']:.0f} s",
        (result["verdict"] or "") + (" (UNEXPECTED)" if result["expected"] is False else ""),
    ]


def print_table(results: list[dict[str, Any]]) -> None:
    """Print *results* with columns as wide as they need."""
    table = [list(HEADER), *(cells(result) for result in results)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADER))]
    for line in table:
        shown = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        print("  ".join(shown).rstrip())


def run_one(wanted: str, files: dict[str, Path]) -> list[dict[str, Any]]:
    """Run the row *wanted*; print its JSON lines and return them."""
    [(name, lines)] = files_of(wanted, files)
    [(_, results)] = run_rows({name: files[name]})
    results = [result for result in results if result["name"] in lines]
    for result in results:
        print(json.dumps(result))
    return results


def run_all(files: dict[str, Path]) -> list[dict[str, Any]]:
    """Run every row; write JSON lines as they come, print the table at the end."""
    ALL_ROWS.parent.mkdir(exist_ok=True)
    by_file: dict[str, list[dict[str, Any]]] = {}
    with ALL_ROWS.open("w") as out:
        for name, results in run_rows(files):
            by_file[name] = results
            out.writelines(f"{json.dumps(result)}\n" for result in results)
            out.flush()
    results = [result for name in files for result in by_file[name]]
    print_table(results)
    return results


def main() -> None:
    """Run one row, or all."""
    parser = argparse.ArgumentParser(prog="reference", description="Reproduce published figures.")
    parser.add_argument("row", nargs="*", help="the row to run; all without it")
    parser.add_argument("--rows", type=Path, default=ROWS, help="the folder of the row files")
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--processor", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.seed is not None:
        os.sched_setaffinity(0, {options.processor})
        path, out = options.row
        answer(Path(path), options.seed, Path(out))
        return
    files = row_files(options.rows)
    known = {line: name for name, path in files.items() for line in load(path).LINES}
    wrong = [name for name in options.row if name not in known.keys() | files.keys()]
    if wrong or len(options.row) > 1:
        names = ", ".join(sorted(known.keys() | files.keys()))
        parser.error(f"give one row of: {names}; not {' '.join(options.row)!r}")
    results = run_one(options.row[0], files) if options.row else run_all(files)
    sys.exit(1 if any(result["expected"] is False for result in results) else 0)


if __name__ == "__main__":
    main()
