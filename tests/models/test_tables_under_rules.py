"""Every table under every rule that sends gradients or parameters, without code for a pair."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from droidloop.models.data.negatives import draw_negatives
from droidloop.models.federated.adaptive import adam
from droidloop.models.federated.fcf import FCF
from droidloop.models.federated.fedfast import FedFast, FedFastServer
from droidloop.models.federated.fedgcn import FedLightGCN
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.fedncf import FedNCF
from droidloop.models.federated.folds import mf_fed_avg, row_average
from droidloop.models.federated.perfedrec_rules import ClusterServer, PerFedRec
from droidloop.models.federated.pfedrec import PFedRec
from droidloop.models.interfaces.learning import (
    Batch,
    Cohort,
    EmbeddingTable,
    ItemRecommender,
    Params,
    init_all,
    shared_parameters,
)
from droidloop.models.local.sgd import Sgd
from droidloop.models.peer.gossip_mf import GossipMF, gossip_store
from droidloop.models.recommenders.mf import MF
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.models.recommenders.personal_score import PersonalScore
from droidloop.models.tables.assigned import AssignedTable, drawn_rows
from droidloop.models.tables.binary import BinaryTable
from droidloop.models.tables.codebooks import SoftCodebooksTable
from droidloop.models.tables.codes import CodebookTable
from droidloop.models.tables.deep_hash import DeepHashTable
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.elastic import ElasticTable
from droidloop.models.tables.float_rows import float_bytes
from droidloop.models.tables.hashed import HashedTable
from droidloop.models.tables.joint_codes import JointCodesTable
from droidloop.models.tables.masked import MaskedTable
from droidloop.models.tables.mixed import MixedTable
from droidloop.models.tables.phase import PhaseTable
from droidloop.models.tables.quotient_remainder import QuotientRemainderTable
from droidloop.models.tables.soft_threshold import SoftThresholdTable
from droidloop.models.tables.tensor_chain import TensorChainTable
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import HEADER_BYTES, Messages
from tests.contracts.tiny import equal_data

DRAWS = Draws(23, "tables under rules")
N_ITEMS, N_USERS, DIM, ROUNDS = 40, 16, 6, 5
DATA = equal_data(DRAWS, N_USERS, N_ITEMS, 5)
PHONES = np.arange(N_USERS)
SGD = Sgd(0.1, 0.1, epochs=2)

ASSIGNED = drawn_rows(N_ITEMS, 9, 2, DRAWS)
CODES = np.arange(N_ITEMS)[:, None] // np.array([1, 5, 25]) % 5
TABLES: dict[str, Callable[[int], EmbeddingTable]] = {
    "dense": lambda dim: DenseTable(N_ITEMS, dim, sd=0.3),
    "hashed": lambda dim: HashedTable(N_ITEMS, dim, 13, sd=0.3),
    "quotient-remainder": lambda dim: QuotientRemainderTable(N_ITEMS, dim, 7, sd=0.3),
    "binary": lambda dim: BinaryTable(N_ITEMS, dim, sd=0.3),
    "elastic": lambda dim: ElasticTable(N_ITEMS, dim, 2, sd=0.3),
    "masked": lambda dim: MaskedTable.of(np.arange(N_ITEMS * dim).reshape(-1, dim) % 4 > 0, sd=0.3),
    "soft-threshold": lambda dim: SoftThresholdTable(N_ITEMS, dim, first=-3.0, sd=0.3),
    "mixed": lambda dim: MixedTable.of(np.arange(N_ITEMS) % 3, (dim, 2, 1), dim, sd=0.3),
    "deep-hash": lambda dim: DeepHashTable(N_ITEMS, dim, 16, 8, sd=0.3),
    "joint-codes": lambda dim: JointCodesTable(N_ITEMS, dim, 3, 4, sd=0.3),
    "codebooks": lambda dim: SoftCodebooksTable(N_ITEMS, dim, 7, sd=0.3),
    "assigned": lambda dim: AssignedTable(N_ITEMS, dim, 9, ASSIGNED, sd=0.3),
    "tensor-chain": lambda dim: TensorChainTable(N_ITEMS, dim, 4, sd=0.5),
    "phase": lambda dim: PhaseTable(N_ITEMS, dim, sd=0.3),
    "codewords": lambda dim: CodebookTable(N_ITEMS, dim, 5, CODES, sd=0.3),
}


def mf_on(table: Callable[[int], EmbeddingTable]) -> MF:
    return MF(N_ITEMS, DIM, "log", table=table(DIM))


def server_of(model: ItemRecommender) -> Any:
    return row_average(model.init(DRAWS))


def mixed_server_of(model: ItemRecommender) -> Any:
    return mf_fed_avg(model.init(DRAWS), model.items.parameters)


def clusters_of(model: ItemRecommender) -> Any:
    return ClusterServer(
        model.init(DRAWS), row_average, n_phones=N_USERS, dim=model.dim, clusters=2, draws=DRAWS
    )


def delegates_of(model: ItemRecommender) -> Any:
    return FedFastServer(
        server_of(model), n_phones=N_USERS, dim=DIM, clusters=2, discount=0.5, draws=DRAWS
    )


RULES: dict[str, tuple[Any, Any, Any]] = {
    "fedmf": (mf_on, lambda mf: FedMF(mf, SGD), server_of),
    "fedmf, whole parameters": (
        mf_on,
        lambda mf: FedMF(mf, SGD, upload="full", kind="parameters"),
        server_of,
    ),
    "fedncf": (
        lambda table: NeuMF(N_ITEMS, 3, 3, (4,), 0.3, table(DIM)),
        lambda neumf: FedNCF(neumf, SGD),
        mixed_server_of,
    ),
    "pfedrec": (
        lambda table: PersonalScore(N_ITEMS, DIM, table=table(DIM)),
        lambda model: PFedRec(model, SGD),
        server_of,
    ),
    "fedgcn": (mf_on, lambda mf: FedLightGCN(mf, 1, SGD), server_of),
    "perfedrec": (mf_on, lambda mf: PerFedRec(FedLightGCN(mf, 1, SGD)), clusters_of),
    "fedfast": (mf_on, lambda mf: FedFast(FedMF(mf, SGD)), delegates_of),
    "fcf": (mf_on, lambda mf: FCF(mf), lambda mf: adam(mf.init(DRAWS), 0.05, l2=1.0)),
}
"""The model on a table, the client rule, the server."""
BRIEF = {"joint-codes", "codebooks", "assigned", "tensor-chain", "phase"}
"""Tables that are tried under FedMF, gossip and fine-tuning alone, as time is short: what the other
rules do with rows and whole parameters the rest shows."""
PAIRS = [(n, t) for n in RULES for t in TABLES if n == "fedmf" or t not in BRIEF]


def drawn(round_: int, phones: IntArray = PHONES) -> Any:
    data = DATA.take(phones)
    return draw_negatives(data, 4, N_ITEMS, data, phones=phones, draws=DRAWS, counter=round_)


def loss_of(model: ItemRecommender, params: Params) -> float:
    """Return the mean loss of everybody's items and of negatives that nobody trained on."""
    batch = Batch(
        torch.from_numpy(np.repeat(PHONES, DATA.counts)),
        torch.from_numpy(DATA.items),
        torch.ones(len(DATA.items)),
        torch.from_numpy(drawn(1000).astype(np.int64)),
    )
    return float(model.loss(params, batch).mean())


