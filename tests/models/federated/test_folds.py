from dataclasses import replace

import numpy as np
import pytest
import torch

from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import (
    Fold,
    Sums,
    by_items,
    equally,
    extent_average,
    fed_avg,
    gradient_descent,
    mf_fed_avg,
    plain_average,
    row_average,
)
from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.staleness import fading, within
from droidloop.models.local.sgd import Sgd
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from tests.contracts.server_rule import ServerRuleContract, bits
from tests.contracts.tiny import cohort_of, equal_data, received

DRAWS = Draws(17, "aggregation")
N, DIM = 6, 3


def params() -> Params:
    return {"item": torch.from_numpy(DRAWS.normal(np.arange(N)[:, None], np.arange(DIM))).float()}


def ragged_uploads() -> Messages:
    """Three messages of rows (0, 2), (2, 3, 5) and (2), weights 1, 2 and 5."""
    rows = np.array([0, 2, 2, 3, 5, 2])
    values = (0.1 * DRAWS.child("up").normal(np.arange(6)[:, None], np.arange(DIM))).astype("f4")
    return Messages(
        kind="delta",
        sender=np.arange(3),
        receiver=np.full(3, SERVER),
        arrays={"item": values},
        weight=np.array([1.0, 2.0, 5.0]),
        base=np.zeros(3, np.int64),
        rows={"item": rows},
        offsets={"item": np.array([0, 2, 5, 6])},
    )


def dense_uploads() -> Messages:
    values = DRAWS.child("full").normal(np.arange(3 * N)[:, None], np.arange(DIM)).astype("f4")
    offsets = {"item": np.arange(4) * N}
    one = ragged_uploads()
    return replace(one, kind="parameters", arrays={"item": values}, rows={}, offsets=offsets)


class TestRowAverage(ServerRuleContract):
    server = staticmethod(lambda: row_average(params()))
    uploads = staticmethod(ragged_uploads)


class TestExtentAverage(ServerRuleContract):
    server = staticmethod(lambda: extent_average(params()))
    uploads = staticmethod(ragged_uploads)


class TestFedAvg(ServerRuleContract):
    server = staticmethod(lambda: fed_avg(params(), staleness=fading(0.5, 3)))
    uploads = staticmethod(dense_uploads)


class TestPlainAverage(ServerRuleContract):
    server = staticmethod(lambda: plain_average(params()))
    uploads = staticmethod(ragged_uploads)


class TestGradientDescent(ServerRuleContract):
    server = staticmethod(lambda: gradient_descent(params(), 0.1))
    uploads = staticmethod(lambda: replace(ragged_uploads(), kind="gradient"))


def mixed_params() -> Params:
    return {**params(), "weight": torch.ones(2, 2), "bias": torch.zeros(1)}


def mixed_uploads() -> Messages:
    """The ragged messages with a dense weight (2, 2) and a bias in each."""
    one, draws = ragged_uploads(), DRAWS.child("dense")
    dense = {
        "weight": draws.normal(np.arange(6)[:, None], np.arange(2)).astype("f4"),
        "bias": draws.normal(np.arange(3), 9).astype("f4"),
    }
    offsets = {**one.offsets, "weight": np.arange(4) * 2, "bias": np.arange(4)}
    return replace(one, arrays={**one.arrays, **dense}, offsets=offsets)


class TestMfFedAvg(ServerRuleContract):
    server = staticmethod(lambda: mf_fed_avg(mixed_params(), {"item"}))
    uploads = staticmethod(mixed_uploads)


def closed(server: Fold, *shards: Messages) -> Array:
    for shard in shards:
        assert server.absorb(shard).all()
    server.close()
    return server.params["item"].numpy()


def test_a_row_moves_by_the_step_times_the_mean_over_those_that_hold_it() -> None:
    up, old = ragged_uploads().arrays["item"].astype(np.float64), params()["item"].numpy()
    expected = old.astype(np.float64)
    expected[0] += 2 * up[0]
    expected[2] += 2 * (up[1] + up[2] + up[5]) / 3
    expected[3] += 2 * up[3]
    expected[5] += 2 * up[4]
    np.testing.assert_allclose(closed(row_average(params()), ragged_uploads()), expected, atol=1e-7)


def test_fed_avg_weighs_by_local_items_and_counts_absent_rows_as_unchanged() -> None:
    up, old = ragged_uploads().arrays["item"].astype(np.float64), params()["item"].numpy()
    expected = old.astype(np.float64)
    expected[0] += up[0] / 8
    expected[2] += (up[1] + 2 * up[2] + 5 * up[5]) / 8
    expected[3] += 2 * up[3] / 8
    expected[5] += 2 * up[4] / 8
    np.testing.assert_allclose(closed(fed_avg(params()), ragged_uploads()), expected, atol=1e-7)


def test_fed_avg_of_whole_tables_is_their_weighted_mean() -> None:
    tables = dense_uploads().arrays["item"].reshape(3, N, DIM).astype(np.float64)
    expected = np.average(tables, axis=0, weights=[1, 2, 5])
    np.testing.assert_allclose(closed(fed_avg(params()), dense_uploads()), expected, atol=1e-6)


