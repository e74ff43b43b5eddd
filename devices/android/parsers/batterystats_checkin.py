"""``dumpsys batterystats --checkin``: the use of the battery that Android models, by user."""

import csv
import re
from collections.abc import Mapping

from droidloop.devices.android.errors import ParseError

from .text import integer, lines_of, real

SOURCE = "dumpsys batterystats --checkin"
_LINE = re.compile(r"[0-9]{1,4},(?:h|hsp|[0-9]+),.*")


def parse_batterystats_checkin(text: str) -> Mapping[int, float]:
    """Return the modelled use since the last charge by numeric user id, mAh: never a measurement.

    An emulator has no power profile: it prints a capacity of 0, and 0 for all use that would
    follow from it. There is no use by anybody then.

    Raises:
        ParseError: there is no checkin line, their version changes, or a value is impossible.
    """
    rows = [_fields(line) for line in lines_of(text) if _LINE.fullmatch(line)]
    if not rows:
        raise ParseError(SOURCE, "no checkin line", text)
    versions = {row[0] for row in rows}
    if len(versions) != 1:
        raise ParseError(SOURCE, f"versions {', '.join(sorted(versions))} in one dump")
    # Some Androids print it twice, the later one complete.
    power = next((row for row in reversed(rows) if row[2:4] == ["l", "pws"]), None)
    if power is not None and len(power) < 6:
        raise ParseError(SOURCE, "pws is too short", ",".join(power))
    if power is None or not real(power[4], SOURCE):
        return {}
    uses = [row for row in rows if row[2:5] == ["l", "pwi", "uid"] and len(row) > 5]
    return {integer(row[1], SOURCE, 0): real(row[5], SOURCE) for row in uses}


def _fields(line: str) -> list[str]:
    # Names in quotes may hold commas; everything else has no quotes.
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], escapechar="\\"))
    except csv.Error as error:
        raise ParseError(SOURCE, str(error), line) from error
