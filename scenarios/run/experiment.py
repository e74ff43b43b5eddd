"""Everything that a scenario's sections become before the clock starts."""

from dataclasses import dataclass, replace

import numpy as np

from droidloop.devices.population.population import Population
from droidloop.models.data.split import leave_one_out
from droidloop.models.evaluation.candidates import exclusions, sample_candidates
from droidloop.models.graphs.propagation import Bipartite
from droidloop.models.interfaces.learning import Recommender
from droidloop.models.recommenders.baselines import ItemKNN, Popularity
from droidloop.models.recommenders.lightgcn import LightGCN
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError
from droidloop.scenarios.learning.build import build
from droidloop.scenarios.learning.central_training import train_centrally
from droidloop.scenarios.learning.chosen_metrics import chosen_metrics
from droidloop.scenarios.learning.evaluator import FunctionScorer, Judge, ModelScorer, Scorer
from droidloop.scenarios.learning.fedncf import neumf_of
from droidloop.scenarios.learning.learning import Learning
from droidloop.scenarios.learning.mf_parts import mf_of
from droidloop.scenarios.learning.task_data import Material
from droidloop.scenarios.schema.schema import Scenario

from .people import people


@dataclass
class Study:
    """The phones, what they learn, and how it is judged; row *k* of all is phone *k*."""

    scenario: Scenario
    population: Population
    material: Material
    learning: Learning
    judge: Judge

    def baselines(self) -> dict[str, Scorer]:
        """Return the models that the trained one is printed beside, trained here and now."""
        made: dict[str, Scorer] = {}
        for name in self.scenario.evaluation.baselines:
            match name:
                case "popularity":
                    popularity = Popularity(self.material.split.train, self.material.split.n_items)
                    made[name] = FunctionScorer(popularity.scores)
                case "itemknn":
                    made[name] = FunctionScorer(
                        ItemKNN(self.material.split.train, self.material.split.n_items).scores
                    )
                case "mf":
                    made[name] = self._trained(mf_of(self.material))
                case "neumf":
                    made[name] = self._trained(neumf_of(self.material))
                case "lightgcn":
                    graph = Bipartite.of(self.material.split.train, self.material.split.n_items)
                    model = self.scenario.model
                    made[name] = self._trained(LightGCN(graph, model.dim, loss_name=model.loss))
        return made

    def _trained(self, recommender: Recommender) -> Scorer:
        return ModelScorer(recommender, train_centrally(recommender, self.material))


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
    metrics, by = chosen_metrics(evaluation, "ranks")
    judge = Judge(split, candidates, evaluation.k, metrics, by)
    material = Material(
        scenario,
        folk.interactions,
        split,
        exclusions(split, evaluation.protocol),
        judge,
        Draws(seed, "learning"),
        folk.places,
    )
    learning = build(material)
    metrics, by = chosen_metrics(evaluation, learning.answers)
    return Study(
        scenario, folk.population, material, learning, replace(judge, metrics=metrics, by=by)
    )
