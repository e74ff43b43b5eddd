"""Reads transcripts of adb: ``$ command``, what it printed, ``[exit status N]``."""

import re
import shlex
from dataclasses import dataclass

_STEP = re.compile(r"^\$ (.*)\n((?:.*\n)*?)\[exit status ([0-9]+)\]$", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One command of a transcript."""

    argv: list[str]
    output: str
    exit_status: int

    @property
    def verb(self) -> str:
        """The adb command, after ``-s SERIAL``."""
        words = self.argv[1:]
        return words[2] if words[0] == "-s" else words[0]


def steps_of(text: str) -> list[Step]:
    """Return the commands in *text* in their order."""
    return [Step(shlex.split(m[1]), m[2], int(m[3])) for m in _STEP.finditer(text)]
