"""Small tables on ml-1m: quotient-remainder against hashing, and one elastic training at budgets.

Of 1,000 users, drawn by chance and the same in all seeds; all items are ranked, test items as in
the NCF paper. The elastic setting is that of the row tables-ml-100k, chosen there, with fewer
epochs. The steps of the hashed and of the quotient-remainder table were chosen apart on validation
of all users with seed 11 (0.02 and 0.005 were tried); both tables take the same bytes, and the
same small chance orders the items that share a vector.
"""

from itertools import pairwise
from math import isqrt

from tests.reference.movielens import ml_1m
from tests.reference.row import Bar, Line, Values, at_least
from tests.reference.small_tables import ndcg, tie_breaks, trained

DATA, USERS = "ml-1m", 1000
SHARES = (10, 20, 30, 50, 75, 100)
_PLAY = "NCF's test rows, all items"
LINES = {
    "hashed-ml-1m": Line(_PLAY, "NDCG@10"),
    "quotient-remainder-ml-1m": Line(_PLAY, "NDCG@10"),
    "quotient-remainder-over-hashed-ml-1m": Line(_PLAY, "NDCG@10 difference", at_least(0.0)),
    **{f"elastic-{share}-ml-1m": Line(_PLAY, "NDCG@10") for share in SHARES},
    **{
        f"elastic-{more}-over-{less}-ml-1m": Line(
            _PLAY,
            "NDCG@10 difference",
            at_least(0.0),
            because="" if more < 100 else "so many users do not tell the last step from 0",
        )
        for less, more in pairwise(SHARES)
    },
    "elastic-bytes-ml-1m": Line("of the cuts above", "bytes over the budget, most", Bar(-1e9, 0)),
}
HASHED, QUOTIENT = (0.005, 0.003), (0.005, 0.003)
"""Step and l2 of each."""
TIES = 1e-4
"""What chance adds to scores: it orders the items that share a vector, alike in both."""


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    from droidloop.models.tables.elastic import ElasticTable
    from droidloop.models.tables.float_rows import every_vector
    from droidloop.models.tables.hashed import HashedTable
    from droidloop.models.tables.quotient_remainder import QuotientRemainderTable

    split, found = ml_1m(USERS), []
    n = split.n_items
    pairs = QuotientRemainderTable(n, 64, isqrt(n - 1) + 1)
    for table, (lr, l2) in (
        (HashedTable(n, 64, pairs.remainders + pairs.quotients), HASHED),
        (pairs, QUOTIENT),
    ):
        params = trained(split, seed, table, l2=l2, lr=lr, epochs=4, ties=TIES)
        item, breaks = every_vector(table, params), TIES * tie_breaks(n, seed)
        found.append(ndcg(split, params["user"].numpy(), item, ties=breaks))
    values = [*found, found[1] - found[0]]
    elastic, over = ElasticTable(n, 32, 16), []
    params, cuts = trained(split, seed, elastic, l2=0.003, epochs=8), []
    for share in SHARES:
        budget = elastic.nbytes * share // 100
        cut, kept = elastic.cut(params, budget)
        over.append(float(cut.nbytes - budget))
        cuts.append(ndcg(split, params["user"].numpy(), every_vector(cut, kept)))
    gains = [more - less for less, more in pairwise(cuts)]
    return dict(zip(LINES, [*values, *cuts, *gains, max(over)], strict=True))
