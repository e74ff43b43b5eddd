"""SemiDFEGL on ml-100k: quality rises with the turns; what exchange and fake items do for it.

Its paper's figures could not be verified; the claim is that NDCG rises. No clock and no links: in a
turn each phone pushes to one member of its group. Items that a phone holds no row of count as
ranked last. Whenever groups are formed, the server also averages the rows that members report; the
lines of one grouping are without that.
"""

from typing import TYPE_CHECKING

from tests.reference.movielens import ml_100k
from tests.reference.row import Line, at_least

if TYPE_CHECKING:
    from droidloop.models.data.split import Split

DATA = "ml-100k"
NAME = "semidfegl-ml-100k"
LINES = {
    f"{NAME}-first": Line("clean, after 1 turn", "NDCG@10"),
    NAME: Line("clean, after 60 turns", "NDCG@10"),
    f"{NAME}-rise": Line("clean, 60 turns less 1", "NDCG@10", at_least(0.02)),
    f"{NAME}-silent": Line("clean, without exchange", "NDCG@10"),
    f"{NAME}-apart": Line("clean, without fake items", "NDCG@10"),
    f"{NAME}-once": Line("clean, one grouping", "NDCG@10"),
    f"{NAME}-once-silent": Line("clean, one grouping, without exchange", "NDCG@10"),
    f"{NAME}-exchange": Line("clean, one grouping, exchange less none", "NDCG@10", at_least(0.02)),
    f"{NAME}-rows": Line("clean, held out items with a row", "share"),
}
TURNS, REGROUP, GROUPS, ROWS, LINKS = 60, 10, 5, 400, 8


def measure(seed: int) -> dict[str, float]:
    """Return NDCG@10 among 99 candidates after the first and the last turn."""
    split = ml_100k()
    first, last, rows = figures(split, seed)
    _, silent, _ = figures(split, seed, exchange=False)
    _, apart, _ = figures(split, seed, fakes=0)
    _, once, _ = figures(split, seed, regroup=TURNS)
    _, once_silent, _ = figures(split, seed, regroup=TURNS, exchange=False)
    values = (first, last, last - first, silent, apart, once, once_silent, once - once_silent, rows)
    return dict(zip(LINES, values, strict=True))


def figures(
    split: "Split", seed: int, *, exchange: bool = True, fakes: int = 10, regroup: int = REGROUP
) -> tuple[float, float, float]:
    """Train; return NDCG@10 after the first and last turn, and the share of test items held."""
    from dataclasses import replace

    import numpy as np

    from droidloop.models.evaluation.candidates import exclusions, sample_candidates
    from droidloop.models.evaluation.evaluate import evaluate, on_candidates
    from droidloop.models.local.sgd import Sgd
    from droidloop.models.peer.ego_groups import EgoGroups
    from droidloop.models.peer.ego_members import Members
    from droidloop.models.peer.ego_rule import SemiDFEGL, ego_store
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.draws import Draws
    from droidloop.scenarios.protocols.groups import within_groups
    from droidloop.scenarios.protocols.relayed_gossip import choose_partners

    draws, phones, data = Draws(seed, "semidfegl"), np.arange(split.n_users), split.train
    rule = SemiDFEGL(
        *(MF(split.n_items, 32), ROWS, fakes),
        layers=1,
        sgd=Sgd(0.3, 0.3),
        exclude=exclusions(split, "clean"),
    )
    store, server = ego_store(rule, draws, len(phones)), EgoGroups(rule, data, draws)
    candidates, found = sample_candidates(split, draws.child("candidates")), []
    for turn in range(TURNS):
        if turn % regroup == 0:
            reports = server.report(phones, store)
            groups = server.group(reports, GROUPS, draws.child("groups"), turn)
            store.commit(phones, store.gather(phones) | groups.columns)
            links = within_groups(groups.members, LINKS, draws.child("links"), turn)
        inbox = None
        if exchange:
            to = choose_partners(links, phones, draws.child("partners"), turn)[:, 0]
            order = np.argsort(to, kind="stable")
            order = order[to[order] >= 0]
            inbox = replace(rule.share(order, store, turn, draws), receiver=to[order])
        rule.learn(phones, inbox, store, data, turn, draws)
        if turn in (0, TURNS - 1):
            scores = rule.scores(store.gather(phones), data)
            ranked = on_candidates(scores.__getitem__)
            found.append(evaluate(ranked, split, candidates).means()["ndcg_at_10"])
    held = Members(store.gather(phones), split.n_items).local(split.test).counts
    return found[0], found[1], float(held.sum() / split.test.counts.sum())
