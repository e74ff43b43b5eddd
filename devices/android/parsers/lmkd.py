"""The low memory killer's lines in ``logcat``."""

import re
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import integer, lines_of

SOURCE = "logcat of lmkd"
_TAG = re.compile(r"\b(?:lowmemorykiller|lmkd)\s*(?:\(\s*[0-9]+\))?\s*: (.*)")
_EVENT = re.compile(
    r"(?:Kill|Reclaim)(?:ing|ed)? '(?P<process>.+)' \((?P<pid>[0-9]+)\)(?: \(tgid [0-9]+\))?"
    r"(?:, uid (?P<uid>[0-9]+))?,"
    r" (?:oom_score_adj|oom_adj|adj) (?P<adj>-?[0-9]+)(?:, state -?[0-9]+)?"
    r"(?: to free (?P<rss>[0-9]+)kB(?: rss)?(?:, (?P<swap>[0-9]+)kB swap)?)?(?P<rest>.*)"
)


@dataclass(frozen=True)
class Kill:
    """A process that the low memory killer ended.

    Attributes:
        uid: None where the kernel kills, before Android 9.
        oom_score_adj: 0 for what the user sees, up to 1000 for what is dispensable.
        rss_kb: memory that became free, units of 1024 bytes; None where not told.
        swap_kb: swap that became free, likewise.
    """

    process: str
    pid: int
    uid: int | None
    oom_score_adj: int
    rss_kb: int | None
    swap_kb: int | None
    reason: str | None


def parse_lmkd(text: str) -> tuple[Kill, ...]:
    """Return the kills in *text*, a log that may hold anything else besides.

    Raises:
        ParseError: a line of the killer begins like a kill and goes on in an unknown way.
    """
    kills = []
    for line in lines_of(text):
        tagged = _TAG.search(line)
        message = tagged[1] if tagged is not None else line
        if not message.startswith(("Kill ", "Killing ", "Killed ", "Reclaim")):
            continue
        match = _EVENT.fullmatch(message)
        if match is not None:
            kills.append(_kill(match))
        elif tagged is not None:
            raise ParseError(SOURCE, "a kill in an unknown form", message)
    return tuple(kills)


def _kill(match: re.Match[str]) -> Kill:
    reason = match["rest"].partition("reason: ")[2].strip()
    return Kill(
        process=match["process"],
        pid=integer(match["pid"], SOURCE, 1, 2**31),
        uid=integer(match["uid"], SOURCE, 0, 2**31) if match["uid"] else None,
        oom_score_adj=integer(match["adj"], SOURCE, -1000, 1001),
        rss_kb=integer(match["rss"], SOURCE, 0) if match["rss"] else None,
        swap_kb=integer(match["swap"], SOURCE, 0) if match["swap"] else None,
        reason=reason or None,
    )
