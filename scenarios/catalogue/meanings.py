"""What the keys of a section mean: the docstrings under them, read off the source when asked for.

pydantic can do so whenever a type is made, which looks through the frames and files of whoever
imports it, in every run, for words that no run shows.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from droidloop.platform.section import Section


def meanings(section: type[Section]) -> dict[str, str]:
    """Return the docstring under each key of *section*, its own or inherited, on one line.

    A key of a type that was made, not written, has none.
    """
    found: dict[str, str] = {}
    for base in reversed(section.__mro__):
        if issubclass(base, Section):
            found |= _written(base.__module__).get(base.__qualname__, {})
    return found


@cache
def _written(module: str) -> dict[str, dict[str, str]]:
    """Return the docstrings under keys by the qualified names of the classes of *module*."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except OSError:  # a package may come without its source
        return {}
    return {name: dict(_under_keys(one)) for name, one in _classes(tree, "")}


def _classes(node: ast.AST, within: str) -> Iterator[tuple[str, ast.ClassDef]]:
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.ClassDef):
            yield f"{within}{one.name}", one
            yield from _classes(one, f"{within}{one.name}.")
        elif isinstance(one, ast.FunctionDef):
            yield from _classes(one, f"{within}{one.name}.<locals>.")


def _under_keys(one: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for key, below in pairwise(one.body):
        match key, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())
