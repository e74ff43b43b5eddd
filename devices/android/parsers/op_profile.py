"""What each operator took, by ``benchmark_model --enable_op_profiling=true``, from 2019 to now."""

import re
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import integer, lines_of, real

SOURCE = "benchmark_model's profile"
_BEGIN = re.compile(r"(?:\S+: )*Operator-wise Profiling Info for Regular Benchmark Runs:")
_TABLE = re.compile(r"=+ Run Order =+")
_HEAD = re.compile(
    r"\[node type\]\s+(?:\[start\]\s+)?\[first\]\s+\[avg ms\]\s+\[%\]\s+\[cdf%\]\s+\[mem KB\]\s+"
    r"\[times called\]\s+\[Name\]"
)
_N = r"([0-9.]+)"
# A kind of node may hold spaces, and so may a name; numbers alone stand between them.
_ROW = re.compile(rf"(.+?)\s+(?:{_N}\s+)?{_N}\s+{_N}\s+{_N}%\s+{_N}%\s+{_N}\s+([0-9]+)\s+(\S.*)")


@dataclass(frozen=True)
class Operator:
    """One operator of a model, in the order in which they run.

    Attributes:
        kind: such as ``CONV_2D``, or a delegate that computes several operators as one.
        name: of its output tensors, with its number.
        average_us: of a call.
        percent: of the time of all operators.
        calls: in an inference.
    """

    kind: str
    name: str
    average_us: float
    percent: float
    calls: int


def parse_op_profile(text: str) -> tuple[Operator, ...]:
    """Return the operators of the measured inferences in *text*, the streams of the tool.

    Raises:
        ParseError: there is no such table, or a row of it has another form.
    """
    lines = [line.strip() for line in lines_of(text)]
    begin = next((n for n, line in enumerate(lines) if _BEGIN.fullmatch(line)), None)
    if begin is None:
        raise ParseError(SOURCE, "no profile of its operators", text)
    table = lines[begin + 1 :]
    if len(table) < 3 or not _TABLE.fullmatch(table[0]) or not _HEAD.fullmatch(table[1]):
        raise ParseError(SOURCE, "no table of operators in their order", "\n".join(table[:2]))
    found: list[Operator] = []
    for line in table[2:]:
        if not line:
            return tuple(found)
        if (match := _ROW.fullmatch(line)) is None:
            raise ParseError(SOURCE, "not an operator", line)
        kind, _, _, average_ms, percent, _, _, calls, name = match.groups()
        found.append(
            Operator(
                kind,
                name,
                1000.0 * real(average_ms, SOURCE),
                real(percent, SOURCE),
                integer(calls, SOURCE, 0),
            )
        )
    raise ParseError(SOURCE, "the table has no end", table[-1])
