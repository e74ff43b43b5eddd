"""DCF: users and items as signs, found bit by bit.

It does not work here, because 16 bits fall short of the signs of 64 numbers (docs/tables.md).

Zhang, Shen, Liu, He, Luan, Chua: Discrete Collaborative Filtering (SIGIR 2016), on implicit
feedback: as in iALS (``ials.py``) every pair of a user and an item counts, those of what the user
had 1 + *weight* times. Of codes b and d of r signs the sum

    J = sum over all (u, i) of c_ui (t_ui - b_u . d_i)^2 - 2 alpha tr(B^T X) - 2 beta tr(D^T Y)

is lowered, with t_ui = *target* r where the user had the item and *others* r elsewhere. X and Y
stand for codes that are balanced (each bit is 1 for half of all) and decorrelated: each is the
nearest such matrix of real numbers.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from droidloop.models.data.interactions import UserItems, union
from droidloop.models.evaluation.metrics import Scores
from droidloop.models.tables.binary import codes_of, popcount_scores
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import kernel
from droidloop.platform.workers import for_chunks

from .ials import IALS, by_item

SWEEPS = 20
"""At most; most end before, when no bit changes."""
_START_L2 = 0.003
_PASSES = 5


@dataclass(frozen=True)
class DCFSetting:
    """What J is made of, and how many *bits* a code has."""

    bits: int
    weight: float = 1.0
    target: float = 1.0
    others: float = -0.15
    alpha: float = 0.0
    beta: float = 0.0


@final
class DCF:
    """Codes of users and items after sweeps; ``losses`` are J before and after each.

    They start as the signs of iALS.
    """

    def __init__(
        self,
        train: UserItems,
        n_items: int,
        setting: DCFSetting,
        draws: Draws,
        sweeps: int = SWEEPS,
    ) -> None:
        had, r = union(train), setting.bits
        has = by_item(had, n_items)
        start = IALS(
            *(train, n_items), dim=r, alpha=setting.weight, l2=_START_L2, draws=draws.child("start")
        )
        self.users, self.items = _signs(start.users), _signs(start.items)
        x, y = (nearest_spread(codes, draws.child("spread")) for codes in (self.users, self.items))
        pull = (setting.weight, setting.target * r, setting.others * r)
        self.losses = [loss_of(had, self.users, self.items, setting, x, y)]
        for _ in range(sweeps):
            before = self.users, self.items
            self.users = turned(had, self.users, self.items, pull, setting.alpha * x)
            x = nearest_spread(self.users, draws.child("spread"))
            self.items = turned(has, self.items, self.users, pull, setting.beta * y)
            y = nearest_spread(self.items, draws.child("spread"))
            self.losses.append(loss_of(had, self.users, self.items, setting, x, y))
            if all(map(np.array_equal, before, (self.users, self.items))):
                break

    def scores(self, users: IntArray) -> Scores:
        """Return the products of the codes, counted, shape (users, items)."""
        codes = codes_of(self.users[users]), codes_of(self.items)
        return popcount_scores(*codes, self.items.shape[1])


def loss_of(
    had: UserItems,
    users: FloatArray,
    items: FloatArray,
    setting: DCFSetting,
    x: FloatArray,
    y: FloatArray,
) -> float:
    """Return J."""
    owners = np.repeat(np.arange(had.n_users), had.counts)
    scores = np.einsum("ab,ab->a", users[owners], items[had.items])
    target, others = setting.target * setting.bits, setting.others * setting.bits
    every = float(np.sum((users.T @ users) * (items.T @ items)))
    every += others * (others * len(users) * len(items) - 2 * users.sum(axis=0) @ items.sum(axis=0))
    gained = (1 + setting.weight) * np.square(target - scores) - np.square(others - scores)
    spread = setting.alpha * np.sum(users * x) + setting.beta * np.sum(items * y)
    return float(every + gained.sum() - 2 * spread)


def nearest_spread(codes: FloatArray, draws: Draws) -> FloatArray:
    """Return the X, (rows, bits), that is nearest to *codes* of those with X^T 1 = 0, X^T X = m I.

    Bits that others determine get directions of *draws*.
    """
    m, bits = codes.shape
    if m <= bits:
        raise ValueError(f"{m} rows have no {bits} bits that are balanced and decorrelated")
    left, values, right = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)
    free = values < 1e-9 * m
    if free.any():
        others = draws.normal(np.arange(m)[:, None], np.arange(int(free.sum())))
        known = np.concatenate([np.ones((m, 1)), left[:, ~free], others], axis=1)
        left[:, free] = np.linalg.qr(known)[0][:, -others.shape[1] :]
    spread: FloatArray = np.sqrt(m) * (left @ right)
    return spread


def turned(
    rows: UserItems,
    codes: FloatArray,
    table: FloatArray,
    pull: tuple[float, float, float],
    delegate: FloatArray,
) -> FloatArray:
    """Return *codes* after each bit of each row took the sign that lowers J, in turn.

    *rows* hold each of theirs once, *table* has the codes of the other side, *pull* the weight and
    target of what is held, *delegate* X times its weight. Passes over a row end when no bit turns.
    """
    out, squares = codes.copy(), table.T @ table

    def work(low: int, high: int) -> None:
        _turn_all(low, high, rows.items, rows.offsets, table, squares, *pull, delegate, out)

    for_chunks(work, rows.n_users, None)
    return out


def _signs(vectors: Scores) -> FloatArray:
    return np.where(vectors >= 0, 1.0, -1.0)


@kernel
def _turn_all(
    low: int,
    high: int,
    items: IntArray,
    offsets: IntArray,
    table: FloatArray,
    squares: FloatArray,
    weight: float,
    target: float,
    others: float,
    delegate: FloatArray,
    out: FloatArray,
) -> None:
    n, bits = table.shape
    leaning = np.zeros(bits)
    for i in range(n):
        for k in range(bits):
            leaning[k] += others * table[i, k]
    for row in range(low, high):
        mine, code = items[offsets[row] : offsets[row + 1]], out[row]
        scores = np.zeros(mine.size)
        for t in range(mine.size):
            for k in range(bits):
                scores[t] += code[k] * table[mine[t], k]
        for _ in range(_PASSES):
            turns = 0
            for k in range(bits):
                slope = (
                    delegate[row, k] + leaning[k] + n * code[k]
                )  # what all would have, less this bit's part
                for other in range(bits):
                    slope -= squares[k, other] * code[other]
                for t in range(mine.size):
                    d = table[mine[t], k]
                    rest = scores[t] - code[k] * d
                    slope += ((1.0 + weight) * (target - rest) - (others - rest)) * d
                if slope * code[k] < 0.0:
                    turns += 1
                    code[k] = -code[k]
                    for t in range(mine.size):
                        scores[t] += 2.0 * code[k] * table[mine[t], k]
            if turns == 0:
                break
