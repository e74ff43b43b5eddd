"""ODUpdate does not work here, because it keeps 64 % of what retraining gains, not 95 %.

On ml-1m (row ``od-update-ml-1m``). A phone's codes table follows the server's model by few
codewords and codes, and both then hold the same bits.

Xia, Yu, Xu, Nguyen, Yin: Towards Communication-Efficient Model Updating for On-Device Session-Based
Recommendation (CIKM 2023). Of each codebook some codewords give way to new ones, those that are
there longest (a queue) or those that came last (a stack); how many depends on how far vectors have
drifted. All others stay, and codes are found anew.

What differs from the paper: a code changes only where that lowers the error by more than a price,
which is raised until the update takes no more than its bytes; the paper sends every code. Codewords
and codes are found by turns, not by gradients.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from droidloop.models.packages.exportable import Graph
from droidloop.models.tables.codes import SCORER, coded_of, constants_of
from droidloop.models.tables.coding import Coded, fit_codes, rounded
from droidloop.models.updates.delta import Delta, smallest, sparse
from droidloop.platform.arrays import Array, FloatArray
from droidloop.platform.errors import PackageError
from droidloop.platform.law import kernel

Order = Literal["queue", "stack"]

MMD_ROWS = 1000
"""Of old and new vectors, as in the authors' code."""
_KERNELS, _TURNS, _PRICES = 5, 6, 16


@dataclass(frozen=True)
class Update:
    """An update: what phones have after it, how they get there, and what was replaced.

    Attributes:
        coded: codes and codewords afterwards, on the server and on phones.
        delta: of ``plain_bytes`` before and after.
        replaced: how many codewords of each codebook are new.
        first: the place of the first of them; a queue goes on behind the last.
        changed: how many codes are others than before.
        drift: between old and new vectors, see ``drift_of``.
    """

    coded: Coded
    delta: Delta
    replaced: int
    first: int
    changed: int
    drift: float


