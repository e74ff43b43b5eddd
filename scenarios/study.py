"""Everything that a scenario's sections become before the clock starts."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from droidloop.devices.population import Population
from droidloop.models.aggregation import Fold, fed_avg, gradient_descent, plain_average, row_average
from droidloop.models.baselines import ItemKNN, Popularity
from droidloop.models.candidates import exclusions, sample_candidates
from droidloop.models.fedmf import FedMF
from droidloop.models.fit import fit
from droidloop.models.graphs import Graph, scoring
from droidloop.models.interactions import UserItems
from droidloop.models.interfaces import Params
from droidloop.models.kernels import Sgd
from droidloop.models.mf import MF
from droidloop.models.split import Split, leave_one_out
from droidloop.models.store import PrivateStore
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError

from .build import people
from .quality import FunctionScorer, Judge, ModelScorer, Scorer
from .rounds import Learning
from .schema import Scenario, TrainingSection

_CENTRAL_EPOCHS = 60
_CENTRAL_LR = 0.01
_CENTRAL_BATCH = 2048
_CENTRAL_PATIENCE = 5


@dataclass
class Study:
    """The phones, what they learn, and how it is judged; row *k* of all is phone *k*."""

    scenario: Scenario
    population: Population
    split: Split
    exclude: UserItems
    judge: Judge
    learning: Learning

    def trained_params(self) -> Params:
        """Return the global table and every user's own vector, as they are now."""
        store = self.learning.store
        private = store.gather(np.arange(len(self.population)))
        return {
            **self.learning.server.params,
            **{name: torch.from_numpy(rows) for name, rows in private.items()},
        }

    def graph(self, params: Params) -> Graph:
        """Return the graph of the shared part, which ships."""
        [name] = self.learning.recommender.tables
        return scoring(params[name].numpy())

    def baselines(self) -> dict[str, Scorer]:
        """Return the models that the trained one is printed beside, trained here and now."""
        made: dict[str, Scorer] = {}
        for name in self.scenario.evaluation.baselines:
            match name:
                case "popularity":
                    popularity = Popularity(self.split.train, self.split.n_items)
                    made[name] = FunctionScorer(popularity.scores)
                case "itemknn":
                    made[name] = FunctionScorer(
                        ItemKNN(self.split.train, self.split.n_items).scores
                    )
                case "mf":
                    made[name] = self._central()
        return made

    def _central(self) -> Scorer:
        """Train the same recommender in one place, with the same negatives allowed."""
        recommender, draws = self.learning.recommender, Draws(self.scenario.seed, "central")

        def hit_rate(params: Params) -> float:
            return self.judge.hit_rate(ModelScorer(recommender, params), "valid")

        users = np.arange(self.split.n_users)
        params = fit(
            recommender,
            recommender.init(draws) | recommender.init_private(draws, users),
            self.split.train,
            n_items=self.split.n_items,
            exclude=self.exclude,
            epochs=_CENTRAL_EPOCHS,
            lr=_CENTRAL_LR,
            batch=_CENTRAL_BATCH,
            negatives=self.scenario.training.negatives,
            draws=draws,
            validate=hit_rate,
            patience=_CENTRAL_PATIENCE,
        )
        return ModelScorer(recommender, params)


def prepare(scenario: Scenario) -> Study:
    """Return the study of *scenario*.

    Raises:
        UsageError: the data, or a choice that depends on them, cannot be used.
    """
    seed, evaluation = scenario.seed, scenario.evaluation
    folk = people(scenario.data, scenario.population, seed)
    # both losses learn from what was chosen, not from how it was rated
    implicit = replace(folk.interactions, ratings=np.ones(len(folk.interactions)))
    split = leave_one_out(implicit)
    if not split.test.counts.any():
        place = scenario.data.path or "the synthetic data"
        raise DataError(f"{place}: no user has three events; leave-one-out needs them")
    candidates = sample_candidates(split, Draws(seed, "candidates"), evaluation.candidates)
    exclude = exclusions(split, evaluation.protocol)
    return Study(
        scenario=scenario,
        population=folk.population,
        split=split,
        exclude=exclude,
        judge=Judge(split, candidates, evaluation.k),
        learning=_learning(scenario, split, exclude),
    )


def _learning(scenario: Scenario, split: Split, exclude: UserItems) -> Learning:
    section, draws = scenario.training, Draws(scenario.seed, "learning")
    recommender = MF(split.n_items, scenario.model.dim, scenario.model.loss, l2=section.l2)
    client = FedMF(
        recommender,
        Sgd(section.learning_rate, section.learning_rate, section.epochs, section.batch),
        negatives=section.negatives,
        exclude=exclude,
        upload=section.upload,
    )
    return Learning(
        recommender=recommender,
        client=client,
        server=_server(section, recommender.init(draws.child("init"))),
        store=PrivateStore.of(recommender, draws.child("init"), split.n_users),
        data=split.train,
        draws=draws.child("training"),
    )


def _server(section: TrainingSection, params: Params) -> Fold:
    match section.server:
        case "rowmean":
            return row_average(params, section.server_step)
        case "fedavg":
            return fed_avg(params, section.server_step)
        case "mean":
            return plain_average(params, section.server_step)
        case "sum":
            return gradient_descent(params, section.server_step)
