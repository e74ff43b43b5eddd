import numpy as np
import pytest
import torch

from droidloop.models.packages.exportable import Graph, Scorer, scoring
from droidloop.platform.arrays import Array
from droidloop.platform.errors import PackageError


def test_a_scorer_multiplies_the_table_by_the_user_vector() -> None:
    table = torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, -1.0]])
    scores = Scorer(table)(torch.tensor([[10.0, 1.0]]))["scores"]
    assert scores.tolist() == [[12.0, 34.0, -1.0]]


def test_the_table_is_a_constant_that_no_optimiser_sees() -> None:
    module = Scorer(torch.ones(3, 2))
    assert list(module.parameters()) == []
    assert [name for name, _ in module.named_buffers()] == ["table"]


def test_the_user_vector_is_an_input_and_the_item_table_is_not() -> None:
    graph = scoring(np.ones((5, 3), np.float32))
    assert [(s.name, s.shape) for s in graph.inputs] == [("user", (1, 3))]
    assert [(s.name, s.shape) for s in graph.outputs] == [("scores", (1, 5))]


def test_golden_inputs_are_the_same_for_every_table_of_that_width() -> None:
    """They tell nothing about a user: they do not depend on what was trained."""
    one = scoring(np.ones((5, 3), np.float32)).golden_inputs(4)
    other = scoring(np.full((9, 3), 7, np.float32)).golden_inputs(4)
    assert one["user"].shape == (4, 1, 3)
    assert (one["user"] == other["user"]).all()
    assert (one["user"] * 256 == np.round(one["user"] * 256)).all()


def test_torch_runs_a_graph_input_by_input() -> None:
    graph = scoring(np.eye(3, dtype=np.float32))
    golden = graph.golden_inputs(2)
    assert (graph.run(golden)["scores"] == golden["user"]).all()


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (np.ones(4), r"\(n_items, dim\), not \(4,\)"),
        (np.ones((0, 4)), r"not \(0, 4\)"),
        (np.ones((4, 0)), r"not \(4, 0\)"),
        (np.array([[1.0, np.nan]]), "not finite"),
        (np.array([[1.0, np.inf]]), "not finite"),
        (np.broadcast_to(np.float32(1), (2**24, 32)), "does not fit a .tflite file"),
    ],
)
def test_what_is_no_item_table_is_refused(table: Array, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        scoring(table)


@pytest.mark.parametrize("kind", ["nonsense", "droidloop.models.tables.dense:nothing", "no.such:x"])
def test_a_graph_of_a_kind_that_does_not_exist_is_refused(kind: str) -> None:
    with pytest.raises(PackageError, match=kind):
        Graph(kind, "score", {}, (), ()).module()