def drift_of(old: Array, new: Array) -> float:
    """Return the maximum mean discrepancy of *old* and *new* vectors, (n, dim); of equal ones 0.

    Gretton et al., A Kernel Two-Sample Test (JMLR 2012), the biased estimate, with five Gaussian
    kernels around the mean squared distance, as in the authors' code; of at most ``MMD_ROWS`` rows.
    """
    rows = np.unique(np.linspace(0, len(old) - 1, min(MMD_ROWS, len(old))).astype(np.int64))
    both = np.concatenate([old[rows], new[rows]]).astype(np.float64)
    squares = np.zeros((len(both), len(both)))
    _distances(both, squares)
    width = squares.sum() / (len(both) ** 2 - len(both))
    if not width:
        return 0.0
    total = np.zeros_like(squares)
    for k in range(_KERNELS):
        total += np.exp(-squares / (width * 2.0 ** (k - _KERNELS // 2)))
    m = len(rows)
    within, across = total[:m, :m] + total[m:, m:], total[:m, m:] + total[m:, :m]
    return max(0.0, float((within - across).mean()))


def replaced_of(drift: float, strength: float, words: int) -> int:
    """Return how many of *words* codewords give way: strength (2 sigmoid(sqrt(drift)) - 1) of all.

    At least one; the share is that of the authors' code.
    """
    share = strength * (2 / (1 + math.exp(-math.sqrt(drift))) - 1)
    return min(words, max(1, math.ceil(share * words)))


def od_update(
    old: Coded,
    vectors: Array,
    *,
    budget_bytes: int,
    order: Order = "queue",
    first: int = 0,
    replaced: int | None = None,
    strength: float = 0.2,
    weights: Array | None = None,
) -> Update:
    """Return the update from *old* towards *vectors*, in at most *budget_bytes* if any is so small.

    Args:
        old: what phones have.
        vectors: the server's, of the same items, (n, dim).
        budget_bytes: of the delta.
        order: which codewords give way.
        first: of a queue, the place of the one that is there longest.
        replaced: how many do of each codebook; None: by the drift and *strength*.
        strength: see *replaced*.
        weights: what an item's error counts, (n,); None: all alike.

    Raises:
        ValueError: vectors are not those of the same items, or there are no such codewords.
    """
    wanted = np.ascontiguousarray(vectors, np.float64)
    mass = np.ones(len(wanted)) if weights is None else np.asarray(weights, np.float64)
    mass = mass / mass.mean()
    n_words = old.words.shape[1]
    if wanted.shape != (len(old.codes), old.words.shape[2]):
        raise ValueError(f"vectors of {len(old.codes)} items, not of shape {wanted.shape}")
    drift = drift_of(old.vectors, wanted)
    count = replaced_of(drift, strength, n_words) if replaced is None else replaced
    if not 1 <= count <= n_words:
        raise ValueError(f"no {count} of {n_words} codewords can be replaced")
    start = first if order == "queue" else n_words - count
    places = np.sort((start + np.arange(count)) % n_words)
    before = plain_bytes(old)

    def tried(price: float) -> tuple[Coded, int]:
        now = fit_codes(old, wanted, mass, turns=_TURNS, places=places, price=price)
        return now, len(sparse(before, plain_bytes(now)))

    low, high = 0.0, float((mass * np.square(wanted).sum(axis=1)).max())
    best = tried(low)
    if best[1] > budget_bytes:
        best = tried(high)
        for _ in range(_PRICES):
            middle = (low + high) / 2 if low else high / 4
            found = tried(middle)
            if found[1] <= budget_bytes:
                best, high = found, middle
            else:
                low = middle
    now = best[0]
    delta = smallest(before, plain_bytes(now))
    changed = int(np.count_nonzero(now.codes != old.codes))
    return Update(now, delta, count, start, changed, drift)


def plain_bytes(coded: Coded) -> bytes:
    """Return the codes, a byte each, book by book, and the codewords: as a ``.tflite`` has them."""
    return coded.codes.T.astype(np.uint8).tobytes() + coded.words.astype("<f4").tobytes()


def read_plain(data: bytes, like: Coded) -> Coded:
    """Return what ``plain_bytes`` wrote of codes and codewords of the shapes of *like*."""
    codes = np.frombuffer(data, np.uint8, like.codes.size).reshape(like.codes.shape[::-1])
    words = np.frombuffer(data, "<f4", like.words.size, like.codes.size)
    return Coded(codes.T.astype(np.int64), words.astype(np.float32).reshape(like.words.shape))


def followed(
    graph: Graph, before: Mapping[str, Array], share: float
) -> tuple[Graph, dict[str, Array]]:
    """Return *graph*, of codes, as an update of the release *before* leads to it, and what is left.

    The first release (nothing *before*) has codes of its own. Both are for the next one.

    Args:
        graph: of a codes table, with codes of its own.
        before: what came second of the release before; empty: there is none.
        share: of the bytes of codes and codewords, the most that the update takes.

    Raises:
        PackageError: *graph* has no codes.
    """
    if graph.kind != SCORER:
        raise PackageError(
            "delivery.codes_share: what ships has no codes; set model.table.kind = 'codes', or 0"
        )
    new = coded_of(graph.constants)
    if not before:
        found, then = Coded(new.codes, rounded(new.words)), 0
    else:
        old = coded_of(before)
        budget_bytes = round(share * len(plain_bytes(old)))
        update = od_update(old, new.vectors, budget_bytes=budget_bytes, first=int(before["first"]))
        found, then = update.coded, (update.first + update.replaced) % old.words.shape[1]
    constants = constants_of(found)
    return replace(graph, constants=constants), {**constants, "first": np.array(then)}


@kernel
def _distances(points: FloatArray, out: FloatArray) -> None:
    for a in range(len(points)):
        for b in range(a):
            total = 0.0
            for d in range(points.shape[1]):
                total += (points[a, d] - points[b, d]) ** 2
            out[a, b] = out[b, a] = total