def weighted_squares(model: MF, params: Params) -> float:
    """Return J of FCF, which it descends on, with its alpha 10 and l2 1."""
    p, q = params["user"], model.items.lookup(params, torch.arange(N_ITEMS))
    rated = torch.zeros(N_USERS, N_ITEMS)
    rated[np.repeat(PHONES, DATA.counts), DATA.items] = 1
    squares = (1 + 10 * rated) * (rated - p @ q.T).square()
    return float(squares.sum() + p.square().sum() + q.square().sum())


def play(rule: Any, server: Any, model: ItemRecommender, rounds: int) -> tuple[Any, list[Messages]]:
    """Let everybody take part in each round; return the private values and the first uploads."""
    private = {
        name: value.numpy().copy() for name, value in model.init_private(DRAWS, PHONES).items()
    }
    first = []
    for number in range(rounds):
        for inbox in server.broadcast(PHONES):
            mine = inbox.receiver
            cohort = Cohort(mine, number, {name: one[mine] for name, one in private.items()})
            sent = rule.step(cohort, inbox, DATA.take(mine), DRAWS)
            for name, values in cohort.private.items():
                private[name][mine] = values
            assert server.absorb(sent).all()
            first += [sent] if number == 0 else []
        server.close()
    return {name: torch.from_numpy(values) for name, values in private.items()}, first


@pytest.mark.parametrize(("name", "table"), PAIRS)
def test_training_lowers_the_loss_and_sends_what_the_formula_says(name: str, table: str) -> None:
    model_of, rule_of, server_for = RULES[name]
    model = model_of(TABLES[table])
    rule, server = rule_of(model), server_for(model)
    private, uploads = play(rule, server, model, ROUNDS)
    measure: Any = weighted_squares if name == "fcf" else loss_of
    before = measure(model, init_all(model, DRAWS, N_USERS))
    assert measure(model, server.params | private) < 0.98 * before
    whole = name in ("fcf", "fedmf, whole parameters")
    embedding = 4 * DIM if name in ("fedfast", "perfedrec") else 0
    for sent in uploads:
        negatives = drawn(0, sent.sender)
        for k, phone in enumerate(sent.sender.tolist()):
            ids = np.unique(np.concatenate([DATA.of(phone), negatives[5 * k : 5 * k + 5].ravel()]))
            one = sent.take(np.array([k]))
            expected = HEADER_BYTES + embedding
            for parameter, shape in shared_parameters(model).items():
                rows = model.items.rows_of(ids).get(parameter)
                if rows is None or whole:
                    assert parameter not in one.rows
                    expected += 4 * int(np.prod(shape.shape))
                else:
                    np.testing.assert_array_equal(one.rows[parameter], np.unique(rows))
                    expected += len(np.unique(rows)) * (4 * shape.row_numbers + 4)
            assert one.nbytes().tolist() == [expected]
            if whole:
                assert expected == HEADER_BYTES + float_bytes(model.items)


