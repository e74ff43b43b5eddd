"""How each kind of the fixtures' ``expected.json`` is asked of the parsers."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import pytest

from droidloop.devices.android.parsers import adb_text
from droidloop.devices.android.parsers.battery import parse_battery
from droidloop.devices.android.parsers.benchmark import parse_benchmark
from droidloop.devices.android.parsers.console_text import parse_greeting
from droidloop.devices.android.parsers.cpuinfo import parse_cpuinfo
from droidloop.devices.android.parsers.df import mount_of, parse_df
from droidloop.devices.android.parsers.getprop import parse_getprop
from droidloop.devices.android.parsers.proc_meminfo import parse_proc_meminfo
from droidloop.devices.android.parsers.thermal import parse_thermal

from .transcript import Step, steps_of

Entry = Mapping[str, Any]


def battery(text: str, entry: Entry) -> Any:
    answer = parse_battery(text)
    assert answer.temperature_dc is not None
    derived = {"plugged": answer.plugged, "temperature_c": answer.temperature_dc / 10}
    return asdict(answer) | derived


def benchmark(text: str, entry: Entry) -> Any:
    answer = parse_benchmark(text)
    return asdict(answer) | {"mem_overall_mb": answer.memory_overall_mb}


def df(text: str, entry: Entry) -> Any:
    mount = mount_of(parse_df(text), entry["path"])
    view = asdict(mount)
    if "tolerance" in entry:
        size, unit = entry["tolerance"].split()
        assert unit == "GiB"
        for key, value in entry["expect"].items():
            view[key] = pytest.approx(view[key], abs=float(size) * 2**30)
            assert value == view[key]
    return view


def getprop(text: str, entry: Entry) -> Any:
    properties = parse_getprop(text)
    return dict(properties) | {"count": len(properties)}


def thermal(text: str, entry: Entry) -> Any:
    answer = parse_thermal(text)
    hottest = {
        name: max((s.celsius for s in answer.temperatures if s.kind == kind), default=None)
        for name, kind in (("cpu_c", 0), ("battery_c", 2), ("skin_c", 3))
    }
    return {"status": answer.status, **hottest}


def console(text: str, entry: Entry) -> Any:
    return asdict(parse_greeting(text))


def adb_transcript(text: str, entry: Entry) -> Any:
    """Return the failures in their order, in words, each once."""
    failures = [adb_text.failure_of(step.output) for step in steps_of(text)]
    reasons = {failure[0].replace("_", " ") for failure in failures if failure is not None}
    return [reason for reason in entry["expect"] if reason in reasons]


def adb_shell(text: str, entry: Entry) -> Any:
    return _failed(next(step for step in steps_of(text) if step.verb == "shell"))


def adb_push(text: str, entry: Entry) -> Any:
    pushes = [step for step in steps_of(text) if step.verb == "push"]
    if pushes:
        return _failed(pushes[0])
    failure = adb_text.failure_of(text)
    return {"ok": failure is None, "reason": failure[0] if failure else None}


def exit_of_exit3(text: str, entry: Entry) -> Any:
    step = next(s for s in steps_of(text) if s.argv[-3:] == ["shell", "exit", "3"])
    return {"exit_of_exit3": step.exit_status}


def _failed(step: Step) -> dict[str, Any]:
    failure = adb_text.failure_of(step.output, step.exit_status)
    reason = failure[0] if failure is not None else None
    return {"exit": step.exit_status, "ok": step.exit_status == 0, "reason": reason}


VIEWS: Mapping[str, Callable[[str, Entry], Any]] = {
    "adb_push": adb_push,
    "adb_shell": adb_shell,
    "adb_shell_v1": exit_of_exit3,
    "adb_shell_v2": exit_of_exit3,
    "adb_transcript": adb_transcript,
    "benchmark_model": benchmark,
    "console": console,
    "df": df,
    "dumpsys_battery": battery,
    "dumpsys_thermalservice": thermal,
    "getprop": getprop,
    "proc_cpuinfo": lambda text, entry: asdict(parse_cpuinfo(text)),
    "proc_meminfo": lambda text, entry: parse_proc_meminfo(text).kib,
}

UNREAD = {
    "benchmark_model": {
        *("delegated_nodes", "total_nodes", "max_us", "mem_init_mb", "min_us", "model_mb"),
        *("runs", "std_us", "warmup_avg_us"),
    }
}
"""What the fixtures tell and droidloop does not ask."""
