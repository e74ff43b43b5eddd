"""Whatever a device prints, a parser gives a typed answer or the typed error, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers import adb_text, console_text
from droidloop.devices.android.parsers.battery import Battery, parse_battery
from droidloop.devices.android.parsers.batterystats_checkin import parse_batterystats_checkin
from droidloop.devices.android.parsers.benchmark import Benchmark, parse_benchmark
from droidloop.devices.android.parsers.cpuinfo import CpuInfo, parse_cpuinfo
from droidloop.devices.android.parsers.df import parse_df
from droidloop.devices.android.parsers.getprop import parse_getprop
from droidloop.devices.android.parsers.power_supply import PowerSupply, parse_uevent
from droidloop.devices.android.parsers.proc_meminfo import ProcMeminfo, parse_proc_meminfo
from droidloop.devices.android.parsers.thermal import Thermal, parse_thermal

from . import test_parse_battery as battery
from . import test_parse_benchmark as benchmark
from . import test_parse_console_text as console
from . import test_parse_cpuinfo as cpuinfo
from . import test_parse_df as df
from . import test_parse_memory as memory
from . import test_parse_power as power
from . import test_parse_states as states

Parser = Callable[[str], Any]
CASES: list[tuple[Parser, type, str]] = [
    (parse_battery, Battery, battery.KITKAT),
    (parse_battery, Battery, battery.FROZEN_15),
    (parse_proc_meminfo, ProcMeminfo, memory.KERNEL_3_4),
    (parse_cpuinfo, CpuInfo, cpuinfo.arm_core(0, "0xd05") + "Hardware : x\n"),
    (parse_df, tuple, df.TOYBOX),
    (parse_df, tuple, df.TOOLBOX),
    (parse_thermal, Thermal, states.THERMAL),
    (parse_getprop, dict, "[a]: [b]\n[c]: [d\ne]\n"),
    (parse_uevent, PowerSupply, power.uevent()),
    (parse_batterystats_checkin, dict, power.CHECKIN),
    (parse_benchmark, Benchmark, benchmark.NEW),
    (adb_text.parse_host_devices, tuple, "a\tdevice\nb c\toffline\n"),
    (console_text.parse_greeting, console_text.Greeting, console.ASKS),
    (console_text.parse_network_status, console_text.NetworkStatus, console.STATUS),
    (console_text.parse_power_display, console_text.PowerDisplay, console.POWER),
]
each_parser = pytest.mark.parametrize(("parse", "answer", "example"), CASES)
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=400)
PIECES = st.text("0123456789+-:=,. \n\t[]{}'\"()kKBMG%xe", max_size=12)


def check(parse: Parser, answer: type, text: str) -> None:
    said = ""
    try:
        assert isinstance(parse(text), answer)
    except ParseError as error:
        said = str(error)
    assert not said or said.isprintable()


@each_parser
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_arbitrary_text(parse: Parser, answer: type, example: str, data: st.DataObject) -> None:
    check(parse, answer, data.draw(ANY_TEXT))


@each_parser
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_damaged_output(parse: Parser, answer: type, example: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(example)))
    end = data.draw(st.integers(start, min(len(example), start + 30)))
    check(parse, answer, example[:start] + data.draw(PIECES) + example[end:])


@each_parser
def test_huge_numbers(parse: Parser, answer: type, example: str) -> None:
    for digit in "0123456789":
        check(parse, answer, example.replace(digit, digit * 5000))


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(ANY_TEXT, PIECES), status=st.none() | st.integers(0, 255))
def test_words_of_adb(text: str, status: int | None) -> None:
    failure = adb_text.failure_of(text, status)
    assert failure is None or isinstance(failure[0], adb_text.Reason)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_lost_lines_of_a_battery_never_change_the_others(data: st.DataObject) -> None:
    lines = battery.FROZEN_15.splitlines(True)
    kept = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    text = "".join(line for line, keep in zip(lines, kept, strict=True) if keep)
    whole = parse_battery(battery.FROZEN_15)
    try:
        part = parse_battery(text)
    except ParseError:
        return
    for name in Battery.__dataclass_fields__:
        assert getattr(part, name) in (getattr(whole, name), None, False)
