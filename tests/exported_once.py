"""Packages of runs, each exported once: runs that have learned the same get the same package.

That a graph gives the same bytes every time is tested where it is exported.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from droidloop.models.packages.export import export
from droidloop.models.packages.exportable import Graph
from droidloop.models.packages.package import Package


@contextmanager
def exported_once() -> Iterator[None]:
    """Keep packages during the block."""
    kept: dict[str, Package] = {}

    def export_once(
        graph: Graph,
        *,
        name: str,
        version: int,
        variants: Sequence[str] = (),
        items: Sequence[str] = (),
    ) -> Package:
        digest = hashlib.sha256(repr((graph.kind, name, version, variants, items)).encode())
        for constant in sorted(graph.constants):
            digest.update(constant.encode() + graph.constants[constant].tobytes())
        key = digest.hexdigest()
        if key not in kept:
            kept[key] = export(graph, name=name, version=version, variants=variants, items=items)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("droidloop.scenarios.delivery.releases.export", export_once)
        yield
