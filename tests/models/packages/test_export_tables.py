"""Each table exports itself: the file scores as look-ups do, and is as small as the table."""

import numpy as np
import pytest

from droidloop.models.interfaces.learning import EmbeddingTable, Params
from droidloop.models.packages.export import export
from droidloop.models.packages.exportable import scoring_table
from droidloop.models.packages.litert import LiteRT, check
from droidloop.models.tables.assigned import AssignedTable
from droidloop.models.tables.binary import BinaryTable
from droidloop.models.tables.codebooks import CodebooksTable
from droidloop.models.tables.codes import CodebookTable
from droidloop.models.tables.deep_hash import DeepHashTable
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.elastic import ElasticTable
from droidloop.models.tables.float_rows import every_vector
from droidloop.models.tables.hashed import HashedTable
from droidloop.models.tables.joint_codes import JointCodesTable
from droidloop.models.tables.masked import MaskedTable
from droidloop.models.tables.mixed import MixedTable
from droidloop.models.tables.phase import PhaseTable
from droidloop.models.tables.pruned import PrunedTable
from droidloop.models.tables.quotient_remainder import QuotientRemainderTable
from droidloop.models.tables.tensor_chain import TensorChainTable
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws

N, DIM = 5003, 16
DRAWS = Draws(6, "export tables")
TABLES: dict[str, EmbeddingTable] = {
    "dense": DenseTable(N, DIM),
    "hashed": HashedTable(N, DIM, 150),
    "multiply": QuotientRemainderTable(N, DIM, 71),
    "add": QuotientRemainderTable(N, DIM, 71, "add"),
    "concat": QuotientRemainderTable(N, DIM + 1, 71, "concat"),
    "binary": BinaryTable(N, DIM),
    "elastic": ElasticTable(N, DIM, 16, 3),
    "pruned": PrunedTable(N, DIM, 1.0),
    "joint-codes": JointCodesTable(N, DIM, 3, 32),
    "codebooks": CodebooksTable(N, DIM, 150, there=np.arange(300 * DIM).reshape(300, DIM) % 5 < 2),
    "assigned": AssignedTable(N, DIM, 200, np.arange(N)[:, None] // np.array([1, 200]) % 200),
    "tensor-chain": TensorChainTable(N, DIM, 8, 2, 2),
    "phase": PhaseTable(N, DIM),
    "deep-hash": DeepHashTable(N, DIM, 48, 32),
    "masked": MaskedTable.of(np.arange(N * DIM).reshape(N, DIM) % 10 == 0),
    "mixed": MixedTable.of(np.arange(N) % 3, (DIM, 4, 1), DIM),
    "codes": CodebookTable(N, DIM, 32, np.arange(N)[:, None] // np.array([1, 32, 1024]) % 32),
}
OVERHEAD_BYTES = 6000
"""A bound on what a file holds beside its constants: structure, names, metadata."""


def users_of(table: EmbeddingTable) -> Array:
    rows = DRAWS.child("users").normal(np.arange(3)[:, None], np.arange(table.dim)[None])
    return rows.astype(np.float32)


def exact(table: EmbeddingTable, params: Params, users: Array) -> Array:
    scores: Array = users.astype(np.float64) @ every_vector(table, params).T.astype(np.float64)
    return scores


@pytest.mark.parametrize("name", TABLES)
def test_the_module_of_a_table_scores_as_its_look_ups_do(name: str) -> None:
    table = TABLES[name]
    params, users = table.init(DRAWS), users_of(table)
    found = scoring_table(table, params).run({"user": users[:, None]})["scores"][:, 0]
    np.testing.assert_allclose(found, exact(table, params, users), atol=1e-5)


@pytest.mark.parametrize("name", ["hashed", "multiply", "concat"])
def test_the_file_of_a_small_table_is_small_and_scores_as_its_look_ups_do(name: str) -> None:
    table = TABLES[name]
    params, users = table.init(DRAWS), users_of(table)
    variants = ("float32", "int8", "int8-dynamic")
    package = export(scoring_table(table, params), name="mf", version=1, variants=variants)
    for variant in variants:
        check(package, variant)
        assert len(package.model(variant)) < table.nbytes + OVERHEAD_BYTES < 4 * N * DIM / 10
    scores = LiteRT(package.model("float32")).scores(users).values
    np.testing.assert_allclose(scores, exact(table, params, users), atol=1e-5)
    rounded = LiteRT(package.model("int8")).scores(users).values
    assert np.abs(rounded - scores).max() < 0.02 * np.abs(scores).max()


def test_codes_export_in_a_byte_each() -> None:
    table, users = TABLES["codes"], users_of(TABLES["codes"])
    params = table.init(DRAWS)
    package = export(scoring_table(table, params), name="mf", version=1, variants=("float32",))
    check(package, "float32")
    constants = 3 * N + 4 * 3 * 32 * DIM
    assert 0 < len(package.model("float32")) - constants < 2 * OVERHEAD_BYTES
    scores = LiteRT(package.model("float32")).scores(users).values
    np.testing.assert_allclose(scores, exact(table, params, users), atol=1e-5)


def test_a_pruned_table_exports_what_it_keeps() -> None:
    table, users = PrunedTable(N, DIM, 0.1), users_of(TABLES["pruned"])
    params = table.init(DRAWS)
    package = export(scoring_table(table, params), name="mf", version=1, variants=("float32",))
    check(package, "float32")
    kept_and_order = 5 * table.kept + 4 * N
    assert len(package.model("float32")) < 1.2 * kept_and_order + 4 * OVERHEAD_BYTES < table.n * 64
    scores = LiteRT(package.model("float32")).scores(users).values
    shipped = table.unpack(table.pack(params))
    np.testing.assert_allclose(scores, exact(table, shipped, users), atol=1e-5)


def test_an_elastic_table_exports_at_a_budget() -> None:
    table, users = ElasticTable(N, DIM, 16, 3, share=0.25), users_of(TABLES["elastic"])
    params = table.init(DRAWS)
    package = export(scoring_table(table, params), name="mf", version=1, variants=("float32",))
    check(package, "float32")
    budget = table.nbytes // 4
    assert budget / 2 < len(package.model("float32")) < budget + OVERHEAD_BYTES
    cut, values = table.cut(params, budget)
    scores = LiteRT(package.model("float32")).scores(users).values
    np.testing.assert_allclose(scores, exact(cut, values, users), atol=1e-5)


def test_a_binary_table_exports_in_a_byte_for_eight_signs() -> None:
    table, users = TABLES["binary"], users_of(TABLES["binary"])
    params = table.init(DRAWS)
    package = export(scoring_table(table, params), name="mf", version=1, variants=("float32",))
    check(package, "float32")
    of_signs = 256 * 8 * 4
    assert 0 < len(package.model("float32")) - table.nbytes - of_signs < 2 * OVERHEAD_BYTES
    scores = LiteRT(package.model("float32")).scores(users).values
    np.testing.assert_allclose(scores, exact(table, params, users), atol=1e-5)


@pytest.mark.parametrize("name", ["codebooks", "assigned", "tensor-chain", "phase"])
def test_composed_tables_export_as_small_as_they_are(name: str) -> None:
    table, users = TABLES[name], users_of(TABLES[name])
    params = table.init(DRAWS)
    package = export(scoring_table(table, params), name="mf", version=1, variants=("float32",))
    check(package, "float32")
    more = 2 * N + 256 * 8 * 4 if name in ("assigned", "phase") else 0  # whole bytes of codes
    assert len(package.model("float32")) < table.nbytes + more + 5 * OVERHEAD_BYTES < 4 * N * DIM
    scores = LiteRT(package.model("float32")).scores(users).values
    np.testing.assert_allclose(scores, exact(table, params, users), atol=1e-5)


def test_a_deep_hash_table_exports_without_a_byte_for_an_item() -> None:
    table, users = TABLES["deep-hash"], users_of(TABLES["deep-hash"])
    params = table.init(DRAWS)
    package = export(scoring_table(table, params), name="mf", version=1, variants=("float32",))
    check(package, "float32")
    assert len(package.model("float32")) < table.nbytes + 3 * OVERHEAD_BYTES < 8 * N
    scores = LiteRT(package.model("float32")).scores(users).values
    np.testing.assert_allclose(scores, exact(table, params, users), atol=1e-5)


@pytest.mark.parametrize("name", ["masked", "mixed"])
def test_a_table_that_a_search_has_made_exports_smaller_than_a_dense_one(name: str) -> None:
    table, users = TABLES[name], users_of(TABLES[name])
    params = table.init(DRAWS)
    package = export(scoring_table(table, params), name="mf", version=1, variants=("float32",))
    check(package, "float32")
    where = 8 * N  # the order of rows, and a column each
    assert len(package.model("float32")) < table.nbytes + where + 4 * OVERHEAD_BYTES < 4 * N * DIM
    scores = LiteRT(package.model("float32")).scores(users).values
    np.testing.assert_allclose(scores, exact(table, params, users), atol=1e-5)
