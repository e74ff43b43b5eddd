"""Feeds mutated inputs to all parsers, and says which of them were not refused as they should be.

An input is a pure function of the parser and a number, so that one that was found is made again.
What was found once is kept in ``corpus/PARSER/``, and tried by the tests ever since.
"""

import faulthandler
import os
import resource
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from droidloop.platform.workers import use_threads
from tests.fuzz.mutate import mutated
from tests.fuzz.parsers import Parser
from tests.fuzz.trial import GIB, End, bad, judged

CORPUS = Path(__file__).parent / "corpus"
LONGEST_S = 1.0
"""Of processor time, for one input."""


class Found(NamedTuple):
    """An input of a parser, and what is wrong with how it ended."""

    parser: str
    number: int
    end: End
    data: bytes


class TooLongError(Exception):
    """An input took more than a second."""


def kept(parser: Parser) -> list[bytes]:
    """Return the inputs of *parser* that were once found."""
    folder = CORPUS / parser.name.replace(" ", "-")
    return [path.read_bytes() for path in sorted(folder.glob("*"))]


def tried(parser: Parser, data: bytes, folder: Path) -> End:
    """Return how *parser* took *data*, written to its file in *folder*.

    What takes too long is tried again: kernels are compiled or read once.
    """
    path = folder / parser.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    end = _read(parser, path)
    if end.how == "hang":
        end = _read(parser, path)
    if end.how == "refused" and parser.named and path.name not in end.said:
        end = End("unnamed", end.said, end.took_s)
    return end


def _read(parser: Parser, path: Path) -> End:
    def read() -> None:
        # processor time, which a busy machine does not change
        signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)
                parser.read(path)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    before = signal.signal(signal.SIGPROF, _too_long)
    try:
        end = judged(read)
    finally:
        signal.signal(signal.SIGPROF, before)
    if end.how == "traceback" and TooLongError.__name__ in end.said:
        end = End("hang", end.said, end.took_s)
    return end


def some(parser: Parser, numbers: Sequence[int], folder: Path) -> Iterator[Found]:
    """Yield what is wrong with the inputs of those *numbers*, in this process."""
    for number in numbers:
        data = mutated(parser.good, number)
        end = tried(parser, data, folder)
        if bad(end):
            yield Found(parser.name, number, end, data)


def apart(parser: Parser, numbers: Sequence[int]) -> list[Found]:
    """Return what is wrong with the inputs of those *numbers*, tried in a child.

    It has a gibibyte more than this process; where it dies, the input that it died of is found.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    said = folder / "said"
    child = os.fork()
    if child == 0:
        code = 1
        faulthandler.disable()  # what a child dies of is told by its status
        try:
            use_threads(1)
            used = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
            resource.setrlimit(resource.RLIMIT_AS, (used + GIB, used + GIB))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            with said.open("w") as file:
                for one in some(parser, numbers, folder / "work"):
                    how, what = one.end.how, one.end.said.strip().splitlines()
                    file.write(f"{one.number}\t{how}\t{' / '.join(what[-3:])[:400]}\n")
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    lines = said.read_text().splitlines() if said.exists() else []
    shutil.rmtree(folder, ignore_errors=True)
    if status != 0:
        if len(numbers) == 1:
            end = End("killed", f"status {status}", 0.0)
            return [Found(parser.name, numbers[0], end, mutated(parser.good, numbers[0]))]
        half = len(numbers) // 2
        return apart(parser, numbers[:half]) + apart(parser, numbers[half:])
    found = []
    for line in lines:
        number, way, words = line.split("\t", 2)
        data = mutated(parser.good, int(number))
        found.append(Found(parser.name, int(number), End(way, words, 0.0), data))
    return found


def _too_long(number: int, frame: object) -> None:
    raise TooLongError
