"""Rounds of a federated rule on ideal phones, judged after each; the best validation is kept.

The protocol of Zhang et al. (IJCAI 2023): all users take part in every round, validation HR@10
among 99 sampled items decides which round's test figures count.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from droidloop.models.candidates import Protocol
    from droidloop.models.interactions import UserItems
    from droidloop.models.interfaces import ClientRule, Recommender, ServerRule
    from droidloop.models.split import Split
    from droidloop.platform.draws import Draws

ROUNDS = 100
SHARD = 1024
"""Phones that train at a time: bounds the memory of a step, changes no bit."""

Figures = dict[str, float]
"""Test figures by ranking and metric, such as ``sampled HR@10``."""


@dataclass(frozen=True)
class Learner:
    """What is trained: a recommender, what its phones do, and what its server does."""

    recommender: "Recommender"
    client: "ClientRule"
    server: "ServerRule"


Make = Callable[[int, "UserItems", "Draws"], Learner]
"""Returns a learner for so many items, what it must not draw as negatives, and the chance."""


def best_rounds(
    split: "Split", protocol: "Protocol", seed: int, make: Make, rounds: int = ROUNDS
) -> dict[str, Figures]:
    """Train; return the test figures at the best validation round, by table.

    ``global`` scores with the private parameters and the server's table, ``own`` with the private
    parameters and the table that each phone trained itself in the round; each has a best round of
    its own.
    """
    import numpy as np
    import torch

    from droidloop.models.candidates import exclusions, sample_candidates
    from droidloop.models.interfaces import Cohort
    from droidloop.models.personal import PersonalScorer, PersonalTables
    from droidloop.models.store import PrivateStore
    from droidloop.platform.draws import Draws
    from droidloop.scenarios.quality import Judge, ModelScorer, Scorer

    draws = Draws(seed, "reference")
    judge = Judge(split, sample_candidates(split, draws.child("candidates")), 10)
    learner = make(split.n_items, exclusions(split, protocol), draws.child("init"))
    recommender, server = learner.recommender, learner.server
    [item] = recommender.tables
    store = PrivateStore.of(recommender, draws.child("init"), split.n_users)
    phones = np.arange(split.n_users)
    best: dict[str, tuple[float, Scorer]] = {}
    for number in range(rounds):
        table, sent = server.params[item].numpy(), []
        for start in range(0, len(phones), SHARD):
            part = phones[start : start + SHARD]
            cohort = Cohort(part, number, store.gather(part))
            [inbox] = server.broadcast(part)
            data = split.train.take(part)
            sent.append(learner.client.step(cohort, inbox, data, draws.child("training")))
            store.commit(part, cohort.private)
        for messages in sent:
            server.absorb(messages)
        server.close()
        private = {name: torch.from_numpy(v) for name, v in store.gather(phones).items()}
        params = server.params | private
        tables = PersonalTables.of(item, table, sent, len(phones))
        for name, scorer in (
            ("global", ModelScorer(recommender, params)),
            ("own", PersonalScorer(recommender, params, tables)),
        ):
            hits = judge.hit_rate(scorer, "valid")
            if name not in best or hits > best[name][0]:
                best[name] = hits, scorer
    return {name: figures(judge, scorer) for name, (_, scorer) in best.items()}


def figures(judge: object, scorer: object) -> Figures:
    """Return HR@10 and NDCG@10 of the test part, among the candidates and among all items."""
    from droidloop.models.evaluate import evaluate
    from droidloop.scenarios.quality import Judge

    assert isinstance(judge, Judge)
    sampled = evaluate(scorer.some, judge.split, judge.candidates, judge.k, part="test")
    full = evaluate(scorer.every, judge.split, k=judge.k, part="test")
    return {
        f"{ranking} {shown}": values.means()[metric]
        for ranking, values in (("sampled", sampled), ("full", full))
        for metric, shown in (("hr_at_10", "HR@10"), ("ndcg_at_10", "NDCG@10"))
    }
