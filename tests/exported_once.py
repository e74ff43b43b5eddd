"""Packages of runs, each exported once: runs that have learned the same get the same package.

That a graph gives the same bytes every time is tested where it is exported.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from droidloop.models.packages.export import export
from droidloop.models.packages.exportable import Graph
from droidloop.models.packages.package import Package

Key = Callable[[Graph, Sequence[str]], str]


def by_content(graph: Graph, variants: Sequence[str]) -> str:
    """Tell graphs apart by all that goes into a package."""
    digest = hashlib.sha256(repr((graph.kind, variants)).encode())
    for constant in sorted(graph.constants):
        digest.update(constant.encode() + graph.constants[constant].tobytes())
    return digest.hexdigest()


def by_shape(graph: Graph, variants: Sequence[str]) -> str:
    """Tell graphs apart by their shape alone: a package keeps the weights of the first one."""
    shapes = sorted((name, array.shape) for name, array in graph.constants.items())
    return repr((graph.kind, shapes, variants))


@contextmanager
def exported_once(key_of: Key = by_content) -> Iterator[None]:
    """Keep packages during the block, one for each of *key_of*, name and list of items."""
    kept: dict[str, Package] = {}

    def export_once(
        graph: Graph,
        *,
        name: str,
        version: int,
        variants: Sequence[str] = (),
        items: Sequence[str] = (),
    ) -> Package:
        key = repr((key_of(graph, variants), name, items))
        if key not in kept:
            kept[key] = export(graph, name=name, version=version, variants=variants, items=items)
        one = kept[key]
        return Package(one.manifest.model_copy(update={"version": version}), one.files)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("droidloop.scenarios.delivery.releases.export", export_once)
        yield
