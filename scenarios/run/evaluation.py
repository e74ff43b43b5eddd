"""How good what is learned is: after some turns on the validation items, at the end on all."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from droidloop.models.data.split import Part
from droidloop.models.evaluation.evaluate import Judged
from droidloop.models.evaluation.evaluator import (
    Evaluator,
    FunctionScorer,
    InsteadScorer,
    Scorer,
    TableScorer,
)
from droidloop.models.learning.learning import Snapshot
from droidloop.models.learning.newcomers import with_newcomers
from droidloop.models.packages.litert import LiteRT
from droidloop.models.recommenders.baselines import Popularity
from droidloop.platform.arrays import Array, BoolArray, IntArray
from droidloop.platform.errors import DataError
from droidloop.platform.ledger import Words
from droidloop.platform.state import Stateful, Tree, copied
from droidloop.scenarios.delivery.releases import VARIANTS, Release, Version
from droidloop.scenarios.runtime.context import local_at
from droidloop.scenarios.runtime.recorder import Recorder

from .experiment import Experiment
from .records import Records, note_split


@dataclass
class _Best:
    """The turn that was best on the validation part, when it ended, and what it had learned."""

    quality: float
    round: int
    t_us: int
    trained: Snapshot
    rule: Tree
    settled: "_Settled | None" = None


@dataclass(frozen=True)
class _Settled:
    """What has been learned with what newcomers will show, and the qualities that settled it."""

    trained: Snapshot
    qualities: dict[str, float]


class Evaluation(Stateful):
    """Judges versions by all who are not *forgotten*, (phones,), which changes as the run goes on.

    *remember* says whether a checkpoint may need what the best one knew.
    """

    def __init__(
        self, study: Experiment, recorder: Recorder, forgotten: BoolArray, *, remember: bool
    ) -> None:
        self._study, self._recorder, self._remember = study, recorder, remember
        self._forgotten = forgotten
        self._best: _Best | None = None

    def version(self) -> Version | None:
        """Return the best version so far; None: there is none, or it does not ship."""
        best = self._best
        return None if best is None else _version(best.round, self._settled_best(best).trained)

    def present(self, number: int) -> Version | None:
        """Return what turn *number* has just left; None where it does not ship."""
        now = self._learned(self._recorder.engine.now_us)
        return _version(number, self._settled(now).trained)

    def require_best(self) -> None:
        """Judge what is there now, if no turn has been judged."""
        if self._best is None:
            self.validate(0)

    def forget(self, phones: IntArray) -> None:
        """Have no version count in which *phones* had a part: what is there now is the best."""
        best, self._best = self._best, None
        if best is not None:
            self.validate(best.round)

    def _evaluator(self, part: Part) -> Evaluator:
        """Return what judges by the *part* of all but those who are forgotten.

        Raises:
            DataError: nobody is left who has an event there.
        """
        evaluator = self._study.evaluator
        if not self._forgotten.any():
            return evaluator
        left = evaluator.of(np.flatnonzero(~self._forgotten), part)
        if not left.split.held_out(part).counts.any():
            raise DataError(
                f"everybody with an event in the {part} part has been forgotten, nobody is left to "
                "judge by; lower churn.forget_share, or have more users"
            )
        return left

    def validate(self, number: int) -> bool:
        """Judge turn *number* on the validation items; return whether it is the best so far."""
        # phones with nothing of their own show it: with popularity in its place, the round in
        # which the fewest have learned could be the best
        now_us, evaluator = self._recorder.engine.now_us, self._evaluator("valid")
        trained = self._learned(now_us)
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
        self._best = _Best(quality, number, now_us, trained, rule)
        return True

    def measure(self, release: Release | None) -> None:
        """Judge the best version on the test items, beside the baselines and as it was shipped."""
        best, evaluator = self._best, self._evaluator("test")
        assert best is not None
        settled, records = self._settled_best(best), self._records(best.round)
        trained = settled.trained
        if best.trained.fit is not None:
            ppm = {f"{name}_ppm": round(1e6 * value) for name, value in settled.qualities.items()}
            phones = len(best.trained.fit.phones)
            self._recorder.event("newcomers", best.round, phones=phones, **ppm)
        baselines = self._study.baselines()
        for name, one in baselines.items():
            self._recorder.event("baseline", best.round, **_ppm(name, one.setting))
        beside = {name: one.scorer for name, one in baselines.items()}
        scorers: dict[str, Scorer] = {**trained.scorers, **beside}
        if release is not None:
            for variant in VARIANTS:
                model = LiteRT(release.package.model(variant))
                scorers[variant] = TableScorer(model.scores(release.users).values)
            overlap = evaluator.overlap(scorers["float32"], scorers["int8"])
            where = {"model": "int8", "ranking": "sampled", "part": "test"}
            for name, shares in overlap.values.items():
                records.by_user(overlap.users, name, shares, **where)
        for model_name, scorer in scorers.items():
            if model_name in ("trained", *VARIANTS):
                scorer = self._shown(scorer, trained)
            for ranking, judged in evaluator.judged(scorer).items():
                records.judged(judged, model_name, ranking)
        parts: tuple[Part, ...] = ("valid", "test") if trained.rated is not None else ()
        for part in parts:
            assert trained.rated is not None
            for model_name, rated in trained.rated(part).items():
                users = np.arange(len(rated.offsets) - 1)
                records.judged(Judged(users, rated=rated), model_name, "rated", part)

    def judge(self, name: str, scorer: Scorer, number: int, users: IntArray | None = None) -> None:
        """Judge *scorer* on the test items of *users*, or all, under that *name*, as of a turn."""
        tests = self._study.task.split.test.counts
        if users is not None and not tests[users].any():
            return  # nobody who was asked has anything to be judged by
        if users is not None:
            users = users[~self._forgotten[users]]
        elif self._forgotten.any():
            users = np.flatnonzero(~self._forgotten)
        for ranking, judged in self._study.evaluator.judged(scorer, users).items():
            self._records(number).judged(judged, name, ranking)

    def by_user(self, scores: Array) -> Array:
        """Return what rounds are chosen by for every user's *scores*, more is better; NaN: none.

        On the validation items: what a phone could tell of its own lists.
        """
        study = self._study
        found = study.evaluator.by_user(TableScorer(scores), "valid")
        values = np.full(len(scores), np.nan)
        if found is not None:
            values[found[0]] = study.evaluator.yardstick.sign * found[1]
        return values

    @property
    def took_part(self) -> BoolArray:
        """Which phones had learned when the best version was made."""
        assert self._best is not None
        assert self._best.trained.took_part is not None
        return self._best.trained.took_part

    def _learned(self, t_us: int) -> Snapshot:
        """Return what has been learned; phones know what has happened there at that time."""
        starts_s = self._study.scenario.data.clock_starts_s
        return with_newcomers(self._study.learning, partial(local_at, t_us, starts_s))

    def _shown(self, scorer: Scorer, trained: Snapshot) -> Scorer:
        """Return *scorer*, but popularity where phones have nothing of their own to show."""
        if trained.bare is None or not trained.bare.any():
            return scorer
        return InsteadScorer(scorer, self._popular(), trained.bare)

    def _popular(self) -> Scorer:
        split = self._study.task.split
        return FunctionScorer(Popularity(split.train, split.n_items).scores)

    def _settled_best(self, best: _Best) -> _Settled:
        if best.settled is None:
            best.settled = self._settled(best.trained)
        return best.settled

    def _settled(self, trained: Snapshot) -> _Settled:
        """Return what has been learned, with popularity for newcomers if it serves them better.

        Their validation events tell, all together.
        """
        fit, evaluator = trained.fit, self._study.evaluator
        if fit is None or not evaluator.split.valid.counts[fit.phones].any():
            return _Settled(trained, {})
        theirs, sign = evaluator.of(fit.phones, "valid"), evaluator.yardstick.sign
        scorers = {"fitted": trained.scorers["trained"], "popularity": self._popular()}
        found = {name: theirs.quality(scorer, "valid") for name, scorer in scorers.items()}
        if sign * found["fitted"] >= sign * found["popularity"]:
            return _Settled(trained, found)
        bare = np.array(trained.bare)
        bare[fit.phones] = True
        return _Settled(replace(trained, bare=bare, fit=None), found)

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
        kept = {name: getattr(best, name) for name in ("quality", "round", "t_us", "rule")}
        return {"best": kept}

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Know the best turn of *tree*; the rule is left as it was then, to be restored next."""
        if tree["best"] is not None:
            # of its own: what the rule takes over of a tree it changes later
            self._study.learning.restore(copied(tree["best"]["rule"]))
            trained = self._learned(tree["best"]["t_us"])
            self._best = _Best(trained=trained, **tree["best"])


def _ppm(name: str, setting: Mapping[str, float]) -> dict[str, int]:
    """Return what validation chose for the baseline *name*, as values of an event."""
    return {f"{name}.{key}_ppm": round(1e6 * value) for key, value in setting.items()}


def _version(number: int, trained: Snapshot) -> Version | None:
    if trained.ship is None:
        return None
    return Version(number, trained.ship, trained.fit, trained.bare)


def classes_of(study: Experiment) -> Words:
    """Return the class of each phone, as words."""
    return Words(study.population.profiles, study.population.traits["profile"])
