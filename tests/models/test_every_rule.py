"""No rule without its contract suite: what the suites promise, private names included, holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STEPS = {
    ("step", "cohort", "inbox", "data", "draws"): "ClientRuleContract",
    ("loss", "params", "batch"): "RecommenderContract",
}


def files(folder: str) -> Iterator[tuple[str, list[ast.ClassDef]]]:
    """Yield the source and the classes of every module in *folder*."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        source = path.read_text()
        yield source, [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]


def bases(node: ast.ClassDef) -> set[str]:
    return {base.id for base in node.bases if isinstance(base, ast.Name)}


def suites(contract: str) -> str:
    """Return the source of the files that make suites from *contract*."""
    return "\n".join(
        source
        for source, classes in files("tests")
        if any(contract in bases(node) for node in classes)
    )


def implementations(method: tuple[str, ...]) -> set[str]:
    return {
        node.name
        for _, classes in files("models")
        for node in classes
        if "Protocol" not in bases(node)
        for part in node.body
        if isinstance(part, ast.FunctionDef)
        and (part.name, *(argument.arg for argument in part.args.args[1:])) == method
    }


@pytest.mark.parametrize("method", STEPS)
def test_every_implementation_has_a_contract_suite(method: tuple[str, ...]) -> None:
    source, names = suites(STEPS[method]), implementations(method)
    assert {"FedMF", "FedNCF", "FCF"} <= names or {"MF", "NeuMF"} <= names
    missing = sorted(name for name in names if f"{name}(" not in source)
    assert not missing
