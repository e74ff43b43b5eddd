"""Rows of the frontier whose tables have sizes that were searched, on matrix factorisation.

What a search finds is brought to the budget by one factor for all sizes, where it has no budget of
its own; a vector of which less than one number is left is left out. What searches need beside the
setting of a row (how long they go on, prices) is ours and was not tried on validation.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .learned import SEARCH_EPOCHS, draws_of, largest, model_of, teacher, within
from .row import DIM, Fitted, OutOfReachError, Part, Work

if TYPE_CHECKING:
    from droidloop.models.fitting.torch_descent import Feed
    from droidloop.models.fitting.training import Training
    from droidloop.models.interfaces.learning import Params, Recommender
    from droidloop.models.tables.mixed import MixedTable
    from droidloop.platform.arrays import BoolArray, FloatArray, IntArray

WIDTHS = (1, 2, 4, 8, 16, 32, 64)
"""Of the candidates of AutoDim, those that fit, and AutoEmb."""
AMTL_PRICE, OPTEMBED_PRICE, NIS_PRICE, CIESS_PRICE, PEEL_PRICE = 0.1, 0.01, 0.05, 0.1, 0.1
BATCH, NEGATIVES = 2048, 4
GROUPS, BLOCKS = 3, 32


def sseds(work: Work) -> Fitted:
    """The dimensions that the loss would miss most (SSEDS), as many as fit."""
    from droidloop.models.fitting.sseds import sseds as single_shot

    def takes(width: int) -> int:
        return _one_width(work, width).nbytes

    share = largest(range(1, DIM), takes, work) / DIM
    model, first, training = model_of(work), _first(work), _training(work)
    trained = teacher(work)
    return _shipped(single_shot(model, first, trained, ["item"], share, training, _judge(work)))


def amtl(work: Work) -> Fitted:
    """Prefixes as long as a layer on a trained table makes them by frequency (AMTL)."""
    import numpy as np

    from droidloop.models.fitting.amtl import amtl as adaptive
    from droidloop.models.fitting.retrain import retrain

    model, trained, search = model_of(work), teacher(work), _training(work, SEARCH_EPOCHS)
    _, lengths = adaptive(model, trained, {"item": _counts(work)}, search, AMTL_PRICE)
    there = _prefixes(np.asarray(lengths["item"], np.float64), work)
    return _shipped(retrain(model, trained, {"item": there}, _training(work), _judge(work)))


def ciess(work: Work) -> Fitted:
    """Prefixes as long as an agent makes them by what a vector's quality is (CIESS)."""
    import numpy as np

    from droidloop.models.fitting.ciess import Episodes, search
    from droidloop.models.fitting.retrain import retrain
    from tests.reference.composed import reached

    most = within(work, 4)
    episodes = Episodes(CIESS_PRICE, episodes=most, steps=4, warm=min(2, most))
    model, first = model_of(work), _first(work)
    told = {"item": _counts(work)}, _training(work), reached(work.split), episodes
    found = search(model, first, *told)
    there = _prefixes(np.asarray(found.sizes["item"], np.float64), work)
    return _shipped(retrain(model, first, {"item": there}, _training(work), _judge(work)))


def optembed(work: Work) -> Fitted:
    """Rows above a learned threshold, as wide as evolution finds them (OptEmbed)."""
    from droidloop.models.fitting.optembed import optembed as pruned_rows

    made, _ = pruned_rows(
        *(model_of(work), _first(work), ["item"]),
        *(_training(work, SEARCH_EPOCHS), _training(work), _judge(work)),
        price=OPTEMBED_PRICE,
        budget_bytes=work.budget_bytes,
    )
    if made.nbytes > work.budget_bytes:
        raise OutOfReachError(f"one number of each row that is left takes {made.nbytes} bytes")
    return _shipped(made)


