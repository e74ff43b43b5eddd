"""What devices took for a model: a table, JSON, CSV and a picture."""

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from droidloop.devices.android.probing.bench import Bench
from droidloop.devices.android.probing.condition import Condition
from droidloop.platform.errors import UsageError

from .canvas import blank, save

_ROWS = (
    *("device", "runtime", "runs", "threads", "cores", "init_ms", "first_ms", "p5_ms", "p50_ms"),
    *("p95_ms", "p99_ms", "peak_rss_mib", "cpu_ms", "before_celsius", "during_celsius"),
    *("after_celsius", "throttled", "drain_uah", "drain_shell_mah", "host_equal"),
    *("host_difference", "delegate"),
)
SLOWEST = 10


def as_json(one: Bench) -> dict[str, Any]:
    """Return *one* as plain numbers, with a reason under ``unknown`` for each that is None."""
    seen = [one.before, *one.during, one.after]
    throttled = [state.throttled for state in seen if state.throttled is not None]
    facts = {
        "serial": one.serial,
        "device": one.device,
        "runtime": one.runtime,
        "runs": one.runs,
        "warmup": one.warmup,
        "threads": one.threads,
        "cores": list(one.cores) or "all",
        "init_ms": one.init_us / 1e3,
        "first_ms": _ms(one.first_us),
        **{f"p{q}_ms": _ms(value) for q, value in one.percentiles_us.items()},
        "peak_rss_mib": one.peak_rss_bytes / 2**20,
        "cpu_ms": one.cpu_us / 1e3,
        "before_celsius": one.before.celsius,
        "during_celsius": _hottest(one.during),
        "after_celsius": one.after.celsius,
        "throttled": any(throttled) if throttled else None,
        "drain_uah": one.drain_uah,
        "drain_shell_mah": one.drain_shell_mah,
        "host_equal": one.host_equal,
        "host_difference": one.host_difference,
        "delegate": one.delegate,
        "operators": None if one.operators is None else [asdict(op) for op in one.operators],
        "invoke_us": None if one.invoke_us is None else one.invoke_us.tolist(),
    }
    facts["unknown"] = {name: _reason(one, name) for name, value in facts.items() if value is None}
    return facts


def _reason(one: Bench, name: str) -> str:
    """Return why the field *name* is not known."""
    known = one.unknown
    part = name.partition("_")
    if name == "during_celsius" and "celsius" not in known:
        return known["during"]
    return known.get(name) or known.get(part[2]) or known.get(f"{part[0]}_us") or known["invoke_us"]


def _ms(value_us: float | None) -> float | None:
    return None if value_us is None else value_us / 1e3


def _hottest(seen: tuple[Condition, ...]) -> float | None:
    return max((one.celsius for one in seen if one.celsius is not None), default=None)


def show(model: str, rows: list[Bench], console: Console) -> None:
    """Print a column for each device, and below them why something is not known."""
    told = [as_json(one) for one in rows]
    table = Table(title=f"{model}: {rows[0].runs} inferences after {rows[0].warmup}")
    table.add_column("")
    for one in rows:
        table.add_column(one.serial, justify="right")
    for name in _ROWS:
        table.add_row(name, *(_shown(facts[name]) for facts in told))
    console.print(table)
    for one in rows:
        if one.operators is not None:
            _show_operators(one, console)
    reasons: dict[str, list[str]] = {}
    for facts in told:
        for name, reason in facts["unknown"].items():
            names = reasons.setdefault(reason, [])
            if name not in names:
                names.append(name)
    for reason, names in reasons.items():
        console.print(f"{', '.join(names)}: {reason}", highlight=False, markup=False)


def _show_operators(one: Bench, console: Console) -> None:
    """Print the operators that took most of an inference on a device."""
    assert one.operators is not None
    slowest = sorted(one.operators, key=lambda op: -op.percent)[:SLOWEST]
    title = f"{one.serial}: {len(slowest)} of {len(one.operators)} operators, the slowest"
    table = Table("operator", title=title)
    for head in ("ms", "%", "calls"):
        table.add_column(head, justify="right")
    table.add_column("output")
    for op in slowest:
        numbers = (f"{op.average_us / 1e3:.3f}", f"{op.percent:.1f}", str(op.calls))
        table.add_row(Text(op.kind), *numbers, Text(op.name))
    console.print(table)


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def write_csv(rows: list[Bench], path: Path) -> None:
    """Write a line for each device to *path*; what is not known is empty.

    Raises:
        UsageError: *path* cannot be written.
    """
    try:
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["serial", *_ROWS])
            for facts in map(as_json, rows):
                cores = facts["cores"]
                facts["cores"] = cores if isinstance(cores, str) else " ".join(map(str, cores))
                writer.writerow([facts["serial"], *(facts[name] for name in _ROWS)])
    except OSError as error:
        raise UsageError(f"--csv {path}: cannot be written ({error.strerror})") from error


def draw(model: str, rows: list[Bench], path: Path) -> None:
    """Draw the share of inferences that ended within a time, and each in its order, as a PNG.

    Raises:
        UsageError: *path* cannot be written, or no times are known.
    """
    timed = [one for one in rows if one.invoke_us is not None]
    if not timed:
        raise UsageError(f"--picture {path}: no device told the times of its inferences")
    figure = blank(4.0)
    figure.suptitle(f"{model} on {len(timed)} devices", fontsize=12)
    within, order = figure.subplots(1, 2)
    for one in timed:
        assert one.invoke_us is not None
        times_ms = one.invoke_us / 1e3
        shares = 100.0 * np.arange(1, len(times_ms) + 1) / len(times_ms)
        within.step(np.sort(times_ms), shares, where="post", label=f"{one.serial} ({one.device})")
        order.plot(times_ms, linewidth=0.8)
    within.set(xlabel="milliseconds", ylabel="% of inferences within", ylim=(0, 100))
    order.set(xlabel="inference", ylabel="milliseconds")
    order.set_ylim(bottom=0)
    for axis in (within, order):
        axis.grid(alpha=0.3)
    within.legend(fontsize=8)
    save(figure, path)
