"""The file of a plain scorer, written without a converter, computes what the converter's does."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.models.packages import export as export_module
from droidloop.models.packages.exportable import scoring
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.scorer_file import ALIGNED, scorer_file
from droidloop.platform.arrays import Float32Array
from droidloop.platform.draws import Draws

VARIANTS = ["float32", "float16", "int8", "int8-dynamic", "int4"]
BY_CONVERTER = "droidloop.models.packages.exportable:Scorer"
"""Another name of the same module, which no short way is known for."""


def numbers(n: int, dim: int, seed: int) -> Float32Array:
    made = Draws(seed, "numbers").normal(np.arange(n)[:, None], np.arange(dim)[None, :])
    return made.astype(np.float32)


def test_every_variant_scores_as_that_of_the_converter_to_the_bit() -> None:
    graph, users = scoring(numbers(37, 8, 1)), numbers(5, 8, 2)
    short = export_module.convert(graph, VARIANTS, 600)
    long = export_module.convert(replace(graph, kind=BY_CONVERTER), VARIANTS, 600)
    for variant in VARIANTS:
        ours, theirs = LiteRT(short[variant]), LiteRT(long[variant])
        assert (ours.signature, ours.inputs.keys()) == (theirs.signature, theirs.inputs.keys())
        assert ours.outputs.keys() == theirs.outputs.keys()
        assert np.array_equal(ours.scores(users).values, theirs.scores(users).values)


@pytest.mark.parametrize(("n", "dim"), [(1, 1), (3, 5), (1000, 7)])
def test_the_table_lies_where_it_can_be_read_in_place(n: int, dim: int) -> None:
    table = numbers(n, dim, 3)
    model = scorer_file(table, "score", "user", "scores")
    assert model.index(table.tobytes()) % ALIGNED == 0
    assert len(model) < table.nbytes + 1024
    assert model == scorer_file(table[:, :], "score", "user", "scores")
    one = numbers(1, dim, 4)
    scores = LiteRT(model).scores(one).values
    np.testing.assert_allclose(scores, one @ table.T, rtol=1e-5, atol=1e-5)
