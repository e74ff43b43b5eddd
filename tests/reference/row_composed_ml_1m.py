"""Composed tables on ml-1m: what an assignment, a teacher and two codebooks are worth.

Of 1,000 users, drawn by chance and the same in all seeds; all items are ranked, test items as in
the NCF paper. What is compared takes the same bytes, indexes counted. Settings were chosen on
validation with seed 11. PEP is CERP with one codebook of a row for each item.
"""

from tests.reference.composed import DIM, judge, plain, settings
from tests.reference.movielens import ml_1m
from tests.reference.row import Bar, Line, Values, at_least

DATA, USERS = "ml-1m", 1000
_PLAY, _MORE = "NCF's test rows, all items", "NDCG@10 difference"
LINES = {
    "composed-dense-ml-1m": Line(_PLAY, "NDCG@10"),
    "legcf-ml-1m": Line(_PLAY, "NDCG@10"),
    "random-assignment-ml-1m": Line(_PLAY, "NDCG@10"),
    "legcf-over-random-ml-1m": Line(_PLAY, _MORE, at_least(0.0)),
    "od-rec-ml-1m": Line(_PLAY, "NDCG@10"),
    "od-rec-untaught-ml-1m": Line(_PLAY, "NDCG@10"),
    "od-rec-over-untaught-ml-1m": Line(_PLAY, _MORE, at_least(0.0)),
    "cerp-ml-1m": Line(_PLAY, "NDCG@10"),
    "pep-ml-1m": Line(_PLAY, "NDCG@10"),
    "cerp-over-pep-ml-1m": Line(
        _PLAY,
        _MORE,
        at_least(0.0),
        because="at these bytes PEP keeps popular items whole, and sums of two rows keep none",
    ),
    "cerp-bytes-over-pep-ml-1m": Line("of both", "bytes of CERP over PEP's", Bar(-1e9, 0)),
}
CENTERS, RANK, BUCKETS, SHARE, PEP_SHARE = 400, 16, 200, 0.25, 0.02


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    from droidloop.models.fitting.cerp import Pruning, cerp
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

    again = {"draws": draws.child("legcf"), "validate": valid}
    setting = Assigning(CENTERS, settings(10, 0.02, 8192))
    table, params = legcf(MF(n, DIM, "log", 0.003), train, settings(4, 0.005), setting, **again)
    drawn = AssignedTable(n, DIM, CENTERS, drawn_rows(n, CENTERS, 2, draws))
    assert drawn.nbytes == table.nbytes
    by_chance = test(drawn, plain(split, seed, drawn, 0.003, 4, 0.005))
    found += [assigned := test(table, params), by_chance, assigned - by_chance]

    chain = TensorChainTable(n, DIM, RANK)
    for weight in (1.0, 0.0):
        params = od_rec(
            *(teacher, chain, train, settings(5, 0.01), Teaching(weight)),
            l2=0.003,
            draws=draws.child("od-rec"),
            validate=valid,
        )
        found.append(test(chain, params))
    found.append(found[-2] - found[-1])

    sizes, model = [], MF(n, DIM, "log", 0.003)
    for buckets, books, share in ((BUCKETS, 2, SHARE), (n, 1, PEP_SHARE)):
        pruning = Pruning(buckets, share, settings(4, 0.005), books=books, weight=0.0)
        rest = {"draws": draws.child("cerp"), "validate": valid}
        pruned, params = cerp(model, train, settings(5, 0.005), pruning, **rest)
        found.append(test(pruned, params))
        sizes.append(pruned.nbytes)
    found += [found[-2] - found[-1], float(sizes[0] - sizes[1])]
    return dict(zip(LINES, found, strict=True))