@pytest.mark.parametrize(
    ("table", "by_row"),
    [(t, by_row) for t in TABLES for by_row in (False, True) if not by_row or t not in BRIEF],
)
@pytest.mark.parametrize("listens", [True, False], ids=["gossip", "tune"])
def test_peers_learn_and_send_what_the_formula_says(
    table: str, listens: bool, by_row: bool
) -> None:
    model = mf_on(TABLES[table])
    rule, store = GossipMF(model, SGD), gossip_store(model, DRAWS, N_USERS, by_row=by_row)
    before = loss_of(model, init_all(model, DRAWS, N_USERS))
    for number in range(ROUNDS):
        inbox = None
        if listens:
            sent = rule.share(np.roll(PHONES, 1), store, number, DRAWS)
            rows = sum(one.shape[0] for one in model.items.parameters.values() if one.by_row)
            expected = HEADER_BYTES + float_bytes(model.items) + (4 * rows if by_row else 0)
            assert sent.nbytes().tolist() == [expected] * N_USERS
            inbox = replace(sent, receiver=PHONES)
        rule.learn(PHONES, inbox, store, DATA, number, DRAWS)
    assert not store.columns["diverged"].any()
    losses = [
        loss_of(
            model,
            {name: torch.from_numpy(store.columns[name][phone]) for name in model.items.parameters}
            | {"user": torch.from_numpy(store.columns["user"])},
        )
        for phone in range(N_USERS)
    ]
    if listens:
        assert np.mean(losses) < 0.97 * before
    for name, one in model.items.parameters.items():
        moved = (store.columns[name] != model.init(DRAWS)[name].numpy()).any(axis=-1)
        assert moved.shape == (N_USERS, one.shape[0])
        assert moved.any(axis=1).all()
        for phone in () if listens else PHONES.tolist():
            ids = [DATA.of(phone), *(drawn(t, np.array([phone])).ravel() for t in range(ROUNDS))]
            found = model.items.rows_of(np.concatenate(ids))
            if name not in found:  # read whole: a step need not move all of it
                continue
            read = np.unique(found[name])
            first: FloatArray = model.init(DRAWS)[name].numpy()
            still = np.asarray(~first.any(axis=-1))  # rows of zeros, of nobody
            np.testing.assert_array_equal(np.flatnonzero(moved[phone]), read[~still[read]])


@pytest.mark.parametrize("name", ["fedmf", "fedncf", "pfedrec", "fedgcn"])
@pytest.mark.parametrize("table", ["dense", "hashed"])
def test_compiled_kernels_and_torch_train_the_same(name: str, table: str) -> None:
    model_of, rule_of, server_for = RULES[name]
    model = model_of(TABLES[table])
    found = []
    for engine in ("numba", "torch"):
        server = server_for(model)
        private, _ = play(replace(rule_of(model), engine=engine), server, model, 2)
        found.append(server.params | private)
    for key, values in found[0].items():
        torch.testing.assert_close(values, found[1][key], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", RULES)
def test_as_many_buckets_as_items_are_the_dense_table_bit_for_bit(name: str) -> None:
    model_of, rule_of, server_for = RULES[name]
    found = []
    for table in (TABLES["dense"], lambda dim: HashedTable(N_ITEMS, dim, N_ITEMS, sd=0.3)):
        model = model_of(table)
        server = server_for(model)
        private, _ = play(rule_of(model), server, model, 2)
        found.append(server.params | private)
    for key, values in found[0].items():
        assert torch.equal(values, found[1][key])


@pytest.mark.parametrize("share", [1.0, 0.4])
@pytest.mark.parametrize("by_row", [False, True])
def test_gossip_on_shared_rows_is_the_same_compiled_and_in_torch(
    share: float, by_row: bool
) -> None:
    model, columns = mf_on(TABLES["hashed"]), []
    for engine in ("numba", "torch"):
        rule = GossipMF(model, SGD, share_of_rows=share, engine=engine)
        store = gossip_store(model, DRAWS, N_USERS, by_row=by_row)
        for number in range(3):
            sent = rule.share(np.roll(PHONES, 1), store, number, DRAWS)
            rule.learn(PHONES, replace(sent, receiver=PHONES), store, DATA, number, DRAWS)
        columns.append(store.columns)
    for key, values in columns[0].items():
        np.testing.assert_allclose(values, columns[1][key], atol=1e-5)
