"""How good what is learned is: after some turns on the validation items, at the end on all."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from droidloop.models.data.split import Part
from droidloop.models.evaluation.evaluate import Judged
from droidloop.models.evaluation.evaluator import Scorer, TableScorer
from droidloop.models.learning.learning import Snapshot
from droidloop.models.packages.litert import LiteRT
from droidloop.platform.ledger import Words
from droidloop.platform.state import Stateful, Tree, copied
from droidloop.scenarios.delivery.releases import VARIANTS, Release, Version
from droidloop.scenarios.runtime.recorder import Recorder

from .experiment import Experiment
from .records import Records, note_split


@dataclass
class _Best:
    """The turn that was best on the validation part, and what it had learned."""

    quality: float
    round: int
    trained: Snapshot
    rule: Tree


class Evaluation(Stateful):
    """Judges versions; *remember* says whether a checkpoint may need what the best one knew."""

    def __init__(self, study: Experiment, recorder: Recorder, *, remember: bool) -> None:
        self._study, self._recorder, self._remember = study, recorder, remember
        self._best: _Best | None = None

    def version(self) -> Version | None:
        """Return the best version so far; None: there is none, or it does not ship."""
        return None if self._best is None else _version(self._best.round, self._best.trained)

    def present(self, number: int) -> Version | None:
        """Return what turn *number* has just left; None where it does not ship."""
        return _version(number, self._study.learning.snapshot())

    def require_best(self) -> None:
        """Judge what is there now, if no turn has been judged."""
        if self._best is None:
            self.validate(0)

    def validate(self, number: int) -> bool:
        """Judge turn *number* on the validation items; return whether it is the best so far."""
        trained, evaluator = self._study.learning.snapshot(), self._study.evaluator
        if trained.rated is not None:
            rated = trained.rated("valid")["trained"]
            found = {metric.name: metric.mean(rated) for metric in evaluator.metrics}
        else:
            found = evaluator.qualities(trained.scorers["trained"], "valid")
        known = {name: value for name, value in found.items() if not np.isnan(value)}
        ppm = {f"{name}_ppm": round(1e6 * value) for name, value in known.items()}
        self._recorder.event("valid", number, **ppm)
        quality = evaluator.yardstick.sign * found[evaluator.yardstick.name]
        if self._best is not None and not quality > self._best.quality:
            return False
        rule = copied(self._study.learning.state()) if self._remember else None
        self._best = _Best(quality, number, trained, rule)
        return True

    def measure(self, release: Release | None) -> None:
        """Judge the best version on the test items, beside the baselines and as it was shipped."""
        best, evaluator = self._best, self._study.evaluator
        assert best is not None
        records = self._records(best.round)
        baselines = self._study.baselines()
        for name, one in baselines.items():
            self._recorder.event("baseline", best.round, **_ppm(name, one.setting))
        beside = {name: one.scorer for name, one in baselines.items()}
        scorers: dict[str, Scorer] = {**best.trained.scorers, **beside}
        if release is not None:
            for variant in VARIANTS:
                model = LiteRT(release.package.model(variant))
                scorers[variant] = TableScorer(model.scores(release.users).values)
            overlap = evaluator.overlap(scorers["float32"], scorers["int8"])
            where = {"model": "int8", "ranking": "sampled", "part": "test"}
            for name, shares in overlap.values.items():
                records.by_user(overlap.users, name, shares, **where)
        for model_name, scorer in scorers.items():
            for ranking, judged in evaluator.judged(scorer).items():
                records.judged(judged, model_name, ranking)
        parts: tuple[Part, ...] = ("valid", "test") if best.trained.rated is not None else ()
        for part in parts:
            assert best.trained.rated is not None
            for model_name, rated in best.trained.rated(part).items():
                users = np.arange(len(rated.offsets) - 1)
                records.judged(Judged(users, rated=rated), model_name, "rated", part)

    def judge(self, name: str, scorer: Scorer, number: int) -> None:
        """Judge *scorer* on the test items under that *name*, as of turn *number*."""
        for ranking, judged in self._study.evaluator.judged(scorer).items():
            self._records(number).judged(judged, name, ranking)

    def note_split(self) -> None:
        """Write what is learned from and judged by."""
        note_split(self._recorder.note, self._study.task.split)

    def _records(self, number: int) -> Records:
        """Return what writes metrics as of now and of turn *number*."""
        now_us, metrics = self._recorder.engine.now_us, self._study.evaluator.metrics
        return Records(self._recorder.note, metrics, classes_of(self._study), now_us, number)

    def state(self) -> dict[str, Tree]:
        """Return which turn was best, and what the rule knew then."""
        if self._best is None:
            return {"best": None}
        best = self._best
        return {"best": {"quality": best.quality, "round": best.round, "rule": best.rule}}

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Know the best turn of *tree*; the rule is left as it was then, to be restored next."""
        if tree["best"] is not None:
            self._study.learning.restore(tree["best"]["rule"])
            trained = self._study.learning.snapshot()
            self._best = _Best(trained=trained, **tree["best"])


def _ppm(name: str, setting: Mapping[str, float]) -> dict[str, int]:
    """Return what validation chose for the baseline *name*, as values of an event."""
    return {f"{name}.{key}_ppm": round(1e6 * value) for key, value in setting.items()}


def _version(number: int, trained: Snapshot) -> Version | None:
    return None if trained.ship is None else Version(number, trained.ship)


def classes_of(study: Experiment) -> Words:
    """Return the class of each phone, as words."""
    return Words(study.population.profiles, study.population.traits["profile"])
