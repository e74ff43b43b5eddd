"""Federated matrix factorisation of MovieLens 100K, all 943 users in every round.

A round draws negatives, trains each user's vector and its copy of the item rows that it touches
(one local epoch, 4 negatives an item, batches of 256 pairs), checks and folds the uploads, applies
them and keeps the vectors: the client rule, the server rule and the private store that every run
uses. Nothing is evaluated. Without the data folder beside the checkout the same number of
synthetic users, items and events stands in, and the row says so.

The baseline is the same rule with its torch engine: autograd, one client after the other.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from droidloop.models.data.interactions import Interactions

DATA = Path(__file__).parents[3] / "shared" / "data" / "ml-100k"
SOURCE = "ml-100k" if DATA.is_dir() else "synthetic data like ml-100k"

WHAT = f"FedMF, {SOURCE}: 943 phones, d = 32, 4 negatives, batch 256"
UNIT = "client updates/s"
BASELINE = "the same in torch, client by client"

USERS, ITEMS, EVENTS = 943, 1682, 100_000
DIM = 32
ROUNDS = 60
TORCH_ROUNDS = 2


def rounds_of(engine: Literal["numba", "torch"], rounds: int) -> float:
    """Return client updates per second of training, after one round to touch all memory."""
    import numpy as np

    from droidloop.models.data.split import leave_one_out
    from droidloop.models.federated.fedmf import FedMF
    from droidloop.models.federated.folds import row_average
    from droidloop.models.interfaces.learning import Cohort
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.draws import Draws
    from droidloop.platform.shards import shards

    draws = Draws(1, "train")
    split = leave_one_out(_events())
    recommender = MF(split.n_items, DIM, "log")
    client = FedMF(recommender, negatives=4, engine=engine)
    server = row_average(recommender.init(draws))
    store = PrivateStore.of(recommender, draws, split.n_users)
    phones = np.arange(split.n_users)

    def play(number: int) -> int:
        [inbox] = server.broadcast(phones)
        cohort = Cohort(phones, number, store.gather(phones))
        sent = client.step(cohort, inbox, split.train, draws)
        taken = sum(int(server.absorb(sent.take(part)).sum()) for part in shards(len(phones)))
        store.commit(phones, cohort.private)
        server.close()
        return taken

    play(0)
    start = time.perf_counter()
    trained = sum(play(number) for number in range(1, rounds + 1))
    return trained / (time.perf_counter() - start)


def _events() -> "Interactions":
    from droidloop.models.data.readers import load
    from droidloop.models.data.synthetic import generate
    from droidloop.platform.draws import Draws

    if DATA.is_dir():
        return load(DATA)
    return generate(USERS, ITEMS, EVENTS / USERS, Draws(1, "train/data"))


def prepare() -> None:
    """Compile what `measure` calls."""
    rounds_of("numba", 1)


def measure() -> float:
    """Return client updates per wall second."""
    return rounds_of("numba", ROUNDS)


def baseline() -> float:
    """Return client updates per wall second of the torch engine."""
    import torch

    torch.set_num_threads(1)  # a client is too small to share
    return rounds_of("torch", TORCH_ROUNDS)
