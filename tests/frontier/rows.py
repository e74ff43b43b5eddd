"""The rows of the frontier by their names: each table that droidloop has, fitted to a budget."""

from collections.abc import Mapping

from tests.frontier import learned, sized

from .row import DIM, MOST_BITS, Fitted, OutOfReachError, Row, Setting, Work


def dense(work: Work) -> Fitted:
    """Shorter vectors, the same for all: what every other row is held to."""
    from droidloop.models.tables.dense import DenseTable

    dim = work.budget_bytes // (4 * work.n)
    return work.trained(DenseTable(work.n, _least(dim, 1, "a number for every item")))


def hashed(work: Work) -> Fitted:
    """As many rows as fit, shared by items of one remainder."""
    from droidloop.models.tables.hashed import HashedTable

    rows = _least(work.budget_bytes // (4 * DIM), 1, "one row")
    return work.trained(HashedTable(work.n, DIM, rows))


def quotient_remainder(work: Work) -> Fitted:
    """As many remainders as fit with their quotients."""
    from droidloop.models.tables.quotient_remainder import QuotientRemainderTable

    for remainders in range(work.n, 0, -1):
        table = QuotientRemainderTable(work.n, DIM, remainders)
        if table.nbytes <= work.budget_bytes:
            return work.trained(table)
    raise OutOfReachError("remainders and quotients of any number take more")


def binary(work: Work) -> Fitted:
    """As many signs as fit."""
    from droidloop.models.tables.binary import BinaryTable

    bits = min(MOST_BITS, work.budget_bytes // work.n * 8)
    return work.trained(BinaryTable(work.n, _least(bits, 8, "8 signs for every item")))


def elastic(work: Work) -> Fitted:
    """One training for all budgets, cut to this one."""
    from droidloop.models.tables.elastic import ElasticTable

    table = ElasticTable(work.n, DIM, 16)
    whole = work.trained(table)
    if work.budget_bytes < table.least_bytes:
        raise OutOfReachError(f"one block of every vector takes {table.least_bytes} bytes")
    cut, params = table.cut(whole.params, work.budget_bytes)
    return Fitted(cut, {**params, "user": whole.params["user"]})


def pruned(work: Work) -> Fitted:
    """The largest numbers of a whole table, as many as fit with where they stand."""
    from droidloop.models.tables.pruned import PrunedTable

    kept = learned.numbers_within(work, work.n)
    small = PrunedTable(work.n, DIM, kept / (work.n * DIM))
    whole = work.trained(small)  # trained whole
    params = small.unpack(small.pack(whole.params))
    return Fitted(small, {**params, "user": whole.params["user"]})


def codes(work: Work) -> Fitted:
    """A whole table that ships as codes over codebooks, as many as fit."""
    from droidloop.models.tables.codes import CodesTable

    books, words = learned.code_size(work)
    whole = work.trained(CodesTable(work.n, DIM, books, words))
    assert isinstance(whole.table, CodesTable)
    table, params = whole.table.coded(whole.params)
    return Fitted(table, {**params, "user": whole.params["user"]})


def _least(value: int, least: int, what: str) -> int:
    """Return *value*, of which *least* is needed for *what*."""
    if value < least:
        raise OutOfReachError(f"{what} takes more")
    return value


SLOW, FAST, LONG = Setting(0.005, 0.003), Setting(0.01, 0.003), Setting(0.02, 0.0003)

ROWS: Mapping[str, Row] = {
    "dense": Row(dense, LONG),
    "hashed": Row(hashed, SLOW),
    "quotient-remainder": Row(quotient_remainder, SLOW),
    "elastic": Row(elastic, SLOW),
    "mde": Row(learned.mde, FAST),
    "autodim": Row(sized.autodim, FAST),
    "autoemb": Row(sized.autoemb, LONG),
    "nis": Row(sized.nis, LONG),
    "ciess": Row(sized.ciess, LONG),
    "peel": Row(sized.peel, SLOW),
    "pruned": Row(pruned, FAST),
    "pep": Row(learned.pep, SLOW),
    "sseds": Row(sized.sseds, LONG),
    "amtl": Row(sized.amtl, LONG),
    "optembed": Row(sized.optembed, LONG),
    "cerp": Row(learned.cerp, SLOW),
    "legcf": Row(learned.legcf, LONG),
    "deep-hash": Row(learned.deep_hash, SLOW),
    "od-rec": Row(learned.od_rec, FAST),
    "codes": Row(codes, SLOW),
    "light-rec": Row(learned.light_rec, SLOW),
    "eod-rec": Row(learned.eod_rec, FAST),
    "binary": Row(binary, SLOW),
    "ch": Row(learned.hashing, Setting(0.01, 0.01)),
    "pph": Row(learned.phase, Setting(0.01, 0.01)),
    "hash-gnn": Row(learned.hash_gnn, Setting(0.02, 0.0)),
}
