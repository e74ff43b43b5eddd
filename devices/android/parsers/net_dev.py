"""``/proc/net/dev``: bytes and packets by network interface."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import integer, lines_of

SOURCE = "/proc/net/dev"
_LINE = re.compile(r"\s*(\S+):((?:\s*[0-9]+)(?:\s+[0-9]+){15})\s*")
_FIELDS = ["bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast"]


@dataclass(frozen=True)
class Interface:
    """Traffic since the interface came up.

    Traffic of a stacked interface (``v4-rmnet4`` on ``rmnet4``) is counted in both: never add
    the two.
    """

    rx_bytes: int
    rx_packets: int
    tx_bytes: int
    tx_packets: int


def parse_net_dev(text: str) -> Mapping[str, Interface]:
    """Return the interfaces in *text* by name.

    Raises:
        ParseError: the header is another, a line does not fit it, or a name stands twice.
    """
    lines = [line for line in lines_of(text) if line.strip()]
    columns = lines[1].split("|") if len(lines) > 1 else []
    if len(columns) != 3 or columns[1].split() != _FIELDS:
        raise ParseError(SOURCE, "an unknown header", text)
    interfaces: dict[str, Interface] = {}
    for line in lines[2:]:
        match = _LINE.fullmatch(line)
        if match is None or match[1] in interfaces:
            raise ParseError(SOURCE, "not a line of an interface", line)
        numbers = [integer(word, SOURCE, 0) for word in match[2].split()]
        interfaces[match[1]] = Interface(numbers[0], numbers[1], numbers[8], numbers[9])
    return interfaces
