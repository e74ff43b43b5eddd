"""Elastic tables: any budget holds, more bytes keep all that fewer do, steps see subsets."""

import numpy as np
import pytest
import torch

from droidloop.models.data.split import leave_one_out
from droidloop.models.data.synthetic import generate
from droidloop.models.fitting.fit import Hyperparameters, fit
from droidloop.models.interfaces.learning import Params, init_all
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.elastic import METHOD, CutTable, ElasticSection, ElasticTable
from droidloop.platform.arrays import FloatArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError, ScenarioError
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(5, "elastic")
TABLE = ElasticTable(300, 16, 8, 5)
PARAMS = TABLE.init(DRAWS)
BUDGETS = [TABLE.nbytes * share // 100 for share in range(20, 101)]


class TestWhole(EmbeddingTableContract):
    table = ElasticTable(40, 24, 6)
    packed_bytes = 40 * 24 * 4


class TestCut(EmbeddingTableContract):
    table = CutTable(40, 24, 6, ((0, 5), (1,), (0, 1, 2, 3, 4, 5)), np.arange(40)[::-1])
    packed_bytes = 4 * 4 * (1 + 14 * 2 + 13 * 1 + 13 * 6) + 4 * 40


class TestCutOfOneGroup(EmbeddingTableContract):
    table = CutTable(41, 6, 3, ((0, 2),), np.arange(41), name="place")
    packed_bytes = 4 * 2 * (1 + 41 * 2)


def errors() -> FloatArray:
    """Return the sum of squares that each of ``BUDGETS`` loses."""
    lost = []
    for budget in BUDGETS:
        table, values = TABLE.cut(PARAMS, budget)
        lost.append((PARAMS["item"] - every(table, values)).double().square().sum().item())
    return np.array(lost)


def every(table: ElasticTable | CutTable, params: Params) -> torch.Tensor:
    return table.lookup(params, torch.arange(table.n))


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_cut_never_exceeds_its_budget_and_leaves_no_room_for_a_block(budget: int) -> None:
    table, values = TABLE.cut(PARAMS, budget)
    assert len(table.pack(values)) - 12 == table.nbytes <= budget
    largest_block = 4 * (TABLE.n // TABLE.groups) * (TABLE.dim // TABLE.blocks)
    if budget < TABLE.nbytes - 4 * TABLE.n:
        assert table.nbytes > budget - largest_block


def test_more_bytes_lose_less_and_all_bytes_lose_nothing() -> None:
    lost = errors()
    assert (np.diff(lost) <= 0).all()
    assert lost[-1] == 0
    assert lost[0] > lost[len(lost) // 2] > 0


def test_what_is_kept_is_kept_as_it_was_and_the_rest_is_zero() -> None:
    table, values = TABLE.cut(PARAMS, TABLE.nbytes // 2)
    kept = every(table, values)
    assert torch.equal(kept, torch.where(kept == 0, 0, PARAMS["item"]))


def test_a_cut_keeps_no_less_than_random_blocks_of_as_many_bytes() -> None:
    table, values = TABLE.cut(PARAMS, TABLE.nbytes // 2)
    kept = every(table, values).square().sum()
    order = DRAWS.order(np.arange(TABLE.n), 0)
    for number in range(20):
        places = DRAWS.order(np.arange(TABLE.blocks), number).tolist()
        blocks = tuple(tuple(sorted(places[: len(one)])) for one in table.kept)
        other = CutTable(TABLE.n, TABLE.dim, TABLE.blocks, blocks, order)
        assert abs(other.nbytes - table.nbytes) <= 4 * TABLE.dim
        assert every(other, other.of(PARAMS["item"])).square().sum() < kept


def test_a_budget_that_holds_no_block_of_each_vector_is_refused_with_what_would_do() -> None:
    least = TABLE.least_bytes
    assert least == 4 * 2 * (1 + 300) + 4 * 300
    assert TABLE.cut(PARAMS, least)[0].nbytes == least
    with pytest.raises(PackageError, match=f"give {least} or more"):
        TABLE.cut(PARAMS, least - 1)


def test_a_step_sees_some_blocks_of_every_vector_and_others_the_next_time() -> None:
    ones, ids = {"item": torch.ones(300, 16)}, torch.arange(300)
    seen = []
    for counter in range(2):
        vectors = TABLE.in_step(DRAWS, 3, counter).lookup(ones, ids).reshape(300, 8, 2)
        assert torch.equal(vectors[..., 0], vectors[..., 1])
        assert set(vectors[..., 0].sum(-1).tolist()) == set(range(1, 9))
        seen.append(vectors)
    assert not torch.equal(*seen)
    again = TABLE.in_step(DRAWS, 3, 1).lookup(ones, ids[::2])
    assert torch.equal(again, seen[1].flatten(-2)[::2])


def test_other_tables_are_whole_in_every_step() -> None:
    table = DenseTable(3, 2)
    assert table.in_step(DRAWS, 0, 0) is table


def test_one_training_serves_all_budgets_better_than_a_dense_one_that_is_cut() -> None:
    """The loss over all pairs of what is left at a quarter of the bytes."""
    train = leave_one_out(generate(60, 80, 12, DRAWS)).train
    lost = {}
    for name, table in (("dense", DenseTable(80, 16)), ("elastic", ElasticTable(80, 16, 8, 2))):
        mf = MF(80, 16, table=table)
        params = fit(
            *(mf, init_all(mf, DRAWS, 60), train),
            Hyperparameters(epochs=40, lr=0.02, batch=64, negatives=4),
            n_items=80,
            draws=DRAWS,
        )
        cut, values = ElasticTable(80, 16, 8, 2).cut(params, 80 * 16 * 4 // 4)
        scores = params["user"] @ every(cut, values).T
        had = torch.zeros(60, 80)
        had[np.repeat(np.arange(60), train.counts), train.items] = 1
        pairs = torch.nn.functional.binary_cross_entropy_with_logits(scores, had, reduction="none")
        # negatives are drawn among what the user has not: as many as four for each item
        lost[name] = (pairs * had).sum() / had.sum() + 4 * (pairs * (1 - had)).mean()
    assert lost["elastic"] < lost["dense"]


def test_it_ships_in_its_share_of_the_bytes() -> None:
    table = METHOD.build(ElasticSection(budget=0.4), 300, 16, sd=0.1)
    kind, constants = table.scorer(PARAMS)
    assert kind.endswith("CutScorer")
    assert sum(array.nbytes for array in constants.values()) <= 0.4 * 4 * 300 * 16 + 8 * 16 * 4


def test_blocks_and_budgets_that_cannot_be_are_refused_in_one_line() -> None:
    assert find("table", "elastic") is METHOD
    assert METHOD.build(ElasticSection(), 30, 24, sd=0.1).blocks == 12
    with pytest.raises(ScenarioError, match="choose a divisor"):
        METHOD.build(ElasticSection(blocks=5), 30, 24, sd=0.1)
    with pytest.raises(ScenarioError, match="raise it"):
        METHOD.build(ElasticSection(budget=0.05), 30, 24, sd=0.1)
    with pytest.raises(ValueError, match="no 0 vectors"):
        ElasticTable(0, 4, 2)
    with pytest.raises(ValueError, match="groups"):
        ElasticTable(3, 4, 2, 4)
