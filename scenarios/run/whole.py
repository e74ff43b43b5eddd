"""Everything that a run knows at an instant, reachable from one object, and how it goes on."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import simpy

from droidloop.models.evaluation.evaluator import TableScorer
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.platform.arrays import Array, BoolArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Process
from droidloop.platform.state import Stateful, Tree
from droidloop.scenarios.delivery.package_work import DeliveryWorks
from droidloop.scenarios.delivery.releases import TIMES, Release, Releases
from droidloop.scenarios.runtime.activities import Activities
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.curves import Curves, Tracker
from droidloop.scenarios.runtime.fleets import Attached, training_models
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.runtime.remote_training import Train
from droidloop.scenarios.runtime.roster import Roster
from droidloop.scenarios.schema.chosen import method_of

from .checkpoints import Checkpoints
from .churn import Churn
from .evaluation import Evaluation
from .experiment import Experiment
from .faults import NAME as FAULTS
from .faults import Faults

Progress = Callable[[str, int, int], None]
TRAINING = "training"
CHURN = "churn"


class Whole(Stateful):
    """A run: its phones, jobs under way and ledger, the rule, and the activities on one clock.

    Learning publishes a version with every turn; evaluation and releases hear of it.
    """

    def __init__(
        self,
        study: Experiment,
        recorder: Recorder,
        folder: Path,
        attached: Attached,
        progress: Progress,
        train: Train,
        trackers: Sequence[Tracker],
    ) -> None:
        scenario = self._scenario = study.scenario
        self._study, self._recorder, self._progress = study, recorder, progress
        self._attached = attached
        self.engine = recorder.engine
        self.curves = Curves(recorder, trackers)
        self._roster = Roster(len(study.population))
        context = ProtocolContext(
            recorder,
            study.population,
            Draws(scenario.seed, "selection"),
            self._after_turn,
            training_models() if attached.phones else None,
            train,
            study.links,
            scenario.data.clock_starts_s,
            self._roster,
            study.unlearner,
            self._after_unlearning,
        )
        protocol = method_of("protocol", scenario.protocol)
        self._protocol = protocol.build(scenario.protocol, context, study.learning)
        every = scenario.checkpoint_every if _kept(study, self._protocol) else 0
        self.checkpoints = Checkpoints(self.engine, folder, every, self.state)
        self._activities = Activities(self.engine)
        self._evaluation = Evaluation(study, recorder, self._roster.forgotten, remember=every > 0)
        self._releases = Releases(
            *(scenario.delivery, scenario.name, folder, recorder, study.population),
            self._activities,
            Draws(scenario.seed, "releases"),
        )
        if study.task.path is not None:
            self._releases.items = list(map(str, study.task.interactions.item_labels.tolist()))
        self.churn = Churn(
            *(recorder, study.population, study.learning, self._roster, self._releases.wiped)
        )
        self.faults = Faults(recorder, study.population.faults, attached.devices)
        self._releases.best = self._evaluation.version
        self._releases.works = self._works
        self._releases.quality = self._evaluation.by_user
        self._releases.released = self._judge_release

    def begin(self) -> simpy.Event:
        """Begin all activities; the event happens when all have ended."""
        self._evaluation.note_split()
        if self.churn.any:
            self._activities.begin(CHURN, self.churn.process())
        if self.faults.any:
            self._activities.begin(FAULTS, self.faults.process())
        self._activities.begin(TRAINING, self._training())
        if self._scenario.delivery.ships and self._scenario.delivery.at_h:
            self._activities.begin(TIMES, self._releases.process())
        return self._activities.over

    def end(self) -> None:
        """Judge what phones that hold a model have listed last."""
        lists = self._releases.lists()
        if lists is not None:
            phones, scores = lists
            every = np.zeros((len(self._study.population), scores.shape[1]), np.float32)
            every[phones] = scores
            last = self._releases.made[-1].round
            self._evaluation.judge("held", TableScorer(every), last, phones)

    @property
    def took_part(self) -> BoolArray:
        """Which phones had learned when the best version was made."""
        return self._evaluation.took_part

    def state(self) -> dict[str, Tree]:
        """Return everything."""
        return {
            "now_us": self.engine.now_us,
            "phones": self._study.population.state,
            "recorder": self._recorder.state(),
            "curves": self.curves.state(),
            "evaluation": self._evaluation.state(),
            "rule": self._study.learning.state(),
            "unlearner": self._study.unlearner.state(),
            "roster": self._roster.state(),
            "churn": self.churn.state(),
            "faults": self.faults.state(),
            "protocol": self._protocol.state(),
            "releases": self._releases.state(),
            "activities": self._activities.state(),
        }

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Be as *tree* says, and go on from there."""
        self._study.population.state[:] = tree["phones"]
        self._roster.restore(tree["roster"])
        self._study.learning.erase(np.flatnonzero(self._roster.forgotten))
        starts = self._recorder.restore(tree["recorder"])
        self.curves.restore(tree["curves"])
        self._evaluation.restore(tree["evaluation"])
        self._study.learning.restore(tree["rule"])
        self._study.unlearner.restore(tree["unlearner"])
        self.churn.restore(tree["churn"])
        self.faults.restore(tree["faults"])
        self._protocol.restore(tree["protocol"])
        self._releases.restore(tree["releases"])
        processes = {
            CHURN: self.churn.process,
            FAULTS: self.faults.process,
            TRAINING: self._training,
            **self._releases.processes(),
        }
        starts += self._activities.restore(tree["activities"], processes)
        self.engine.resume(tree["now_us"], starts)

    @property
    def over(self) -> simpy.Event:
        """Happens when all activities have ended."""
        return self._activities.over

    @property
    def _at_end(self) -> bool:
        """Whether one version ships, after training."""
        return self._scenario.delivery.when == "end"

    def _training(self) -> Process:
        yield from self._protocol.process()
        self.checkpoints.rest()
        self._evaluation.require_best()
        best, release = self._evaluation.version(), None
        self._progress("exporting", 0, 1)
        if self._at_end and best is not None and self._scenario.delivery.ships:
            release = self._releases.ship(best)
        self._evaluation.measure(release)
        self._progress("exporting", 1, 1)

    def _after_turn(self, number: int) -> None:
        total, every = self._scenario.protocol.rounds, self._scenario.evaluation.every
        self._progress("training", number + 1, total)
        judged = (number + 1) % every == 0 or number + 1 == total
        improved = judged and self._evaluation.validate(number)
        if self._scenario.delivery.ships and not self._at_end:
            self._releases.after_turn(number, self._evaluation.present, improved=improved)
        self.curves.turn(number)
        self.checkpoints.after_turn(last=number + 1 == total and self._scenario.delivery.ships)

    def _after_unlearning(self, phones: IntArray) -> None:
        if len(phones):
            self._evaluation.forget(phones)
            self._releases.forget(phones)
        self.checkpoints.after_turn()

    def _judge_release(self, release: Release) -> None:
        if not self._at_end:
            model = LiteRT(release.package.model(self._releases.variants[0]))
            scores = TableScorer(model.scores(release.users).values)
            self._evaluation.judge(f"v{release.round + 1}", scores, release.round)

    def _works(self, package: Package, folder: Path, users: Array) -> DeliveryWorks | None:
        """Return what real devices get of *package*; None where there are none."""
        if not self._attached.phones:
            return None
        variant, same = self._scenario.delivery.variant, self._attached.same_instructions
        return DeliveryWorks(package, folder, variant, users, same)


def _kept(study: Experiment, protocol: object) -> bool:
    """Return whether all that is under way between two turns can be kept.

    What transfers over shared cells are in the middle of cannot, nor what a protocol or a server
    rule remembers without deriving from ``Stateful``.
    """
    if study.population.cells is not None:
        return False
    server = getattr(study.learning, "server", protocol)
    return isinstance(protocol, Stateful) and isinstance(server, Stateful)
