"""Releases that are bad on purpose: what must be held back can be seen to be."""

from dataclasses import replace

from droidloop.models.packages.exportable import Graph
from droidloop.models.packages.package import Package, read_npy, write_npy

from .shipment import Shipment

SLOW_OPERATORS = 10**7
"""Ten seconds of a list where dispatching an operator takes a microsecond."""


def turned_round(graph: Graph) -> Graph:
    """Return *graph* with every item's row negated: lists begin with the worst."""
    (output,) = graph.outputs
    n_items = output.shape[-1]
    constants = {
        name: -array if len(array) == n_items else array for name, array in graph.constants.items()
    }
    return replace(graph, constants=constants)


def spoiled(package: Package) -> Package:
    """Return *package* whose models no longer give what its golden outputs say."""
    manifest, files = package.manifest, dict(package.files)
    for variant in manifest.variants.values():
        for path in variant.golden_outputs.values():
            files[path] = write_npy(-read_npy(files[path], path) - 1.0)
    fields = {
        name: getattr(manifest, name) for name in type(manifest).model_fields if name != "files"
    }
    return Package.build(files=files, **fields)


def slowed(shipment: Shipment) -> Shipment:
    """Return *shipment* with lists that dispatch far more operators."""
    return replace(shipment, run=replace(shipment.run, operators=SLOW_OPERATORS))
