"""The baselines that a method has to beat: each as strong as its settings, on validation, make it.

What is not learned on phones is trained in one place, on the training part of everybody.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from droidloop.models.evaluation.evaluator import Evaluator, FunctionScorer, ModelScorer, Scorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Recommender
from droidloop.models.recommenders.baselines import ItemKNN, Popularity
from droidloop.models.recommenders.ease import EASE
from droidloop.models.recommenders.ials import IALS

from .train_centrally import train_centrally

Setting = dict[str, float]
Tried = Iterable[tuple[Setting, Scorer]]

STRENGTHS = (0.0, 0.003, 0.01, 0.03)
"""Of the regulariser of what is trained by steps, an example: steps of a half power of ten."""


@dataclass(frozen=True)
class Baseline:
    """A model that stands beside the trained one, and the setting that validation chose for it."""

    scorer: Scorer
    setting: Setting


def chosen(evaluator: Evaluator, tried: Tried) -> Baseline:
    """Return the one of *tried* that is best on the validation items; of equals the first."""
    best, top = None, -float("inf")
    for setting, scorer in tried:
        quality = evaluator.yardstick.sign * evaluator.quality(scorer, "valid")
        if best is None or quality > top:
            best, top = Baseline(scorer, setting), quality
    assert best is not None
    return best


def simple(name: str, task: TaskData, dim: int) -> Baseline:
    """Return the baseline *name* of ``SIMPLE``, with vectors of *dim* numbers if it has any."""
    return chosen(task.evaluator, SIMPLE[name](task, dim))


def central(build: Callable[[float], Recommender], task: TaskData, *, penal: bool) -> Baseline:
    """Return a recommender trained in one place; *penal*: ``build`` takes its regulariser's l2."""

    def tried() -> Tried:
        for l2 in STRENGTHS if penal else STRENGTHS[:1]:
            recommender = build(l2)
            params = train_centrally(recommender, task)
            yield {"l2": l2} if penal else {}, ModelScorer(recommender, params)

    return chosen(task.evaluator, tried())


def _popularity(task: TaskData, dim: int) -> Tried:
    yield {}, FunctionScorer(Popularity(task.split.train, task.split.n_items).scores)


def _itemknn(task: TaskData, dim: int) -> Tried:
    for k, shrink in product((20, 50, 200), (0.0, 10.0, 100.0)):
        model = ItemKNN(task.split.train, task.split.n_items, k, shrink)
        yield {"k": k, "shrink": shrink}, FunctionScorer(model.scores)


def _ease(task: TaskData, dim: int) -> Tried:
    for l2 in (30.0, 100.0, 300.0, 1000.0, 3000.0):
        yield {"l2": l2}, FunctionScorer(EASE(task.split.train, task.split.n_items, l2).scores)


def _ials(task: TaskData, dim: int) -> Iterator[tuple[Setting, Scorer]]:
    data, draws = (task.split.train, task.split.n_items), task.central.child("ials")
    for alpha, l2 in product((0.3, 1.0, 3.0, 10.0), STRENGTHS[1:]):
        model = IALS(*data, dim=dim, alpha=alpha, l2=l2, draws=draws)
        yield {"alpha": alpha, "l2": l2}, FunctionScorer(model.scores)


SIMPLE: dict[str, Callable[[TaskData, int], Tried]] = {
    "popularity": _popularity,
    "itemknn": _itemknn,
    "ease": _ease,
    "ials": _ials,
}
"""What tries the settings of each baseline that is no recommender of a scenario's."""
