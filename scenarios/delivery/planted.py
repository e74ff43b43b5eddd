"""Releases that are bad on purpose: what must be held back can be seen to be."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from droidloop.models.packages.exportable import SCORER, Graph, builder_of
from droidloop.models.packages.package import Package, read_npy, write_npy

from .shipment import Shipment

SLOW_OPERATORS = 10**7
"""Ten seconds of a list where dispatching an operator takes a microsecond."""
KIND = "kind_of_the_other_way_round"
"""The constant that says what is turned round: a graph has nothing but arrays."""


def turned_round(graph: Graph) -> Graph:
    """Return *graph* with every score negated: lists begin with the worst."""
    if graph.kind == SCORER:  # and stays one
        return replace(graph, constants={"table": -graph.constants["table"]})
    kind = np.frombuffer(graph.kind.encode(), np.uint8).copy()
    return replace(graph, kind=f"{__name__}:worst_first", constants={**graph.constants, KIND: kind})


class WorstFirst(nn.Module):
    """Scores as another module does, negated."""

    def __init__(self, right: nn.Module) -> None:
        super().__init__()
        self.right = right

    def forward(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the negated ``{"scores": (1, n_items)}``."""
        return {"scores": -self.right(**inputs)["scores"]}


def worst_first(**constants: torch.Tensor) -> nn.Module:
    """Return the module of the kind that stands in ``KIND``, on the other constants, negated."""
    kind = bytes(constants.pop(KIND).tolist()).decode()
    return WorstFirst(builder_of(kind)(**constants))


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
