"""Children never import from the folder in which a command happens to be given."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import droidloop

PACKAGE = Path(droidloop.__file__).parent
PARTS = ("platform", "network", "models", "devices", "scenarios")
TRAP = "open({mark!r}, 'w').close()\n"
EXPORT = """
from droidloop.models.packages.child import KeptChild
from droidloop.platform.errors import PackageError

child = KeptChild("droidloop.platform.served")
try:
    child.ask("", what="exporting", timeout_s=60)
except PackageError as error:
    print(error)
"""


def started(tree: ast.AST) -> Iterator[list[ast.expr]]:
    """Yield what follows ``sys.executable`` in each list of words that begins with it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple):
            words = node.elts
            for k, word in enumerate(words):
                if ast.unparse(word) in ("sys.executable", "python"):
                    yield words[k + 1 :]


def is_safe(words: list[ast.expr]) -> bool:
    """Return whether Python is told not to look into the current folder."""
    return bool(words) and isinstance(words[0], ast.Constant) and words[0].value in ("-P", "-I")


def test_every_child_is_told_not_to_look_into_the_current_folder() -> None:
    found = 0
    for part in PARTS:
        for path in (PACKAGE / part).rglob("*.py"):
            text = path.read_text()
            for words in started(ast.parse(text)) if "sys.executable" in text else ():
                found += 1
                assert is_safe(words), f"{path}: {[ast.unparse(one) for one in words]}"
    assert found >= 4  # sweeps, exports, runners on this host, pip


@pytest.mark.parametrize("line", ["[sys.executable, '-m', 'x']", "(sys.executable, *more)"])
def test_the_guard_sees_one_that_is_not(line: str) -> None:
    [words] = started(ast.parse(line))
    assert not is_safe(words)


def test_a_planted_module_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "it-was-run"
    for name in ("json", "numpy", "simpy", "selectors", "droidloop"):
        (tmp_path / f"{name}.py").write_text(TRAP.format(mark=str(mark)))
    done = subprocess.run(
        [sys.executable, "-P", "-c", EXPORT],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert "exporting: exit code 0" in done.stdout
    assert not mark.exists()
