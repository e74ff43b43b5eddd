"""Federated matrix factorisation of a million users on 100,000 items, really trained.

A round takes 10,000 users at random, draws their negatives, trains their vectors and their copies
of the item rows, checks and folds the uploads, applies them and keeps the vectors: the client
rule, the server rule and the private store that every run uses, without phones and links. The
making of the data is not in the value, but in wall and peak.

The baseline is the training alone as one writes it in torch: one client after the other, autograd
over its item rows.
"""

import time

WHAT = "FedMF, 10,000 of 1,000,000 users x 20 a round, 100,000 items, d = 32"
UNIT = "client updates/s"
BASELINE = "torch, one client after the other"

USERS = 1_000_000
ITEMS = 100_000
PER_USER = 20
DIM = 32
CLIENTS = 10_000
NEGATIVES = 4
ROUNDS = 10
TORCH_CLIENTS = 1000


def rounds_of(users: int, items: int, clients: int, rounds: int) -> float:
    """Return client updates per second of training, after one round to touch all memory."""
    import numpy as np

    from droidloop.models.data.interactions import by_user
    from droidloop.models.data.synthetic import generate
    from droidloop.models.federated.fedmf import FedMF
    from droidloop.models.federated.folds import row_average
    from droidloop.models.interfaces.learning import Cohort
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.draws import Draws
    from droidloop.platform.shards import shards

    draws = Draws(1, "train-million")
    data = by_user(generate(users, items, PER_USER, draws.child("data")))
    recommender = MF(items, DIM, "log")
    client = FedMF(recommender, negatives=NEGATIVES)
    server = row_average(recommender.init(draws))
    store = PrivateStore.of(recommender, draws, users)
    everybody = np.arange(users)

    def play(number: int) -> int:
        phones = draws.choose(everybody, clients, number)
        [inbox] = server.broadcast(phones)
        cohort = Cohort(phones, number, store.gather(phones))
        sent = client.step(cohort, inbox, data.take(phones), draws)
        taken = sum(int(server.absorb(sent.take(part)).sum()) for part in shards(len(phones)))
        store.commit(phones, cohort.private)
        server.close()
        return taken

    play(0)
    start = time.perf_counter()
    trained = sum(play(number) for number in range(1, rounds + 1))
    return trained / (time.perf_counter() - start)


def prepare() -> None:
    """Compile what `measure` calls."""
    rounds_of(500, 1000, 200, 1)


def measure() -> float:
    """Return client updates per wall second."""
    return rounds_of(USERS, ITEMS, CLIENTS, ROUNDS)


def baseline() -> float:
    """Return client updates per wall second of a loop over clients in torch."""
    import torch

    torch.set_num_threads(1)  # a client is too small to share
    torch.manual_seed(1)
    table = torch.randn(ITEMS, DIM) * 0.1
    chosen = torch.randint(ITEMS, (TORCH_CLIENTS, PER_USER))
    negatives = torch.randint(ITEMS, (TORCH_CLIENTS, PER_USER * NEGATIVES))
    labels = torch.cat([torch.ones(PER_USER), torch.zeros(PER_USER * NEGATIVES)])
    start = time.perf_counter()
    for client in range(TORCH_CLIENTS):
        ids = torch.cat([chosen[client], negatives[client]])
        rows = table[ids].requires_grad_()
        user = (torch.randn(DIM) * 0.1).requires_grad_()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            rows @ user, labels, reduction="sum"
        )
        loss.backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            assert rows.grad is not None
            assert user.grad is not None
            user -= 0.05 * user.grad
            change = -0.05 * rows.grad
    assert change.shape == (PER_USER * (1 + NEGATIVES), DIM)
    return TORCH_CLIENTS / (time.perf_counter() - start)
