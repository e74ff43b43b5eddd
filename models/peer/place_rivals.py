"""The baselines of a run on check-ins, each asked at the moment of the question."""

from collections.abc import Callable, Iterator

from droidloop.models.data.split import Part
from droidloop.models.evaluation.evaluator import FunctionScorer, PartScorer, Scorer
from droidloop.models.evaluation.metrics import Scores
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.recommenders.next_place import NextPlaceSection, places_of
from droidloop.models.recommenders.place_baselines import PLACE_BASELINES, PlaceScorer, Setting

from .places_together import PlacesTogether, train_together

TOGETHER = "next-place"
PLACE_RIVALS = (*PLACE_BASELINES, TOGETHER)
"""What stands beside what phones learn of places; the last is trained in one place."""


def place_rivals(name: str, task: TaskData, dim: int) -> Iterator[tuple[Setting, Scorer]]:
    """Yield the baseline *name* with each of its settings; *dim*: of a vector, if it has any.

    Raises:
        ScenarioError: the data name no places.
    """
    places = places_of(NextPlaceSection(), task, f"evaluation.baselines = ['{name}']")
    if name != TOGETHER:
        for setting, scorer in PLACE_BASELINES[name](places):
            yield setting, _at_its_moment(task, _of_anybody(scorer))
        return

    def quality(model: PlacesTogether) -> float:
        evaluator, scorer = task.evaluator, _at_its_moment(task, model.scores)
        return evaluator.yardstick.sign * evaluator.quality(scorer, "valid")

    draws = task.central.child(name)
    model = train_together(places, task.split.train, dim, draws, quality)
    yield {}, _at_its_moment(task, model.scores)


def _of_anybody(scorer: PlaceScorer) -> Callable[..., Scores]:
    return lambda users, history, now_s: scorer(history, now_s)


def _at_its_moment(task: TaskData, scores: Callable[..., Scores]) -> Scorer:
    """Return what answers each part by what is known then; *scores* as ``PlacesTogether``'s."""

    def of(part: Part) -> Scorer:
        history, now_s = task.split.history(part), task.split.moments(part)
        return FunctionScorer(lambda users: scores(users, history.take(users), now_s[users]))

    return PartScorer(of)
