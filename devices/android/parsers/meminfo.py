"""``dumpsys meminfo``: memory of all processes, or of one, as Android accounts for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import integer, lines_of

SOURCE = "dumpsys meminfo"
_KB = r"(-?[0-9][0-9,]*) ?[Kk]B?"
# "183,873K: name (pid 3703 state 0 oom -900)", older "111920 kB: name (pid 12)", and vendors'
# "243786 kB:       0 kB: name (pid 12)".
_PROCESS = re.compile(rf"\s*{_KB}:(?:\s*{_KB}:)? (.+?) \(pid ([0-9]+)[^)]*\)(?: *\(.*\))?\s*")
_RAM = re.compile(rf"\s*(Total|Free|Used|Lost) RAM:\s*{_KB}(.*)")
_STATUS = re.compile(r"\s*\(status (\w+)\)\s*")
_ZRAM = re.compile(
    rf"\s*ZRAM:\s*{_KB}(?: physical)? used for\s*{_KB} in swap \(\s*{_KB} total swap\)\s*"
)
_ONE = re.compile(r"\*\* MEMINFO in pid ([0-9]+) \[(.*)\] \*\*")
_TOTAL_PSS = re.compile(r"\s*TOTAL(?: PSS)?:\s*([0-9,]+)(?:\s+TOTAL RSS:\s*([0-9,]+))?.*")
_TOTAL_ROW = re.compile(r"\s*TOTAL\s+([0-9,]+)(?:\s+[0-9,]+)+\s*")


@dataclass(frozen=True)
class ProcessPss:
    """The proportional set size of one process, units of 1024 bytes."""

    name: str
    pid: int
    pss_kb: int


@dataclass(frozen=True)
class Meminfo:
    """Memory of the whole device in units of 1024 bytes; None where this Android does not say.

    Attributes:
        lost_kb: what is accounted nowhere; may be negative.
        status: ``normal``, ``moderate``, ``low`` or ``critical``.
    """

    total_kb: int | None
    free_kb: int | None
    used_kb: int | None
    lost_kb: int | None
    status: str | None
    zram_physical_kb: int | None
    zram_swapped_kb: int | None
    swap_total_kb: int | None
    processes: tuple[ProcessPss, ...]

    @property
    def pss_kb(self) -> Mapping[str, int]:
        """The set sizes by name; processes of one name are added."""
        sums: dict[str, int] = {}
        for process in self.processes:
            sums[process.name] = sums.get(process.name, 0) + process.pss_kb
        return sums


@dataclass(frozen=True)
class ProcessMeminfo:
    """Memory of one process in units of 1024 bytes; *rss_kb* is None before Android 11."""

    pid: int
    name: str
    pss_kb: int
    rss_kb: int | None


def parse_meminfo(text: str) -> Meminfo:
    """Return the totals and the list ``Total PSS by process`` of *text*.

    Raises:
        ParseError: there is neither a total nor a process, a total stands twice, or a process has
            an unknown form.
    """
    totals: dict[str, int] = {}
    status: str | None = None
    zram: re.Match[str] | None = None
    for line in lines_of(text):
        if (ram := _RAM.fullmatch(line)) is not None:
            if ram[1] in totals:
                raise ParseError(SOURCE, f"{ram[1]} RAM stands twice")
            totals[ram[1]] = _kb(ram[2])
            said = _STATUS.fullmatch(ram[3])
            status = said[1] if said is not None else status
        elif (match := _ZRAM.fullmatch(line)) is not None:
            zram = match
    processes = _processes(text)
    if not totals and not processes:
        raise ParseError(SOURCE, "neither totals nor processes", text)
    return Meminfo(
        total_kb=totals.get("Total"),
        free_kb=totals.get("Free"),
        used_kb=totals.get("Used"),
        lost_kb=totals.get("Lost"),
        status=status,
        zram_physical_kb=_kb(zram[1]) if zram else None,
        zram_swapped_kb=_kb(zram[2]) if zram else None,
        swap_total_kb=_kb(zram[3]) if zram else None,
        processes=processes,
    )


def parse_process_meminfo(text: str) -> ProcessMeminfo:
    """Return the totals of ``dumpsys meminfo PACKAGE``.

    Raises:
        ParseError: *text* does not describe exactly one process with a total.
    """
    heads = [m for line in lines_of(text) if (m := _ONE.fullmatch(line.strip()))]
    if len(heads) != 1:
        raise ParseError(SOURCE, f"{len(heads)} processes instead of one", text)
    row = next((m for line in lines_of(text) if (m := _TOTAL_ROW.fullmatch(line))), None)
    summary = next((m for line in lines_of(text) if (m := _TOTAL_PSS.fullmatch(line))), None)
    found = summary or row
    if found is None:
        raise ParseError(SOURCE, "no TOTAL", text)
    if summary and row and _kb(summary[1]) != _kb(row[1]):
        raise ParseError(SOURCE, "two different totals", f"{summary[1]} and {row[1]}")
    rss_kb = _kb(summary[2]) if summary and summary[2] else None
    return ProcessMeminfo(integer(heads[0][1], SOURCE, 1), heads[0][2], _kb(found[1]), rss_kb)


def _processes(text: str) -> tuple[ProcessPss, ...]:
    found: list[ProcessPss] = []
    inside = False
    for line in lines_of(text):
        if not line.startswith(" "):
            inside = line.rstrip() == "Total PSS by process:"
        elif inside and line.strip():
            match = _PROCESS.fullmatch(line)
            if match is None:
                raise ParseError(SOURCE, "not a process", line)
            found.append(ProcessPss(match[3], integer(match[4], SOURCE, 0), _kb(match[1])))
    return tuple(found)


def _kb(text: str) -> int:
    value = integer(text.replace(",", ""), SOURCE)
    if "," in text and f"{value:,}" != text:
        raise ParseError(SOURCE, "not a number with thousands separators", text)
    return value
