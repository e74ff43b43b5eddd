"""Every command that README.md and docs/ show is run, and its output compared where it is shown.

A ``console`` block holds commands after ``$ `` (continued after ``> ``) and what they print. The
output is compared if any is shown: a line ``...`` stands for any lines, ``...`` within a line for
anything. A ``sh`` block is one script whose output is not shown. The blocks of one document run
in order in a copy of the checkout. A comment above a block says otherwise:

    <!-- needs: phone -->        skipped where no device answers adb
    <!-- needs: shared -->       skipped where the data folder beside the checkout is absent
    <!-- not run: REASON -->     never run
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
TIMEOUT_S = 300

BLOCK = re.compile(
    r"^(?:<!--((?:(?!-->).)*)-->\n+)?```(console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Block:
    """A fenced block: the document, the line it starts on, what the comment says, the text."""

    document: str
    line: int
    comment: str
    kind: str
    text: str

    def commands(self) -> list[tuple[str, str]]:
        """Return (command, expected output) pairs."""
        if self.kind == "sh":
            return [(self.text, "")]
        pairs: list[tuple[str, str]] = []
        for line in self.text.splitlines():
            command, expected = pairs[-1] if pairs else ("", "")
            if line.startswith("$ "):
                pairs.append((line[2:], ""))
            elif not pairs:
                raise ValueError(f"{self.document}:{self.line}: a console block starts with '$ '")
            elif line.startswith("> ") and not expected:
                pairs[-1] = (f"{command}\n{line[2:]}", "")
            else:
                pairs[-1] = (command, f"{expected}{line}\n")
        return pairs


def blocks(document: str, text: str) -> list[Block]:
    """Return the console and sh blocks of a document."""
    return [
        Block(
            document,
            text.count("\n", 0, found.start(2)) + 1,
            (found[1] or "").strip(),
            *found.group(2, 3),
        )
        for found in BLOCK.finditer(text)
    ]


def matches(expected: str, printed: str) -> bool:
    """Tell whether *printed* is what the document shows."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"[ ]*\n"
        for line in expected.rstrip("\n").splitlines()
    )
    return re.fullmatch(pattern, f"{COLOUR.sub('', printed).rstrip()}\n") is not None


def run(block: Block, folder: Path) -> None:
    """Run the commands of *block* in *folder*; the first that does not do as shown fails."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONSAFEPATH": "1",  # what is installed, not the copy, whose kernels were never compiled
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    for command, expected in block.commands():
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
        )
        shown = f"$ {command}\n{done.stdout}"
        assert done.returncode == 0, f"exit {done.returncode}:\n{shown}"
        assert not expected or matches(expected, done.stdout), f"{shown}\nis not\n{expected}"


def device_attached() -> bool:
    """Ask an adb server that is running anyway for its devices; start none."""
    try:
        with socket.create_connection(("127.0.0.1", 5037), timeout=2) as server:
            server.sendall(b"000chost:devices")
            return b"\tdevice" in server.makefile("rb").read()
    except OSError:
        return False


NEEDS: dict[str, Callable[[], bool]] = {"phone": device_attached, "shared": SHARED.is_dir}


def why_not(comment: str) -> str | None:
    """Return why a block with this comment above is not run here, or None."""
    word, _, rest = (part.strip() for part in comment.partition(":"))
    if word == "not run":
        assert rest, "a block that is not run says why"
        return f"not run: {rest}"
    if word == "needs":
        absent = [name for name in map(str.strip, rest.split(",")) if not NEEDS[name]()]
        return f"needs {', '.join(absent)}" if absent else None
    return None


@dataclass
class Scratch:
    """A copy of the checkout for one document, beside it the data folder if there is one."""

    folder: Path
    done: set[int] = field(default_factory=set)

    def fill(self) -> None:
        """Copy what git tracks or would track; build products and runs stay behind."""
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if os.path.lexists(ROOT / name):
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.folder / name, follow_symlinks=False)
        if SHARED.is_dir():
            (self.folder.parent / SHARED.name).symlink_to(SHARED)

    def run_up_to(self, block: Block, all_blocks: list[Block]) -> None:
        """Run *block* after the earlier ones of its document that have not run yet."""
        for each in all_blocks:
            if each.line <= block.line and each.line not in self.done and not why_not(each.comment):
                self.done.add(each.line)
                run(each, self.folder)


DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
BLOCKS = [block for name, text in DOCUMENTS.items() for block in blocks(name, text)]


@pytest.fixture(scope="module")
def scratches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scratch]:
    return {}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout")
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.document}:{block.line}")
def test_the_document_shows_what_happens(
    block: Block, scratches: dict[str, Scratch], tmp_path_factory: pytest.TempPathFactory
) -> None:
    if reason := why_not(block.comment):
        pytest.skip(reason)
    if block.document not in scratches:
        scratch = Scratch(tmp_path_factory.mktemp("docs") / ROOT.name)
        scratch.fill()
        scratches[block.document] = scratch
    scratches[block.document].run_up_to(
        block, [each for each in BLOCKS if each.document == block.document]
    )


def one_block(text: str) -> Block:
    [block] = blocks("page.md", text)
    return block


def test_commands_are_told_from_their_output() -> None:
    block = one_block("# Page\n\n```console\n$ echo a\na\n$ cat <<END\n> b\n> END\nb\n```\n")
    assert block.line == 3
    assert block.commands() == [("echo a", "a\n"), ("cat <<END\nb\nEND", "b\n")]


def test_a_comment_belongs_to_the_block_right_below_it() -> None:
    page = (
        "<!-- needs: phone -->\n```sh\na\n```\n\n<!-- aside -->\ntext\n\n```sh\nb\n```\n"
        "<!-- aside -->\n\n<!-- not run: c -->\n\n```sh\nc\n```\n"
    )
    assert [block.comment for block in blocks("page.md", page)] == [
        "needs: phone",
        "",
        "not run: c",
    ]


def test_blocks_in_other_languages_are_left_alone() -> None:
    assert blocks("page.md", "```toml\nseed = 7\n```\n\n```\n$ plain\n```\n") == []


@pytest.mark.parametrize(
    ("expected", "printed", "match"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n", "a\nb\n", False),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\n", "a\n", True),
        ("HR@10 0...\n", "HR@10 0.61\n", True),
        ("HR@10 0...\n", "HR@10 1.61\n", False),
        ("a.c\n", "abc\n", False),
        ("a\n", "\x1b[1ma\x1b[0m\n", True),
    ],
)
def test_shown_output_is_compared_with_wildcards(expected: str, printed: str, match: bool) -> None:
    assert matches(expected, printed) == match


def test_a_command_that_fails_fails_the_document(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exit 3"):
        run(one_block("```console\n$ exit 3\n```\n"), tmp_path)


def test_other_output_than_shown_fails_the_document(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="is not"):
        run(one_block("```console\n$ echo 1\n2\n```\n"), tmp_path)


def test_a_script_stops_at_its_first_failure(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="exit 1"):
        run(one_block("```sh\nfalse\ntouch reached\n```\n"), tmp_path)
    assert not (tmp_path / "reached").exists()


def test_a_block_that_is_not_run_gives_its_reason() -> None:
    assert why_not("not run: takes an hour") == "not run: takes an hour"
    with pytest.raises(AssertionError, match="says why"):
        why_not("not run:")


def test_an_unknown_need_is_an_error() -> None:
    with pytest.raises(KeyError, match="moon"):
        why_not("needs: moon")
