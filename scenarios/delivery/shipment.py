"""What a package asks of a phone, from its own figures: bytes, memory, arithmetic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from droidloop.models.interfaces.learning import Cost
from droidloop.models.packages.export import GOLDEN_RUNS
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.models.packages.packing import DYNAMIC
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.state import kept_value

LIST_OPERATORS = 4
"""Of a scorer at most: a lookup, a product, and what quantization adds before and after."""


@kept_value
@dataclass(frozen=True)
class Shipment:
    """What a phone receives and what it then has to do, from the package's own figures.

    Attributes:
        version: of the package.
        variant: of it.
        package_bytes: what crosses the link: the variant, its manifest and its golden values.
        model_bytes: what is read from storage to load it.
        runtime: the lowest runtime version that computes it rightly.
        check: what running the golden inputs takes.
        run: what computing one list takes.
        wrong: why it does not give its golden outputs, by LiteRT here; empty: it does.
    """

    version: int
    variant: str
    package_bytes: int
    model_bytes: int
    runtime: int
    check: Cost
    run: Cost
    wrong: str = ""


@dataclass(frozen=True)
class Held:
    """Which one of *shipments* each of some phones has or is offered.

    Attributes:
        shipments: the distinct ones.
        which: the place of each phone's among them, (phones,).
    """

    shipments: Sequence[Shipment]
    which: IntArray

    def column(self, of: Callable[[Shipment], object]) -> IntArray:
        """Return what *of* says of each phone's shipment, (phones,)."""
        return np.array([of(one) for one in self.shipments], np.int64)[self.which]

    def take(self, phones: BoolArray) -> "Held":
        """Return those of some of the *phones*."""
        return Held(self.shipments, self.which[phones])


def shipment_of(package: Package, name: str, version: int, work: Cost | None = None) -> Shipment:
    """Return the shipment of variant *name*.

    One list takes the operations and the memory traffic of *work*; without it 2 x items x dim
    operations and one pass over the table: unpacked to float32 when it is loaded, unless the
    variant computes in integers. Activation runs the golden inputs. Memory is what LiteRT was
    measured to need.
    """
    variant = package.variant(name)
    model_bytes = len(package.model(name))
    weights = package.n_items * package.dim
    moved_bytes = weights if name == DYNAMIC else 4 * weights
    one = Cost(2 * weights, moved_bytes, variant.ram_bytes)
    if work is not None:
        one = Cost(work.flops, work.moved_bytes, variant.ram_bytes)
    one = replace(one, operators=LIST_OPERATORS)
    check = Cost(
        GOLDEN_RUNS * one.flops,
        GOLDEN_RUNS * one.moved_bytes,
        variant.ram_bytes,
        GOLDEN_RUNS * LIST_OPERATORS,
    )
    outputs = LiteRT(package.model(name)).run(package.golden_inputs())
    return Shipment(
        version=version,
        variant=name,
        package_bytes=package.delivery_bytes(name),
        model_bytes=model_bytes,
        runtime=variant.min_runtime,
        check=check,
        run=one,
        wrong=package.judge(name, outputs) or "",
    )
