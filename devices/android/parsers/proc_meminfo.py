"""``/proc/meminfo``: the kernel's account of its memory."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import lines_of

SOURCE = "/proc/meminfo"
_LINE = re.compile(r"([A-Za-z][\w()]*):\s*([0-9]{1,15})( kB)?", re.ASCII)


@dataclass(frozen=True)
class ProcMeminfo:
    """The lines of the file.

    Attributes:
        kib: what is given in kB, which are units of 1024 bytes.
        counts: what is given without a unit, such as numbers of huge pages.
    """

    kib: Mapping[str, int]
    counts: Mapping[str, int]

    @property
    def total_bytes(self) -> int:
        """Memory that the kernel manages, bytes."""
        return self.kib["MemTotal"] * 1024

    @property
    def available_bytes(self) -> int | None:
        """Memory that a new process could have; None on kernels before 3.14."""
        available = self.kib.get("MemAvailable")
        return None if available is None else available * 1024


def parse_proc_meminfo(text: str) -> ProcMeminfo:
    """Return the sizes in *text*.

    Raises:
        ParseError: a line has another form, a key stands twice, or ``MemTotal`` is missing.
    """
    kib: dict[str, int] = {}
    counts: dict[str, int] = {}
    for line in lines_of(text):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None or match[1] in kib or match[1] in counts:
            raise ParseError(SOURCE, "a line that does not belong there", line)
        (kib if match[3] else counts)[match[1]] = int(match[2])
    if "MemTotal" not in kib:
        raise ParseError(SOURCE, "no MemTotal", text)
    if max(kib.get("MemFree", 0), kib.get("MemAvailable", 0)) > kib["MemTotal"]:
        raise ParseError(SOURCE, "more memory is free than there is")
    return ProcMeminfo(kib, counts)
