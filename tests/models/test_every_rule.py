"""No rule without its contract suite: what the suites promise, private names included, holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STEPS = {
    ("step", "cohort", "inbox", "data", "draws"): ("ClientRuleContract", {"FedMF", "FCF"}),
    ("loss", "params", "batch"): ("RecommenderContract", {"MF", "NeuMF", "LightGCN"}),
}
"""The method that makes a class one of a kind: the suite of that kind, and some that are known."""


def modules(folder: Path) -> Iterator[ast.Module]:
    for path in sorted(folder.rglob("*.py")):
        yield ast.parse(path.read_text())


def classes(module: ast.Module) -> list[ast.ClassDef]:
    return [node for node in module.body if isinstance(node, ast.ClassDef)]


def bases(node: ast.ClassDef) -> set[str]:
    return {base.id for base in node.bases if isinstance(base, ast.Name)}


def made_in_suites(contract: str, tests: Path) -> set[str]:
    """Return the names that are called in the files that make suites from *contract*."""
    return {
        node.func.id
        for module in modules(tests)
        if any(contract in bases(one) for one in classes(module))
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def implementations(method: tuple[str, ...], models: Path) -> set[str]:
    """Return the classes that have *method*, or get it from another one of *models*.

    A plain class that others inherit from is no implementation by itself.
    """
    every = {node.name: node for module in modules(models) for node in classes(module)}
    shared = {base for node in every.values() for base in bases(node)}

    def has(node: ast.ClassDef) -> bool:
        own = {
            (part.name, *(argument.arg for argument in part.args.args[1:]))
            for part in node.body
            if isinstance(part, ast.FunctionDef)
        }
        return method in own or any(has(every[base]) for base in bases(node) & every.keys())

    return {
        name
        for name, node in every.items()
        if "Protocol" not in bases(node)
        and has(node)
        and (node.decorator_list or name not in shared)
    }


@pytest.mark.parametrize("method", STEPS)
def test_every_implementation_has_a_contract_suite(method: tuple[str, ...]) -> None:
    contract, known = STEPS[method]
    found = implementations(method, ROOT / "models")
    assert known <= found
    assert found - made_in_suites(contract, ROOT / "tests") == set()


@pytest.mark.parametrize("method", STEPS)
def test_an_implementation_without_a_suite_is_seen(method: tuple[str, ...], tmp_path: Path) -> None:
    name, *arguments = method
    contract, known = STEPS[method]
    source = f"class New:\n    def {name}(self, {', '.join(arguments)}): ...\n"
    (tmp_path / "new.py").write_text(source)
    assert implementations(method, tmp_path) == {"New"}
    # a suite of another one, whose name ends alike, is none of this one
    suite = f"class TestIt({contract}):\n    rule = FedNew(3)\n    other = New\n"
    (tmp_path / "test_new.py").write_text(suite)
    assert "New" not in made_in_suites(contract, tmp_path)
    assert known <= made_in_suites(contract, ROOT / "tests")
