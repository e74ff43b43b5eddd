"""Real packages for installing: exported once, two versions of one table."""

import numpy as np
import pytest

from droidloop.models.packages.export import export
from droidloop.models.packages.exportable import scoring
from droidloop.models.packages.package import Package
from droidloop.models.updates.signing import Keys
from droidloop.platform.draws import Draws

VARIANTS = ("float32", "float16", "int8", "int8-dynamic", "int4")


def table(version: int):  # type: ignore[no-untyped-def]
    """Return an item table, (300, 16), a third of whose rows change with each version."""
    items, axes = np.arange(300)[:, None], np.arange(16)[None, :]
    values = Draws(7, "items").normal(items, axes)
    for k in range(1, version):
        draws = Draws(k, "change")
        values = values + 0.05 * draws.normal(items, axes) * (draws.uniform(items, 99) < 0.3)
    return values.astype(np.float32)


@pytest.fixture(scope="session")
def versions() -> list[Package]:
    """Versions 1 and 2 with all variants."""
    return [export(scoring(table(v)), name="mf", version=v, variants=VARIANTS) for v in (1, 2)]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Keys of all roles."""
    return Keys.make(tmp_path_factory.mktemp("made") / "keys")