def autodim(work: Work) -> Fitted:
    """One width for all items, searched among those that fit (AutoDim)."""
    from droidloop.models.fitting.autodim import find_sizes
    from droidloop.models.fitting.sized import train_sized

    widest = work.budget_bytes // (4 * work.n)
    if widest < 1:
        raise OutOfReachError("a number for every item takes more")
    hunt = _hunt(work, (*(one for one in WIDTHS if one < widest), widest))
    model, first = model_of(work, widest), _first(work, widest)
    sizes = {"item": find_sizes(model, first, hunt, {"item": None}).chosen["item"]}
    return _shipped(train_sized(model, first, sizes, _training(work), _judge(work)))


def autoemb(work: Work) -> Fitted:
    """A width for each item by how popular it is, searched (AutoEmb)."""
    import numpy as np

    from droidloop.models.fitting.autodim import find_sizes
    from droidloop.models.fitting.sized import train_sized
    from droidloop.models.tables.mixed import MixedTable

    hunt = _hunt(work, WIDTHS)
    found = find_sizes(model_of(work), _first(work), hunt, {"item": _counts(work)})
    expected = found.expected["item"]

    def of(factor: float) -> "IntArray":
        places = np.searchsorted(np.asarray(WIDTHS), np.maximum(factor * expected, 1), "right")
        return np.asarray(WIDTHS)[places - 1]

    sizes = {"item": _brought(of, lambda one: MixedTable.sized(one, DIM).nbytes, work)}
    return _shipped(train_sized(model_of(work), _first(work), sizes, _training(work), _judge(work)))


def nis(work: Work) -> Fitted:
    """How many items have a vector and how wide it is, picked by a policy (NIS)."""
    from droidloop.models.fitting.nis import Policy
    from droidloop.models.fitting.nis import nis as by_policy
    from droidloop.platform.errors import DroidloopError

    columns = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
    policy = Policy(
        *(_held(work), (0.1, 0.25, 0.5, 0.75, 1.0), columns, NIS_PRICE),
        warm=min(2, within(work, 4) - 1),
        budget_bytes=work.budget_bytes,
    )
    told = model_of(work), _first(work), {"item": _counts(work)}
    hunt = _training(work, 2 * SEARCH_EPOCHS)
    try:
        made, _ = by_policy(*told, hunt, policy, _training(work), _judge(work))
    except DroidloopError as error:
        raise OutOfReachError(str(error).partition(";")[0]) from error
    return _shipped(made)


def peel(work: Work) -> Fitted:
    """A table of blocks for each group of users, cut by what blocks are worth there (PEEL)."""
    import numpy as np

    from droidloop.models.fitting.fit import Hyperparameters
    from droidloop.models.fitting.peel import peel as by_groups
    from droidloop.models.recommenders.mf import MF
    from droidloop.models.tables.elastic import ElasticTable
    from droidloop.platform.errors import PackageError

    table = ElasticTable(work.n, DIM, BLOCKS)
    everybody = work.trained(table).params
    chosen = Hyperparameters(within(work, SEARCH_EPOCHS), work.setting.lr, BATCH, NEGATIVES)
    model = MF(work.n, DIM, "log", work.setting.l2, table=table)
    told = work.split.train, GROUPS, chosen, draws_of(work)
    found = by_groups(model, everybody, *told, price=PEEL_PRICE)
    parts = []
    for number, mine in enumerate(found.tables):
        users = np.flatnonzero(found.group == number)
        try:
            cut, params = mine.within(work.budget_bytes)
        except PackageError as error:
            raise OutOfReachError(str(error).partition(";")[0]) from error
        parts.append(Part(users, cut, {**params, "user": found.users}))
    most = max(parts, key=lambda one: len(one.users))
    return Fitted(most.table, most.params, tuple(parts))


def _one_width(work: Work, width: int) -> "MixedTable":
    import numpy as np

    from droidloop.models.tables.mixed import MixedTable

    return MixedTable(work.n, DIM, (width,), np.zeros(work.n, np.int64))


