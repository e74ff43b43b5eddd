"""Rows of the frontier whose tables are found, taught or pruned while they are trained.

Some start from a teacher, matrix factorisation on whole vectors, trained with the same seed; its
processor time counts as theirs.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from .row import DIM, EPOCHS, MOST_BITS, Fitted, OutOfReachError, Setting, Work

if TYPE_CHECKING:
    from droidloop.models.interfaces.learning import EmbeddingTable, Params
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.draws import Draws

TEACHER = Setting(0.02, 0.0003)
"""What was best for dense vectors of 1/10."""
SEARCH_EPOCHS = 4
TAUGHT_EPOCHS, MOST_BOOKS = 4, 16
"""Of students, after the epochs of their teacher, and of codes that learn with their codewords: so
that a row ends within ten minutes."""

Size = TypeVar("Size")


def largest(sizes: Iterable[Size], nbytes: Callable[[Size], int], work: Work) -> Size:
    """Return the one of *sizes* that takes most of the budget."""
    fitting = [(nbytes(one), k, one) for k, one in enumerate(sizes)]
    fitting = [one for one in fitting if one[0] <= work.budget_bytes]
    if not fitting:
        raise OutOfReachError("the smallest such table takes more")
    return max(fitting, key=lambda one: one[:2])[2]


def numbers_within(work: Work, rows: int) -> int:
    """Return how many numbers of *rows* rows fit with where they stand."""
    from droidloop.models.tables.sparse_rows import sizes, smallest

    low, high = 0, rows * DIM + 1
    while high - low > 1:
        middle = (low + high) // 2
        fits = sizes(rows, DIM, middle)[smallest(rows, DIM, middle)] <= work.budget_bytes
        low, high = (middle, high) if fits else (low, middle)
    if not low:
        raise OutOfReachError(f"where a number stands, of {rows} rows, takes the budget")
    return low


def mde(work: Work) -> Fitted:
    """Vectors as long as the formula of popularity makes them (MDE)."""
    import numpy as np

    from droidloop.models.fitting.mde import mde_within
    from droidloop.platform.errors import DroidloopError

    counts = np.bincount(work.split.train.items, minlength=work.n)
    for blocks in (8, 16, 32, 64, 128):  # the fewest whose widest block leaves room for others
        try:
            return work.trained(mde_within(counts, DIM, work.budget_bytes, blocks=blocks))
        except DroidloopError as error:
            why = str(error).partition(";")[0]
    raise OutOfReachError(why)


def deep_hash(work: Work) -> Fitted:
    """As large a network as fits makes vectors of hashes (DHE)."""
    from droidloop.models.tables.deep_hash import DeepHashTable

    def made(size: tuple[int, int]) -> DeepHashTable:
        return DeepHashTable(work.n, DIM, hashes=size[0], width=size[1])

    sizes = [(hashes, width) for hashes in (64, 128, 256, 512) for width in range(8, 129, 8)]
    return work.trained(made(largest(sizes, lambda one: made(one).nbytes, work)))


def pep(work: Work) -> Fitted:
    """Numbers of whole vectors above learned thresholds (PEP): one codebook with a row an item."""
    return _pruned(work, work.n, 1)


def cerp(work: Work) -> Fitted:
    """Numbers of two codebooks above learned thresholds, of which a quarter is left (CERP)."""
    from droidloop.models.tables.codebooks import CodebooksTable

    least = int(work.n**0.5) + 1

    def quarter(buckets: int) -> int:
        return int(CodebooksTable(work.n, DIM, buckets).nbytes * 0.3)

    return _pruned(work, largest(range(least, work.n), quarter, work), 2)


def _pruned(work: Work, buckets: int, books: int) -> Fitted:
    """Return *books* codebooks of *buckets* rows with as many numbers as the budget holds."""
    from droidloop.models.fitting.cerp import Pruning, cerp

    numbers = buckets * books * DIM
    share = numbers_within(work, buckets * books) / numbers
    steps = _steps(work, SEARCH_EPOCHS)
    pruning = Pruning(buckets, share, steps, books=books, weight=0.0)
    model, draws = model_of(work), draws_of(work)
    rest: Any = {"draws": draws, "validate": _quality(work)}
    table, params = cerp(model, work.split.train, _steps(work), pruning, **rest)
    return Fitted(table, params)


def legcf(work: Work) -> Fitted:
    """Two rows of a small table make an item, assigned on the graph in closed form (LEGCF)."""
    import numpy as np

    from droidloop.models.fitting.legcf import Assigning, legcf
    from droidloop.models.tables.assigned import AssignedTable

    none = np.zeros((work.n, 2), np.int64)

    def takes(centers: int) -> int:
        return AssignedTable(work.n, DIM, centers, none).nbytes

    centers = largest(range(2, work.n // 2, 2), takes, work)
    setting = Assigning(centers, _steps(work, 10, batch=8192))
    rest: Any = {"draws": draws_of(work), "validate": _quality(work)}
    return Fitted(*legcf(model_of(work), work.split.train, _steps(work), setting, **rest))


def od_rec(work: Work) -> Fitted:
    """A tensor chain that learns from a teacher (OD-Rec)."""
    from droidloop.models.fitting.distil import Teaching
    from droidloop.models.fitting.od_rec import od_rec
    from droidloop.models.tables.tensor_chain import TensorChainTable

    def made(rank: int) -> TensorChainTable:
        return TensorChainTable(work.n, DIM, rank)

    table = made(largest(range(2, 513, 2), lambda rank: made(rank).nbytes, work))
    rest: Any = {"l2": work.setting.l2, "draws": draws_of(work), "validate": _quality(work)}
    steps = _steps(work, TAUGHT_EPOCHS)
    return Fitted(table, od_rec(teacher(work), table, work.split.train, steps, Teaching(), **rest))


def light_rec(work: Work) -> Fitted:
    """Codes and codewords that learn together from a teacher (LightRec)."""
    from droidloop.models.fitting.light_rec import light_rec

    books, words = code_size(work, MOST_BOOKS)
    rest: Any = {"l2": work.setting.l2, "draws": draws_of(work), "validate": _quality(work)}
    rest |= {"books": books, "words": words}
    found = light_rec(teacher(work), work.split.train, _steps(work, TAUGHT_EPOCHS), **rest)
    return Fitted(*found)


def eod_rec(work: Work) -> Fitted:
    """Codes that learn from a teacher by soft targets and by contrast (EODRec)."""
    from droidloop.models.fitting.distil import Teaching
    from droidloop.models.fitting.od_rec import eod_rec
    from droidloop.models.tables.joint_codes import JointCodesTable

    table = JointCodesTable(work.n, DIM, *code_size(work, MOST_BOOKS))
    rest: Any = {"l2": work.setting.l2, "draws": draws_of(work), "validate": _quality(work)}
    teaching = Teaching(contrast=0.1)
    steps = _steps(work, TAUGHT_EPOCHS)
    found = eod_rec(teacher(work), table, work.split.train, steps, teaching, **rest)
    return Fitted(*found)


def hashing(work: Work) -> Fitted:
    """Signs of balanced, uncorrelated vectors in the rotation where they lose least (CH)."""
    from droidloop.models.fitting.hashing import Relaxed, collaborative_hashing

    table, model = _signs(work)
    rest: Any = {"draws": draws_of(work), "validate": lambda codes: _quality(work)(table, codes)}
    relaxed = Relaxed(balance=1.0, spread=1.0)
    found = collaborative_hashing(model, work.split.train, _steps(work), relaxed, **rest)
    return Fitted(table, found)


def phase(work: Work) -> Fitted:
    """Signs and one of four lengths of vectors of one length (PPH)."""
    from droidloop.models.fitting.hashing import Relaxed, preference_preserving
    from droidloop.models.recommenders.mf import MF
    from droidloop.models.tables.dense import DenseTable
    from droidloop.models.tables.phase import PhaseTable

    def made(bits: int) -> PhaseTable:
        return PhaseTable(work.n, bits)

    bits = largest(range(8, MOST_BITS + 1, 8), lambda one: made(one).nbytes, work)
    table, real = made(bits), DenseTable(work.n, bits)
    rest: Any = {"draws": draws_of(work), "validate": lambda params: _quality(work)(real, params)}
    model = MF(work.n, bits, "log", work.setting.l2)
    relaxed = Relaxed(length=0.1)
    _, found = preference_preserving(model, work.split.train, _steps(work), relaxed, **rest)
    item = found["item"]
    return Fitted(table, {"item": item, "item_levels": table.fitted(item), "user": found["user"]})


def hash_gnn(work: Work) -> Fitted:
    """Signs that are learned on the graph, with real numbers as guidance (HashGNN)."""
    from droidloop.models.fitting.hash_gnn import Hashing, hash_gnn

    table, _ = _signs(work)
    rest: Any = {"draws": draws_of(work), "validate": lambda codes: _quality(work)(table, codes)}
    steps = _steps(work, 20, batch=8192, negatives=2)
    found = hash_gnn(work.split.train, work.n, steps, Hashing(table.dim), **rest)
    return Fitted(table, found)


def _signs(work: Work) -> "tuple[EmbeddingTable, MF]":
    """Return a table of as many signs as fit, and a model of vectors as long."""
    from droidloop.models.recommenders.mf import MF
    from droidloop.models.tables.binary import BinaryTable

    bits = min(MOST_BITS, work.budget_bytes // work.n * 8)
    if bits < 8:
        raise OutOfReachError("8 signs for every item take more")
    return BinaryTable(work.n, bits), MF(work.n, bits, "log", work.setting.l2)


def code_size(work: Work, most: int = 32) -> tuple[int, int]:
    """Return how many of at *most* codebooks of how many words have most bits a code that fits."""
    import math

    import numpy as np

    from droidloop.models.tables.codes import CodebookTable

    found = []
    for words in (8, 16, 32, 64, 128, 256):
        for books in range(1, most + 1):
            none = np.zeros((work.n, books), np.int64)
            if CodebookTable(work.n, DIM, words, none).nbytes <= work.budget_bytes:
                found.append((books * math.log2(words), books, words))
    if not found:
        raise OutOfReachError("one codebook of 8 codewords and its codes take more")
    _, books, words = max(found)
    return books, words


def teacher(work: Work) -> "Params":
    """Return the vectors of users and items of matrix factorisation on whole vectors."""
    from dataclasses import replace

    from droidloop.models.tables.dense import DenseTable

    return replace(work, setting=TEACHER).trained(DenseTable(work.n, DIM)).params


def within(work: Work, epochs: int) -> int:
    """Return as many of *epochs* as a fit of fewer than ``EPOCHS`` has."""
    return min(epochs, max(1, epochs * work.epochs // EPOCHS))


def _steps(work: Work, epochs: int | None = None, *, batch: int = 2048, negatives: int = 4) -> Any:
    from droidloop.models.fitting.fit import Hyperparameters

    most = work.epochs if epochs is None else within(work, epochs)
    return Hyperparameters(epochs=most, lr=work.setting.lr, batch=batch, negatives=negatives)


def model_of(work: Work, dim: int = DIM) -> "MF":
    """Return matrix factorisation on whole vectors of *dim* numbers."""
    from droidloop.models.recommenders.mf import MF

    return MF(work.n, dim, "log", work.setting.l2)


def draws_of(work: Work) -> "Draws":
    """Return the chance of a row."""
    from droidloop.platform.draws import Draws

    return Draws(work.seed, "frontier")


def _quality(work: Work) -> "Callable[[EmbeddingTable, Params], float]":
    """Return what makes NDCG@10 on validation of a table and all parameters."""
    from tests.reference.composed import judge

    by_user = judge(work.split, work.seed)
    return lambda table, params: float(by_user(table, params).mean())
