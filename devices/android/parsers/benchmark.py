"""What LiteRT's ``benchmark_model`` prints, from 2018 to now."""

import re
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import integer, lines_of, real

SOURCE = "benchmark_model"
_N = r"([0-9.]+(?:[eE][+-]?[0-9]+)?)"
_HEAD = re.compile(
    r"^(?:[0-9]{2}-[0-9]{2} [0-9:.]+\s+[0-9]+\s+[0-9]+ [VDIWEF] \S+\s*: "
    r"|[VDIWEF]/\S+\s*\(\s*[0-9]+\): )?(?:(?:INFO|VERBOSE): )?"
)
_SUMMARY = re.compile(
    rf"Inference timings in us: Init: {_N}, First inference: {_N}, "
    rf"Warmup \(avg\): [^ ]+, Inference \(avg\): {_N}"
)
_OLD_SUMMARY = re.compile(
    rf"Average inference timings in us: Warmup: [^ ]+, Init: {_N}, (?:Inference|no stats): {_N}"
)
_COUNT = re.compile(r"count=([0-9]+) (.*)")
_STAT = re.compile(r"(\w+)=(\S+)")
_MEMORY = re.compile(
    r"(?:Peak memory footprint|Memory footprint delta from the start of the tool) \(MB\): "
    rf"init={_N} overall={_N}"
)
_APPLIED = re.compile(
    r"Explicitly applied (\S+) delegate, and the model graph will be "
    r"(completely|partially) executed by the delegate(?: w/ ([0-9]+) delegate kernels)?\."
)
_PEAK = re.compile(rf"Overall peak memory footprint \(MB\) via periodic monitoring: {_N}")


@dataclass(frozen=True)
class RunStats:
    """The distribution of a run's times, microseconds; None where one run has none."""

    p5_us: float | None
    median_us: float | None
    p95_us: float | None


@dataclass(frozen=True)
class Benchmark:
    """The result of one run of the tool; None where this version does not print it.

    Attributes:
        stats: of the measured inferences; the warm-up and the op profile never stand here.
        first_us: the very first inference, part of the warm-up.
        memory_overall_mb: growth of the process until the end, 10**6 bytes.
        peak_mb: peak of the whole process by sampling.
        delegate: what computed in the CPU's place, and how much, such as ``GPU, completely``.
    """

    init_us: float
    first_us: float | None
    inference_avg_us: float
    stats: RunStats | None
    memory_overall_mb: float | None
    peak_mb: float | None
    delegate: str | None = None


def parse_benchmark(text: str) -> Benchmark:
    """Return the result in *text*, which may be the tool's streams or a logcat.

    Raises:
        ParseError: there is no summary, or there are different ones.
    """
    lines = [_HEAD.sub("", line, count=1).strip() for line in lines_of(text)]
    times, end = _summary(lines, text)
    memory = _one(_MEMORY, lines)
    peak = _one(_PEAK, lines)
    return Benchmark(
        init_us=times[0],
        first_us=times[1],
        inference_avg_us=times[2],
        stats=_stats(lines[:end], times[2]),
        memory_overall_mb=memory[1] if memory else None,
        peak_mb=peak[0] if peak else None,
        delegate=_delegate(lines),
    )


def _summary(lines: list[str], text: str) -> tuple[tuple[float, float | None, float], int]:
    """Return (init, first, inference) and the number of the line that says so."""
    found: dict[tuple[float, float | None, float], int] = {}
    for number, line in enumerate(lines):
        if (match := _SUMMARY.fullmatch(line)) is not None:
            init, first, average = (real(word, SOURCE) for word in match.groups())
            found.setdefault((init, first, average), number)
        elif (match := _OLD_SUMMARY.fullmatch(line)) is not None:
            init, average = (real(word, SOURCE) for word in match.groups())
            found.setdefault((init, None, average), number)
    if len(found) != 1:
        raise ParseError(SOURCE, f"{len(found)} different results instead of one", text)
    return next(iter(found.items()))


def _one(pattern: re.Pattern[str], lines: list[str]) -> tuple[float, ...] | None:
    matches = [match.groups() for line in lines if (match := pattern.fullmatch(line))]
    if len(set(matches)) > 1:
        raise ParseError(SOURCE, "two different lines of one kind", str(matches[1]))
    return tuple(real(word, SOURCE) for word in matches[0]) if matches else None


def _delegate(lines: list[str]) -> str | None:
    match = next((match for line in lines if (match := _APPLIED.fullmatch(line))), None)
    if match is None:
        return None
    kernels = f", in {match[3]} parts" if match[3] else ""
    return f"{match[1]}, {match[2]}{kernels}"


def _stats(lines: list[str], average_us: float) -> RunStats | None:
    """Return the last line ``count=``, the one of the measured runs: the warm-up's stands first."""
    counts = [match for line in lines if (match := _COUNT.fullmatch(line))]
    if not counts:
        return None
    runs = integer(counts[-1][1], SOURCE, 1)
    # Of a single run, and of rounding errors, the deviation may be "nan".
    words = _STAT.findall(counts[-1][2])
    values = {key: real(word, SOURCE) for key, word in words if not word.endswith("nan")}
    if runs == 1 and "curr" in values:
        values = {"avg": values["curr"]} | values
    if "avg" not in values:
        raise ParseError(SOURCE, "no avg", counts[-1][0])
    # Both are printed with six digits.
    if abs(values["avg"] - average_us) > 2e-5 * average_us:
        raise ParseError(SOURCE, f"the runs give {values['avg']}, the summary {average_us}")
    return RunStats(*(values.get(key) for key in ("p5", "median", "p95")))