def test_mf_fed_avg_averages_rows_over_their_holders_and_the_rest_by_local_items() -> None:
    server, up = mf_fed_avg(mixed_params(), {"item"}, 3.0, 0.5), mixed_uploads()
    item = closed(server, up)
    alone = {name: up.arrays[name].astype(np.float64) for name in up.arrays}
    np.testing.assert_array_equal(item, closed(row_average(params(), 3.0), ragged_uploads()))
    weight = 1 + 0.5 * np.average(alone["weight"].reshape(3, 2, 2), axis=0, weights=[1, 2, 5])
    np.testing.assert_allclose(server.params["weight"], weight, atol=1e-6)
    bias = 0.5 * np.average(alone["bias"], weights=[1, 2, 5])
    np.testing.assert_allclose(server.params["bias"], [bias], atol=1e-6)


def test_a_network_that_diverged_takes_its_rows_with_it() -> None:
    uploads = mixed_uploads()
    uploads.arrays["bias"][1] = np.nan
    server = mf_fed_avg(mixed_params(), {"item"})
    assert server.absorb(uploads).tolist() == [True, False, True]
    server.close()
    others = mf_fed_avg(mixed_params(), {"item"})
    closed(others, mixed_uploads().take(np.array([0, 2])))
    assert bits(server) == bits(others)


def test_the_three_aggregations_agree_where_they_should() -> None:
    """S47-S49: one local step of size eta, equal data, everybody takes part, gamma = eta / |U|."""
    n_users, eta = 9, 0.07
    mf = MF(40, 5)
    data, phones = equal_data(DRAWS, n_users, 40, 4), np.arange(n_users)
    tables = []
    for kind, server in (
        ("gradient", gradient_descent(mf.init(DRAWS), eta / n_users)),
        ("parameters", fed_avg(mf.init(DRAWS))),
        ("delta", plain_average(mf.init(DRAWS))),
    ):
        rule = FedMF(mf, Sgd(eta, eta, batch=10**6), kind=kind)  # type: ignore[arg-type]
        inbox = received(server, phones)
        upload = rule.step(cohort_of(mf, DRAWS, phones), inbox, data, DRAWS)
        tables.append(closed(server, upload))
    np.testing.assert_allclose(tables[1], tables[0], atol=1e-7)
    np.testing.assert_allclose(tables[2], tables[0], atol=1e-7)
    assert np.abs(tables[0] - mf.init(DRAWS)["item"].numpy()).max() > 1e-4


@pytest.mark.parametrize("threads", [2, 3])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    mf, phones = MF(700, 5), np.arange(300)
    data = equal_data(DRAWS, 300, 700, 10)
    upload = FedMF(mf).step(
        cohort_of(mf, DRAWS, phones), received(row_average(mf.init(DRAWS)), phones), data, DRAWS
    )

    def combine(name: str, table: Array, sums: Sums) -> Array:
        return table + sums.change

    results = []
    for count in (1, threads):
        fold = Fold(mf.init(DRAWS), combine, weigh=equally, staleness=within(0), threads=count)
        closed(fold, upload)
        results.append(bits(fold))
    assert results[0] == results[1]


def test_several_arrays_of_any_shape_are_folded_together() -> None:
    start = {"item": torch.zeros(2, 3), "weight": torch.zeros(2, 2, 2), "bias": torch.zeros(4)}
    up = Messages(
        kind="delta",
        sender=np.arange(2),
        receiver=np.full(2, SERVER),
        arrays={
            "item": np.ones((1, 3), np.float32),
            "weight": np.arange(16, dtype=np.float32).reshape(4, 2, 2),
            "bias": np.arange(8, dtype=np.float32),
        },
        weight=np.array([1.0, 3.0]),
        base=np.zeros(2, np.int64),
        rows={"item": np.array([1])},
        offsets={"item": np.array([0, 0, 1]), "weight": np.arange(3) * 2, "bias": np.arange(3) * 4},
    )
    server = fed_avg(start)
    assert server.absorb(up).all()
    server.close()
    assert server.params["item"].tolist() == [[0, 0, 0], [0.75, 0.75, 0.75]]
    weights = np.arange(16).reshape(2, 2, 2, 2)
    np.testing.assert_allclose(server.params["weight"], (weights[0] + 3 * weights[1]) / 4)
    assert server.params["bias"].tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize("spoilt", [np.nan, np.inf, -np.inf, 1e9])
def test_an_upload_that_is_not_a_sane_number_is_refused(spoilt: float) -> None:
    uploads = ragged_uploads()
    uploads.arrays["item"][3, 1] = spoilt
    server = row_average(params())
    assert server.absorb(uploads).tolist() == [True, False, True]


def test_messages_without_any_row_are_a_step_that_changes_no_value() -> None:
    nothing = replace(
        ragged_uploads(),
        arrays={"item": np.empty((0, DIM), np.float32)},
        rows={"item": np.empty(0, np.int64)},
        offsets={"item": np.zeros(4, np.int64)},
    )
    table = closed(row_average(params()), nothing)
    np.testing.assert_array_equal(table, params()["item"])


