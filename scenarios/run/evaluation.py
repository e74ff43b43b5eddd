"""How good what is learned is: after some turns on the validation items, at the end on all."""

from collections.abc import Mapping
from dataclasses import dataclass

from droidloop.models.data.split import Part
from droidloop.models.evaluation.evaluator import Scorer, TableScorer, metric_rows
from droidloop.models.learning.learning import Snapshot
from droidloop.models.packages.litert import LiteRT
from droidloop.platform.state import Stateful, Tree, copied
from droidloop.scenarios.delivery.releases import VARIANTS, Release, Version
from droidloop.scenarios.runtime.recorder import Recorder

from .experiment import Experiment


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
        trained = self._study.learning.snapshot()
        if trained.aucs is not None:
            name, quality = "auc_ppm", trained.aucs("valid")["trained"].means()["auc"]
        else:
            name = "hit_rate_ppm"
            quality = self._study.evaluator.hit_rate(trained.scorers["trained"], "valid")
        self._recorder.event("valid", number, **{name: round(1e6 * quality)})
        if self._best is not None and not quality > self._best.quality:
            return False
        rule = copied(self._study.learning.state()) if self._remember else None
        self._best = _Best(quality, number, trained, rule)
        return True

    def measure(self, release: Release | None) -> None:
        """Judge the best version on the test items, beside the baselines and as it was shipped."""
        best, evaluator = self._best, self._study.evaluator
        assert best is not None
        when: dict[str, int] = {"t_us": self._recorder.engine.now_us, "round_": best.round}
        scorers: dict[str, Scorer] = {**best.trained.scorers, **self._study.baselines()}
        if release is not None:
            for variant in VARIANTS:
                model = LiteRT(release.package.model(variant))
                scorers[variant] = TableScorer(model.scores(release.users).values)
            overlap = evaluator.overlap_rows(scorers["float32"], scorers["int8"], "int8", **when)
            self._recorder.write("metrics", overlap)
        for model, scorer in scorers.items():
            self._recorder.write("metrics", evaluator.rows(scorer, model, **when))
        if best.trained.aucs is not None:
            parts: tuple[Part, ...] = ("valid", "test")
            for part in parts:
                for model, aucs in best.trained.aucs(part).items():
                    rows = metric_rows(aucs, model, "rated", part=part, **when)
                    self._recorder.write("metrics", rows)

    def judge(self, name: str, scorer: Scorer, number: int) -> None:
        """Judge *scorer* on the test items under that *name*, as of turn *number*."""
        now_us = self._recorder.engine.now_us
        rows = self._study.evaluator.rows(scorer, name, t_us=now_us, round_=number)
        self._recorder.write("metrics", rows)

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


def _version(number: int, trained: Snapshot) -> Version | None:
    return None if trained.ship is None else Version(number, trained.ship)
