"""Run the benchmark rows: `python -m tests.benchmarks.bench [ROW]`, or `make bench`.

A row is a file row_NAME.py beside this one with what `Row` lists. Its measurement and its
baseline run one after the other, each in a process of its own, so that neither pays for what the
other imported or allocated; before them its `prepare`, where it has one, so that kernels are
compiled. This file imports nothing large: on Linux a child's peak memory starts from its parent's.
A row whose measurement takes turns with what it is compared with returns both from `measure`.

Without ROW a table goes to stdout; with it one JSON line:

- value, unit: what `measure` returned;
- ratio: value / what it is compared with, or null where a row has nothing;
- wall_s: the whole measuring process, start of Python and imports included;
- peak_bytes: resident memory of the largest process among it and its children.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

ROWS = Path(__file__).parent
PARTS = ("prepare", "measure", "baseline")
HEADER = ("row", "what", "value", "unit", "ratio", "to", "wall", "peak")


class Row(Protocol):
    """What a row's file holds; a larger value is better."""

    WHAT: str
    UNIT: str
    BASELINE: str
    measure: Callable[[], float | tuple[float, float]]
    baseline: Callable[[], float] | None


def rows(folder: Path) -> dict[str, Path]:
    """Return the row files of *folder* by row name."""
    found = sorted(folder.glob("row_*.py"))
    return {path.stem.removeprefix("row_").replace("_", "-"): path for path in found}


def load(path: Path) -> Row:
    """Import a row's file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast(Row, module)


def answer(path: Path, part: str, out: Path) -> None:
    """Run *part* of a row in this process and write what it gives to *out*."""
    row = load(path)
    function = getattr(row, part, None)
    result = None if function is None else function()
    value, beside = result if isinstance(result, tuple) else (result, None)
    out.write_text(json.dumps([value, beside, row.WHAT, row.UNIT, row.BASELINE], default=float))


def run_part(path: Path, part: str) -> tuple[list[Any], float, int]:
    """Run *part* in a child; return its answer, the seconds it took and its peak in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "answer.json")
        command = [sys.executable, "-m", "tests.benchmarks.bench", "--part", part]
        start = time.perf_counter()
        child = subprocess.Popen([*command, str(path), str(out)], stdout=sys.stderr)
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise SystemExit(f"bench: {part} of {path.name} failed, exit {child.returncode}")
        return json.loads(out.read_text()), wall_s, usage.ru_maxrss * 1024


def run_row(name: str, path: Path) -> dict[str, Any]:
    """Measure a row and its baseline."""
    run_part(path, "prepare")
    (value, base, what, unit, against), wall_s, peak_bytes = run_part(path, "measure")
    if base is None:
        (base, *_), _, _ = run_part(path, "baseline")
    return {
        "row": name,
        "value": value,
        "unit": unit,
        "ratio": None if base is None else value / base,
        "wall_s": round(wall_s, 3),
        "peak_bytes": peak_bytes,
        "what": what,
        "to": against,
    }


def cells(result: dict[str, Any]) -> list[str]:
    """Return a result as the texts of one table row."""
    ratio = "-" if result["ratio"] is None else f"{result['ratio']:.3g}"
    return [
        result["row"],
        result["what"],
        f"{result['value']:,.4g}" if result["value"] < 1000 else f"{result['value']:,.0f}",
        result["unit"],
        ratio,
        result["to"],
        f"{result['wall_s']:.1f} s",
        f"{result['peak_bytes'] / 2**30:.2f} GiB",
    ]


def print_table(results: list[dict[str, Any]]) -> None:
    """Print *results* with columns as wide as they need."""
    table = [list(HEADER), *(cells(result) for result in results)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADER))]
    for line in table:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))


def main() -> None:
    """Run one row, or all."""
    parser = argparse.ArgumentParser(prog="bench", description="Run the benchmark rows.")
    parser.add_argument("row", nargs="*", help="the row to run; all without it")
    parser.add_argument("--rows", type=Path, default=ROWS, help="the folder of the row files")
    parser.add_argument(
        "--part", choices=["prepare", "measure", "baseline"], help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.part:
        path, out = options.row
        answer(Path(path), options.part, Path(out))
        return
    known = rows(options.rows)
    unknown = [name for name in options.row if name not in known]
    if unknown or len(options.row) > 1:
        parser.error(f"give one row of: {', '.join(known)}; not {' '.join(options.row)!r}")
    if options.row:
        print(json.dumps(run_row(options.row[0], known[options.row[0]])))
    else:
        print_table([run_row(name, path) for name, path in known.items()])


if __name__ == "__main__":
    main()