@pytest.mark.parametrize("weight", [np.nan, -1.0])
def test_an_upload_with_an_impossible_weight_is_refused(weight: float) -> None:
    uploads = replace(ragged_uploads(), weight=np.array([1.0, weight, 2.0]))
    assert fed_avg(params()).absorb(uploads).tolist() == [True, False, True]


def test_a_sum_takes_what_fits_and_never_wraps() -> None:
    large = replace(
        ragged_uploads().take(np.array([0])),
        arrays={"item": np.full((2, DIM), 2.0**20, np.float32)},
    )
    server = gradient_descent(params(), 1.0)
    taken = [bool(server.absorb(large).all()) for _ in range(5000)]
    assert taken == [True] * 4096 + [False] * 904, "2^32 in all"
    server.close()
    moved = server.params["item"].numpy() - params()["item"].numpy()
    np.testing.assert_array_equal(moved[[0, 2]], np.float32(2.0**32))


def test_what_does_not_fit_leaves_room_for_what_does() -> None:
    uploads = ragged_uploads()
    server = gradient_descent(params(), 1.0)
    server.absorb(uploads)
    server._filled["item"] = 2.0**32 - 1.0
    uploads.arrays["item"][:] = 0.6
    assert server.absorb(uploads).tolist() == [True, False, False]


def test_old_uploads_are_refused_or_fade_as_the_rule_says() -> None:
    def version_two(server: Fold) -> Fold:
        for version in range(2):
            base = np.full(3, version)
            closed(server, replace(ragged_uploads(), base=base))
        return server

    old = replace(ragged_uploads(), base=np.array([2, 1, 0]))
    strict = version_two(row_average(params()))
    assert strict.absorb(old).tolist() == [True, False, False]
    patient = version_two(row_average(params(), staleness=within(1)))
    assert patient.absorb(old).tolist() == [True, True, False]
    weights = fading(0.5, 2)(np.array([0, 1, 2, 3]))
    np.testing.assert_allclose(weights, [1, 2**-0.5, 3**-0.5, 0])


def test_a_fading_upload_moves_a_row_less() -> None:
    server = plain_average(params(), staleness=fading(1.0, 5))
    before = closed(server, ragged_uploads())
    uploads = ragged_uploads()
    after = closed(server, replace(uploads, base=np.array([1, 0, 1])))  # message 1 is one late
    up = uploads.arrays["item"]
    np.testing.assert_allclose(after[3] - before[3], 0.5 * up[3] / 2.5, atol=1e-6)
    np.testing.assert_allclose(after[0] - before[0], up[0] / 2.5, atol=1e-6)


def test_a_row_average_weighs_fading_uploads_against_fresh_ones() -> None:
    server = row_average(params(), step=1.0, staleness=fading(1.0, 5))
    before = closed(server, ragged_uploads())
    uploads = ragged_uploads()
    after = closed(server, replace(uploads, base=np.array([1, 0, 1])))  # message 1 is one late
    up = uploads.arrays["item"]
    np.testing.assert_allclose(after[3] - before[3], up[3], atol=1e-6)
    shared = (up[1] + 0.5 * up[2] + up[5]) / 2.5
    np.testing.assert_allclose(after[2] - before[2], shared, atol=1e-6)


def test_a_message_of_another_kind_or_name_is_a_programming_error() -> None:
    server = row_average(params())
    with pytest.raises(ValueError, match="scores"):
        server.absorb(replace(ragged_uploads(), kind="scores"))
    stranger = {"place": ragged_uploads().arrays["item"]}
    with pytest.raises(ValueError, match="place"):
        server.absorb(replace(ragged_uploads(), arrays=stranger, rows={}, offsets={}))
    narrow = {"item": ragged_uploads().arrays["item"][:, :2]}
    with pytest.raises(ValueError, match="shape"):
        server.absorb(replace(ragged_uploads(), arrays=narrow))
    with pytest.raises(ValueError, match="share"):
        server.absorb(replace(dense_uploads(), offsets={}))


def test_weights_are_equal_or_as_stated() -> None:
    assert equally(ragged_uploads()).tolist() == [1, 1, 1]
    assert by_items(ragged_uploads()).tolist() == [1, 2, 5]


def test_by_extent_a_message_counts_for_a_row_as_far_as_it_has_moved_it() -> None:
    server, sent = extent_average(params(), 3.0), ragged_uploads()
    values = sent.arrays["item"].astype(np.float64)
    size = np.abs(values).sum(axis=1)
    server.absorb(sent)
    server.close()
    moved = server.params["item"].numpy() - params()["item"].numpy()
    mine = sent.rows["item"] == 2
    expected = 3.0 * (size[mine, None] * values[mine]).sum(axis=0) / size[mine].sum()
    np.testing.assert_allclose(moved[2], expected, atol=1e-5)
    np.testing.assert_allclose(moved[0], 3.0 * values[0], atol=1e-5)
    assert not moved[[1, 4]].any()


def test_extents_are_of_changes() -> None:
    with pytest.raises(ValueError, match="of changes"):
        extent_average(params()).absorb(dense_uploads())