def _prefixes(lengths: "FloatArray", work: Work) -> "BoolArray":
    """Return the masks of prefixes in proportion to *lengths*, as long as the budget allows.

    The more often an item is met, the sooner its part of a number is rounded up.
    """
    import numpy as np

    from droidloop.models.tables.masked import MaskedTable

    order = np.argsort(np.argsort(_counts(work), kind="stable"), kind="stable")
    up = order / work.n

    def there(factor: float) -> "BoolArray":
        return np.arange(DIM) < np.floor(factor * lengths + up)[:, None]

    found: BoolArray = _brought(there, lambda one: MaskedTable.of(one).nbytes, work)
    return found


def _brought(
    of: Callable[[float], Any], takes: Callable[[Any], int], work: Work, steps: int = 40
) -> Any:
    """Return what *of* makes of the largest factor up to ``DIM`` with which it fits."""
    low, high = 0.0, float(DIM)
    if takes(of(low)) > work.budget_bytes:
        raise OutOfReachError(f"the least that can be kept takes {takes(of(low))} bytes")
    for _ in range(steps):
        middle = (low + high) / 2
        fits = takes(of(middle)) <= work.budget_bytes
        low, high = (middle, high) if fits else (low, middle)
    return of(low)


def _shipped(fitted: Any) -> Fitted:
    """Return what ships of what a fitter has made."""
    [table] = fitted.model.tables.values()
    return Fitted(table, fitted.params)


def _first(work: Work, dim: int = DIM) -> "Params":
    from droidloop.models.interfaces.learning import init_all

    return init_all(model_of(work, dim), draws_of(work).child("init"), work.split.n_users)


def _training(work: Work, epochs: int | None = None) -> "Training":
    from droidloop.models.fitting.torch_descent import implicit
    from droidloop.models.fitting.training import Training

    draws = draws_of(work)
    feed = implicit(work.split.train, BATCH, NEGATIVES, work.n, draws)
    return Training(
        feed, draws, work.epochs if epochs is None else within(work, epochs), work.setting.lr
    )


def _counts(work: Work) -> "IntArray":
    import numpy as np

    return np.bincount(work.split.train.items, minlength=work.n)


def _held(work: Work) -> "Feed":
    """Return batches of what users had next, and for each of it an item that they never had."""
    import numpy as np

    from droidloop.models.data.interactions import behind
    from droidloop.models.data.negatives import draw_negatives
    from droidloop.models.data.samples import Samples
    from droidloop.models.fitting.torch_descent import labelled

    valid, draws = work.split.valid, draws_of(work).child("held")
    users = np.repeat(np.arange(valid.n_users), valid.counts)
    known = behind(work.split.train, valid)
    drawn = draw_negatives(
        *(valid, 1, work.n, known), phones=np.arange(valid.n_users), draws=draws, counter=0
    )[:, 0]
    there = drawn >= 0
    count = len(users)
    samples = Samples(
        np.repeat(users, 2)[np.repeat(there, 2)],
        np.stack([valid.items, drawn], axis=1)[there].reshape(-1).astype(np.int32),
        np.tile(np.array([1, 0], np.float32), int(there.sum())),
        np.empty((2 * int(there.sum()), 0), np.int32),
        np.concatenate([[0], 2 * np.cumsum(np.bincount(users[there], minlength=valid.n_users))]),
    )
    return labelled(samples, min(BATCH, 2 * count), draws)


def _hunt(work: Work, widths: tuple[int, ...]) -> Any:
    from droidloop.models.fitting.autodim import Hunt

    return Hunt(_training(work, SEARCH_EPOCHS), _held(work), widths, every=2)


def _judge(work: Work) -> "Callable[[Recommender], Callable[[Params], float]]":
    """Return what makes NDCG@10 on validation of a model."""
    from tests.reference.composed import judge

    by_user = judge(work.split, work.seed)

    def of(model: "Recommender") -> "Callable[[Params], float]":
        [table] = model.tables.values()
        return lambda params: float(by_user(table, params).mean())

    return of
