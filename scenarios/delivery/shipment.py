"""What a package asks of a phone, from its own figures: bytes, memory, arithmetic."""

from dataclasses import replace

from droidloop.models.interfaces.learning import Cost
from droidloop.models.packages.export import GOLDEN_RUNS
from droidloop.models.packages.package import Package
from droidloop.models.packages.packing import DYNAMIC

from .delivery import Shipment

LIST_OPERATORS = 4
"""Of a scorer at most: a lookup, a product, and what quantization adds before and after."""


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
    return Shipment(
        version=version,
        package_bytes=package.delivery_bytes(name),
        model_bytes=model_bytes,
        runtime=variant.min_runtime,
        check=check,
        run=one,
    )
