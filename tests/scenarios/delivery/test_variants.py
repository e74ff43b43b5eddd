"""Which variants ship, and in which order phones are offered them."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from droidloop.platform.errors import UsageError
from droidloop.scenarios.delivery.releases import variants_of
from droidloop.scenarios.schema.delivery_section import DeliverySection


def measured(folder: Path, **values: float) -> str:
    path = folder / "variants.jsonl"
    figures = {"bytes": 1, "peak_ram_bytes": 1, "latency_s": 0.1}
    lines = [json.dumps({"name": name, **figures, "value": v}) for name, v in values.items()]
    path.write_text("\n".join(lines))
    return str(path)


def test_one_variant_ships_alone_and_all_the_nearest_to_the_model_first() -> None:
    assert variants_of(DeliverySection(variant="int8")) == ("int8",)
    assert variants_of(DeliverySection(variant="auto")) == ("float32", "int8")


def test_a_frontier_puts_the_variant_first_that_was_measured_best(tmp_path: Path) -> None:
    file = measured(tmp_path, float32=0.3, int8=0.4)
    assert variants_of(DeliverySection(variant="auto", frontier=file)) == ("int8", "float32")
    with pytest.raises(UsageError, match="no line is named 'int8'"):
        variants_of(DeliverySection(variant="auto", frontier=measured(tmp_path, float32=0.3)))


def test_a_frontier_where_one_variant_ships_is_refused() -> None:
    with pytest.raises(ValidationError, match="one variant leaves no choice"):
        DeliverySection(variant="int8", frontier="x")
