"""``/proc/cpuinfo``: cores, their kinds, and the name of the chip where the kernel tells it."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import lines_of

SOURCE = "/proc/cpuinfo"
_HEX = re.compile(r"0x[0-9a-fA-F]{1,8}")


@dataclass(frozen=True)
class CpuInfo:
    """What the kernel says about its processors.

    Attributes:
        cores: processors that are online.
        hardware: name of the chip; None on kernels from 5 on, where
            ``getprop ro.soc.model`` or ``ro.board.platform`` tells it.
        parts: cores by ``implementer:part`` (``0x41:0xd03`` is a Cortex-A53); empty on x86.
        model_name: of the first processor, where given.
    """

    cores: int
    hardware: str | None
    parts: Mapping[str, int]
    model_name: str | None


def parse_cpuinfo(text: str) -> CpuInfo:
    """Return the processors in *text*; old kernels describe all of them in one shared block.

    Raises:
        ParseError: there is no processor, or one stands twice.
    """
    numbers: list[str] = []
    described: list[dict[str, str]] = [{}]
    common: dict[str, str] = {}
    for line in lines_of(text):
        key, colon, value = (word.strip() for word in line.partition(":"))
        if not (key and colon):
            continue
        # "Processor : ARMv7 ..." with a capital is the model of the chip, not a core.
        if key == "processor" and value.isascii() and value.isdigit():
            numbers.append(value)
            described.append({})
        else:
            described[-1].setdefault(key, value)
            common.setdefault(key, value)
    if not numbers:
        raise ParseError(SOURCE, "no processor", text)
    if len(set(numbers)) != len(numbers):
        raise ParseError(SOURCE, "a processor stands twice", text)
    return CpuInfo(
        cores=len(numbers),
        hardware=common.get("Hardware"),
        parts=_parts(described, len(numbers)),
        model_name=common.get("model name") or common.get("Processor"),
    )


def _parts(described: list[dict[str, str]], cores: int) -> Mapping[str, int]:
    named = [name for block in described if (name := _part(block)) is not None]
    if len(named) == 1:
        return {named[0]: cores}
    return dict(Counter(named))


def _part(block: Mapping[str, str]) -> str | None:
    implementer, part = block.get("CPU implementer"), block.get("CPU part")
    if implementer is None or part is None:
        return None
    if not (_HEX.fullmatch(implementer) and _HEX.fullmatch(part)):
        raise ParseError(SOURCE, "not the number of a part", f"{implementer}:{part}")
    return f"{implementer.lower()}:{part.lower()}"
