"""Releases that are bad on purpose give what was meant to be bad."""

import numpy as np
import pytest

from droidloop.models.interfaces.learning import EmbeddingTable, Params
from droidloop.models.packages.exportable import Graph, scoring_table
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.elastic import ElasticTable
from droidloop.models.tables.hashed import HashedTable
from droidloop.platform.draws import Draws
from droidloop.scenarios.delivery.planted import turned_round

N, DIM = 12, 4
DRAWS = Draws(3, "planted")


def shipped(kind: str) -> tuple[EmbeddingTable, Params]:
    """Return a table of that kind as it ships, with its parameters."""
    match kind:
        case "dense":
            table: EmbeddingTable = DenseTable(N, DIM, sd=0.3)
        case "hashed":
            table = HashedTable(N, DIM, buckets=5, sd=0.3)
        case _:  # one of its constants is the order of items
            whole = ElasticTable(N, DIM, blocks=2, groups=3, sd=0.3)
            return whole.cut(whole.init(DRAWS), round(0.9 * whole.nbytes))
    return table, table.init(DRAWS)


@pytest.fixture(params=["dense", "hashed", "elastic"])
def graph(request: pytest.FixtureRequest) -> Graph:
    """What scores with a table of that kind."""
    return scoring_table(*shipped(request.param))


def test_a_worse_release_gives_every_score_negated(graph: Graph) -> None:
    inputs = graph.golden_inputs(3)
    right, wrong = graph.run(inputs)["scores"], turned_round(graph).run(inputs)["scores"]
    assert np.abs(right).max() > 0
    np.testing.assert_array_equal(wrong, -right)
