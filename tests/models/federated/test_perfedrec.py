from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from droidloop.models.federated.fedgcn import FedLightGCN
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.federated.perfedrec_rules import EMBEDDING, ClusterServer, PerFedRec
from droidloop.models.interfaces.learning import Cohort
from droidloop.models.local.sgd import Sgd
from droidloop.models.recommenders.mf import MF
from droidloop.models.transforms.inspection import Cause, inspect
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from tests.contracts.client_rule import ClientRuleContract
from tests.contracts.server_rule import ServerRuleContract, bits
from tests.contracts.tiny import cohort_of, tiny_data

DRAWS = Draws(42, "fedgcn")
N_ITEMS, N_USERS, DIM = 30, 12, 6
MODEL = MF(N_ITEMS, DIM, "bpr")
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)


def server(clusters: int = 3) -> ClusterServer:
    return ClusterServer(
        MODEL.init(DRAWS),
        row_average,
        n_phones=N_USERS,
        dim=MODEL.dim,
        clusters=clusters,
        draws=DRAWS,
    )


def train(rule: PerFedRec, at: ClusterServer, round_: int = 0) -> tuple[list[Messages], Cohort]:
    """One step of all phones: what they send, by cluster, and what they keep."""
    cohort = cohort_of(MODEL, DRAWS, PHONES, round_)
    sent = []
    for inbox in at.broadcast(PHONES):
        mine = inbox.receiver
        part = Cohort(mine, round_, {"user": cohort.private["user"][mine]})
        sent.append(rule.step(part, inbox, DATA.take(mine), DRAWS))
        cohort.private["user"][mine] = part.private["user"]
    return sent, cohort


RULE = PerFedRec(FedLightGCN(MODEL))


def uploads() -> Messages:
    return train(RULE, server())[0][0]


class TestOnGraphs(ClientRuleContract):
    rule = RULE
    recommender = MODEL
    data = DATA
    server = staticmethod(server)


class TestOnVectors(ClientRuleContract):
    rule = PerFedRec(FedMF(MODEL, Sgd(epochs=2)))
    recommender = MODEL
    data = DATA
    server = staticmethod(server)


class TestServer(ServerRuleContract):
    server: Callable[[], ClusterServer] = staticmethod(server)
    uploads = staticmethod(uploads)


def after(rounds: int, rule: PerFedRec = RULE, clusters: int = 3) -> ClusterServer:
    at = server(clusters)
    for round_ in range(rounds):
        for sent in train(rule, at, round_)[0]:
            at.absorb(sent)
        at.close()
    return at


def test_the_embedding_sent_is_the_trained_user_vector_under_a_name_of_its_own() -> None:
    [sent], cohort = train(RULE, server())
    np.testing.assert_array_equal(sent.arrays[EMBEDDING], cohort.private["user"])
    assert EMBEDDING not in MODEL.private
    assert sent.nbytes().sum() - N_USERS * 4 * DIM == train_bytes()


def train_bytes() -> int:
    cohort = cohort_of(MODEL, DRAWS, PHONES)
    [inbox] = server().broadcast(PHONES)
    plain = replace(inbox, arrays={"item": inbox.arrays["item"]})
    return int(RULE.inner.step(cohort, plain, DATA, DRAWS).nbytes().sum())


def test_users_are_clustered_by_what_they_sent() -> None:
    at = server(2)
    [sent], _ = train(RULE, at)
    vectors = np.where(PHONES[:, None] % 2 == 0, 5.0, -5.0) * np.ones((1, DIM))
    told = replace(sent, arrays=sent.arrays | {EMBEDDING: vectors.astype(np.float32)})
    at.absorb(told.take(PHONES < 9))
    at.close()
    assert len(np.unique(at.labels[:9:2])) == len(np.unique(at.labels[1:9:2])) == 1
    assert at.labels[0] != at.labels[1]
    assert (at.labels[9:] == at.labels[0]).all(), "who sent nothing is in the largest cluster"


def test_each_cluster_is_sent_its_own_table_and_everybody_the_same_other() -> None:
    at = after(3)
    batches = at.broadcast(PHONES)
    assert len(batches) > 1
    for inbox in batches:
        [cluster] = np.unique(at.labels[inbox.receiver])
        mine = at.group_params(int(cluster))["item"].numpy()
        np.testing.assert_array_equal(inbox.arrays["item"], mine)
        np.testing.assert_array_equal(inbox.arrays["item_global"], at.params["item"].numpy())
        assert not np.array_equal(mine, at.params["item"].numpy())


def test_a_cluster_learns_from_its_phones_alone() -> None:
    at = after(2)
    cluster = int(at.labels[0])
    others = {c: at.group_params(c)["item"].numpy() for c in range(3) if c != cluster}
    sent, _ = train(RULE, at, 2)
    [mine] = [messages for messages in sent if 0 in messages.sender]
    at.absorb(mine)
    at.close()
    for c, before in others.items():
        np.testing.assert_array_equal(at.group_params(c)["item"].numpy(), before)


def test_with_one_cluster_it_is_the_inner_rule_with_its_fold() -> None:
    at, plain = server(1), row_average(MODEL.init(DRAWS))
    for round_ in range(3):
        [sent], _ = train(RULE, at, round_)
        at.absorb(sent)
        at.close()
        cohort = cohort_of(MODEL, DRAWS, PHONES, round_)
        [inbox] = plain.broadcast(PHONES)
        plain.absorb(RULE.inner.step(cohort, inbox, DATA, DRAWS))
        plain.close()
    assert bits(at) == bits(plain)
    assert at.group_params(0)["item"].numpy().tobytes() == bits(plain)


def test_the_same_draws_give_the_same_clusters() -> None:
    np.testing.assert_array_equal(after(3).labels, after(3).labels)


def spoilt(sent: Messages, phone: int) -> Messages:
    vectors = sent.arrays[EMBEDDING].copy()
    vectors[phone] = np.nan
    return replace(sent, arrays=sent.arrays | {EMBEDDING: vectors})


def test_a_diverged_embedding_is_refused_before_the_server_sees_it() -> None:
    at = server()
    [sent], _ = train(RULE, at)
    assert not inspect(sent, at.form, known=PHONES).any()
    broken = inspect(spoilt(sent, 4), at.form, known=PHONES)
    assert np.flatnonzero(broken == Cause.NUMBER).tolist() == [4]
    assert np.count_nonzero(broken) == 1


def test_uploads_without_embeddings_or_of_another_kind_are_of_the_wrong_form() -> None:
    [sent], _ = train(RULE, server())
    assert server().form.fits(sent)
    bare = replace(
        sent, arrays={"item": sent.arrays["item"]}, offsets={"item": sent.offsets["item"]}
    )
    assert not server().form.fits(bare)
    assert not server().form.fits(replace(sent, kind="scores"))


@pytest.mark.parametrize("option", [{"upload": "full"}, {"kind": "parameters"}])
def test_an_inner_rule_that_sends_tables_is_refused(option: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="changes"):
        PerFedRec(FedMF(MODEL, **option))  # type: ignore[arg-type]


def test_no_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="0 clusters"):
        server(0)


def test_a_broadcast_to_nobody_is_empty() -> None:
    nobody: IntArray = np.empty(0, np.int64)
    assert [len(batch) for batch in after(1).broadcast(nobody)] == [0]
