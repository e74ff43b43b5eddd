"""Everything that a scenario's sections become before the clock starts."""

from dataclasses import dataclass, replace

import numpy as np

from droidloop.devices.population.population import Population
from droidloop.models.data.facts import DataFacts, facts_of
from droidloop.models.data.split import leave_one_out
from droidloop.models.evaluation.candidates import beside_visited, exclusions, sample_candidates
from droidloop.models.evaluation.evaluator import Evaluator
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.fitting.baselines import SIMPLE, Baseline, central, chosen, simple
from droidloop.models.interfaces.learning import Recommender
from droidloop.models.learning.learning import Learning
from droidloop.models.peer.place_rivals import PLACE_RIVALS, place_rivals
from droidloop.models.recommenders.ease import require_size
from droidloop.models.recommenders.next_place import required
from droidloop.models.unlearning.unlearner import Unlearner
from droidloop.network.topology import Topology
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError
from droidloop.platform.registry import find
from droidloop.scenarios.schema.chosen import method_of, section_of
from droidloop.scenarios.schema.schema import Scenario

from .chosen_metrics import chosen_metrics
from .people import people

DIM = 32
"""Of a baseline's vectors where the scenario's model has none: the default of models that do."""


@dataclass
class Experiment:
    """The phones, what they learn, and how it is judged; row *k* of all is phone *k*."""

    scenario: Scenario
    population: Population
    task: TaskData
    learning: Learning
    unlearner: Unlearner
    links: Topology | None
    evaluator: Evaluator
    facts: DataFacts

    def baselines(self) -> dict[str, Baseline]:
        """Return the models that the trained one is printed beside, trained here and now."""
        return {name: self._baseline(name) for name in self.scenario.evaluation.baselines}

    def _baseline(self, name: str) -> Baseline:
        dim = getattr(self.scenario.model, "dim", DIM)
        if name in PLACE_RIVALS:
            return chosen(self.evaluator, place_rivals(name, self.task, dim))
        return simple(name, self.task, dim) if name in SIMPLE else self._central(name)

    def _central(self, name: str) -> Baseline:
        """Return the recommender *name* with the scenario's vectors and loss, if it has a say."""
        method, section = find("recommender", name), self.scenario.model
        if name != self.scenario.recommender.name:
            shared = method.section.model_fields.keys() & {"dim", "loss"}
            given = {key: getattr(section, key) for key in shared if hasattr(section, key)}
            section = section_of(method, {})[0].model_validate(given)
        penal = "l2" in method.section.model_fields

        def build(l2: float) -> Recommender:
            with_l2 = section.model_copy(update={"l2": l2}) if penal else section
            recommender: Recommender = method.build(with_l2, self.task)
            return recommender

        return central(build, self.task, penal=penal)


def prepare(scenario: Scenario) -> Experiment:
    """Return the study of *scenario*.

    Raises:
        UsageError: the data, or a choice that depends on them, cannot be used.
    """
    seed, evaluation = scenario.seed, scenario.evaluation
    folk = people(scenario.data, scenario.population, seed, scenario.churn, scenario.faults)
    # both losses learn from what was chosen, not from how it was rated
    implicit = replace(folk.interactions, ratings=np.ones(len(folk.interactions)))
    split = leave_one_out(implicit)
    if not split.test.counts.any():
        place = scenario.data.path or "the synthetic data"
        raise DataError(f"{place}: no user has three events; leave-one-out needs them")
    if scenario.data.clock_starts_s is not None and (implicit.times_s < 0).any():
        raise DataError(
            f"{scenario.data.path or 'the synthetic data'}: data.clock_starts_s needs the time of "
            "every event; name the column of times, or leave the key out"
        )
    if "ease" in evaluation.baselines:
        require_size(split.n_users, split.n_items)
    for name in PLACE_RIVALS:
        if name in evaluation.baselines:
            required(folk.places, f"evaluation.baselines = ['{name}']")
    candidates = sample_candidates(split, Draws(seed, "candidates"), evaluation.candidates)
    metrics, by = chosen_metrics(evaluation, "ranks")
    returns = folk.places is not None
    if returns:
        candidates = beside_visited(split, candidates)
    evaluator = Evaluator(split, candidates, evaluation.k, metrics, by, returns)
    task = TaskData(
        source=scenario.data.path or "the synthetic data",
        path=scenario.data.path,
        interactions=folk.interactions,
        split=split,
        exclude=exclusions(split, evaluation.protocol),
        evaluator=evaluator,
        draws=Draws(seed, "learning"),
        central=Draws(seed, "central"),
        staleness=scenario.protocol.weight_by_age,
        places=folk.places,
        memory_bytes=np.array(folk.population.traits["ram_bytes"], np.int64),
    )
    recommender = scenario.recommender.build(scenario.model, task)
    learning: Learning = scenario.rule.build(scenario.training, recommender, task)
    unlearner = method_of("unlearning", scenario.unlearning).build(scenario.unlearning, learning)
    links = _links(scenario, len(folk.population), learning)
    metrics, by = chosen_metrics(evaluation, learning.answers)
    evaluator = replace(evaluator, metrics=metrics, by=by)
    facts = facts_of(folk.interactions, folk.dropped, split)
    made = (scenario, folk.population, task, learning, unlearner)
    return Experiment(*made, links, evaluator, facts)


def _links(scenario: Scenario, phones: int, learning: Learning) -> Topology | None:
    """Return who is linked with whom, where the protocol says so from the start."""
    topology = getattr(scenario.protocol, "topology", None)
    if topology is None:
        return None
    alike = getattr(learning, "alike", None)
    made: Topology | None = topology.build(phones, Draws(scenario.seed, "topology"), alike)
    return made
