"""Composed tables on ml-1m: what an assignment and a teacher are worth.

Of 1,000 users, drawn by chance and the same in all seeds; all items are ranked, test items as in
the NCF paper. What is compared takes the same bytes, indexes counted, and is trained alike. LEGCF's
settings and those of whole vectors were chosen on validation with seed 11; those of OD-Rec were
not chosen but set.
"""

from tests.reference.composed import DIM, judge, plain, settings
from tests.reference.movielens import ml_1m
from tests.reference.row import Line, Values, at_least

DATA, USERS = "ml-1m", 1000
_PLAY, _MORE = "NCF's test rows, all items", "NDCG@10 difference"
_FEW = "the interval over 1,000 users reaches below 0"
LINES = {
    "composed-dense-ml-1m": Line(_PLAY, "NDCG@10"),
    "legcf-ml-1m": Line(_PLAY, "NDCG@10"),
    "random-assignment-ml-1m": Line(_PLAY, "NDCG@10"),
    "legcf-over-random-ml-1m": Line(_PLAY, _MORE, at_least(0.0), because=_FEW),
    "od-rec-ml-1m": Line(_PLAY, "NDCG@10"),
    "od-rec-untaught-ml-1m": Line(_PLAY, "NDCG@10"),
    "od-rec-over-untaught-ml-1m": Line(_PLAY, _MORE, at_least(0.0), because=_FEW),
}
CENTERS, RANK, TAUGHT = 400, 8, 4.0


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    from droidloop.models.fitting.distil import Teaching
    from droidloop.models.fitting.legcf import Assigning, legcf
    from droidloop.models.fitting.od_rec import od_rec
    from droidloop.models.interfaces.learning import EmbeddingTable, Params
    from droidloop.models.recommenders.mf import MF
    from droidloop.models.tables.assigned import AssignedTable, drawn_rows
    from droidloop.models.tables.dense import DenseTable
    from droidloop.models.tables.tensor_chain import TensorChainTable
    from droidloop.platform.draws import Draws

    split, draws = ml_1m(USERS), Draws(seed, "composed row")
    n, train = split.n_items, split.train
    test, quality = judge(split, seed, "test"), judge(split, seed)

    def valid(table: EmbeddingTable, params: Params) -> float:
        return float(quality(table, params).mean())

    whole = DenseTable(n, DIM)
    teacher = plain(split, seed, whole, 0.01, 12, 0.01)
    found = [test(whole, teacher)]

    model, once = MF(n, DIM, "log", 0.01), settings(6, 0.01)
    setting = Assigning(CENTERS, settings(15, 0.02, 8192))
    child = draws.child("legcf")
    table, params = legcf(model, train, once, setting, draws=child, validate=valid)
    drawn = AssignedTable(n, DIM, CENTERS, drawn_rows(n, CENTERS, 2, draws))
    assert drawn.nbytes == table.nbytes
    by_chance = test(drawn, plain(split, seed, drawn, 0.01, 6, 0.01))
    found += [assigned := test(table, params), by_chance, assigned - by_chance]

    chain, same = TensorChainTable(n, DIM, RANK), draws.child("od-rec")
    for weight in (TAUGHT, 0.0):
        params = od_rec(
            *(teacher, chain, train, settings(6, 0.02, 8192), Teaching(weight)),
            l2=0.003,
            draws=same,
            validate=valid,
        )
        found.append(test(chain, params))
    found.append(found[-2] - found[-1])
    return dict(zip(LINES, found, strict=True))
