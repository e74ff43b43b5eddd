"""Rounds of a federated rule on ideal phones, judged after each; the best validation is kept.

The protocol of Zhang et al. (IJCAI 2023): all users take part in every round, validation HR@10
among 99 sampled items decides which round's test figures count.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.reference.beside import Figures, beside, figures, lines_beside
from tests.reference.row import Bar, Line

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.models.data.split import Split
    from droidloop.models.evaluation.candidates import Protocol
    from droidloop.models.evaluation.evaluator import Evaluator
    from droidloop.models.evaluation.personal_tables import PersonalScorer, PersonalTables
    from droidloop.models.interfaces.learning import ClientRule, ItemRecommender, ServerRule
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.platform.arrays import FloatArray
    from droidloop.platform.draws import Draws

ROUNDS = 100
SHARD = 1024
"""Phones that train at a time: bounds the memory of a step, changes no bit."""

SHOWN = {
    "": ("", "sampled HR@10"),
    "-ndcg": ("", "sampled NDCG@10"),
    "-full": (", all items", "full HR@10"),
}
"""What each run prints, by the end of the name: an addition to the protocol, and the figure."""

PROTOCOLS: "dict[Protocol, tuple[str, str]]" = {
    "pfedrec": ("", "pfedrec (leaky)"),
    "clean": ("-clean", "clean"),
}
"""The part of a name and the text of each protocol."""


@dataclass(frozen=True)
class Learner:
    """What is trained: a recommender, what its phones do, and what its server does."""

    recommender: "ItemRecommender"
    client: "ClientRule"
    server: "ServerRule"


Make = Callable[[int, "UserItems", "Draws"], Learner]
"""Returns a learner for so many items, what it must not draw as negatives, and the chance."""


def lines_of(name: str, table: str, bar: Bar, because: str = "") -> dict[str, Line]:
    """Return the lines of a model that is scored with its *table*, ``global`` or ``own``.

    The bar is the published figure, HR@10 among candidates under the leaky protocol; the other
    protocol, the other table, full ranking and the baselines stand beside it.
    """
    lines = lines_beside(name)
    for end, (ranking, figure) in SHOWN.items():
        text = f"clean, {table} table less the best baseline{ranking}"
        lines[f"{name}-over-best{end}"] = Line(text, figure.split()[1])
    for part, protocol in PROTOCOLS.values():
        for which in (table, "own" if table == "global" else "global"):
            middle = part if which == table else f"{part}-{which}"
            for end, (ranking, figure) in SHOWN.items():
                text = f"{protocol}, {which} table{ranking}"
                lines[f"{name}{middle}{end}"] = Line(text, figure.split()[1])
    headline = lines[name]
    return lines | {name: Line(headline.protocol, headline.metric, bar, "reproduced", because)}


def measured(
    name: str, table: str, split: "Split", seed: int, make: Make, rounds: int = ROUNDS
) -> dict[str, "FloatArray"]:
    """Run both protocols; return the values of ``lines_of`` the same *name* and *table*."""
    values: dict[str, FloatArray] = {}
    for protocol in PROTOCOLS:
        best = best_rounds(split, protocol, seed, make, rounds)
        values |= values_of(name, table, protocol, best)
    return values | compared(name, split, seed, values)


def compared(
    name: str, split: "Split", seed: int, values: dict[str, "FloatArray"]
) -> dict[str, "FloatArray"]:
    """Return the values of the baselines, and by how much *values* are ahead of the best one."""
    baselines, best = beside(name, judge_of(split, seed))
    ahead = {
        f"{name}-over-best{end}": values[f"{name}-clean{end}"] - best[figure]
        for end, (_, figure) in SHOWN.items()
    }
    return baselines | ahead


def values_of(
    name: str, table: str, protocol: "Protocol", best: dict[str, Figures]
) -> dict[str, "FloatArray"]:
    """Return the values of the lines of one *protocol* out of what ``best_rounds`` returned."""
    part = PROTOCOLS[protocol][0]
    values: dict[str, FloatArray] = {}
    for which in ("global", "own"):
        middle = part if which == table else f"{part}-{which}"
        for end, (_, figure) in SHOWN.items():
            values[f"{name}{middle}{end}"] = best[which][figure]
    return values


def judge_of(split: "Split", seed: int) -> "Evaluator":
    """Return the judge of that seed, among 99 candidates and among all items."""
    from droidloop.models.evaluation.candidates import sample_candidates
    from droidloop.models.evaluation.evaluator import Evaluator
    from droidloop.platform.draws import Draws

    draws = Draws(seed, "reference").child("candidates")
    return Evaluator(split, sample_candidates(split, draws), 10)


def best_rounds(
    split: "Split",
    protocol: "Protocol",
    seed: int,
    make: Make,
    rounds: int = ROUNDS,
    diverged: "list[int] | None" = None,
) -> dict[str, Figures]:
    """Train; return the test figures at the best validation round, by table.

    A model that diverges is an error; with *diverged* it ends there, and the round is added to it.

    ``global`` scores with the private parameters and the server's table, ``own`` with the private
    parameters and the table that each phone trained itself in the round; each has a best round of
    its own. At that of ``own``, ``other table`` scores with the table of the next user and
    ``other score`` with the private parameters of the next user.
    """
    import numpy as np
    import torch

    from droidloop.models.evaluation.candidates import exclusions
    from droidloop.models.evaluation.evaluator import ModelScorer
    from droidloop.models.evaluation.personal_tables import PersonalScorer, PersonalTables
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.platform.draws import Draws

    draws = Draws(seed, "reference")
    judge = judge_of(split, seed)
    learner = make(split.n_items, exclusions(split, protocol), draws.child("init"))
    recommender, server = learner.recommender, learner.server
    [item] = recommender.tables
    store = PrivateStore.of(recommender, draws.child("init"), split.n_users)
    phones = np.arange(split.n_users)
    tables = PersonalTables(item, split.n_users)
    best: dict[str, tuple[float, Any]] = {}
    for number in range(rounds):
        play(learner, store, tables, split.train, number, draws.child("training"))
        private = {name: torch.from_numpy(rows) for name, rows in store.gather(phones).items()}
        params = {**server.params, **private}
        for name, scorer in (
            ("global", ModelScorer(recommender, params)),
            ("own", PersonalScorer(recommender, params, tables.snapshot())),
        ):
            try:
                hits = judge.quality(scorer, "valid")
            except ValueError as error:
                if diverged is None or "diverged" not in str(error):
                    raise
                diverged.append(number)
                break
            if name not in best or hits > best[name][0]:
                best[name] = hits, scorer
        if diverged:
            break
    own: PersonalScorer = best["own"][1]
    return {
        **{name: figures(judge, scorer) for name, (_, scorer) in best.items()},
        "other table": crossed(judge, own, 0, 1),
        "other score": crossed(judge, own, 1, 0),
    }


def play(
    learner: Learner,
    store: "PrivateStore",
    tables: "PersonalTables",
    data: "UserItems",
    number: int,
    draws: "Draws",
) -> None:
    """Play round *number* with everybody; what phones make of it goes to *store* and *tables*."""
    import numpy as np

    from droidloop.models.interfaces.learning import Cohort

    for start in range(0, data.n_users, SHARD):
        part = np.arange(start, min(start + SHARD, data.n_users))
        cohort = Cohort(part, number, store.gather(part))
        [inbox] = learner.server.broadcast(part)
        sent = learner.client.step(cohort, inbox, data.take(part), draws)
        store.commit(part, cohort.private)
        tables.remember(inbox, sent)
        learner.server.absorb(sent)
    learner.server.close()


def crossed(judge: "Evaluator", scorer: "PersonalScorer", score: int, table: int) -> Figures:
    """Return HR@10 with the parameters and the table of the users so many rows further on."""
    from droidloop.models.evaluation.evaluate import evaluate

    n = judge.split.n_users
    values = evaluate(
        lambda users, items: scorer.crossed((users + score) % n, (users + table) % n, items),
        judge.split,
        judge.candidates,
        judge.k,
        part="test",
    )
    return {"sampled HR@10": values.values["hr_at_10"]}
