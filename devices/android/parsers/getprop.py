"""``getprop``: Android's properties."""

import re
from collections.abc import Mapping

from droidloop.devices.android.errors import ParseError

from .text import lines_of

SOURCE = "getprop"
_FIRST = re.compile(r"\[([^\]\s]+)\]: \[(.*)", re.DOTALL)


def parse_getprop(text: str) -> Mapping[str, str]:
    """Return the properties in *text*; a value may span lines.

    Raises:
        ParseError: there is none, a line belongs to none, or a value is not closed.
    """
    properties: dict[str, str] = {}
    key, value = "", ""
    for line in lines_of(text):
        if key:
            value += "\n" + line
        else:
            if not line.strip():
                continue
            match = _FIRST.fullmatch(line)
            if match is None:
                raise ParseError(SOURCE, "a line outside any property", line)
            key, value = match[1], match[2]
        if value.endswith("]"):
            properties[key] = value[:-1]
            key = ""
    if key:
        raise ParseError(SOURCE, "a value without an end", f"{key}: {value}")
    if not properties:
        raise ParseError(SOURCE, "no property")
    return properties
