"""SemiDFEGL in a scenario: a server groups phones and hands out rows, members exchange vectors."""

from functools import partial

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.evaluation.metrics import Scores
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.peer.ego_groups import EgoGroups
from droidloop.models.peer.semidfegl import SemiDFEGL, ego_store
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.schema.learning_sections import SemiDFEGLSection

from .evaluator import FunctionScorer
from .learning import Society, Trained
from .mf_parts import mf_of, sgd_of
from .task_data import Material


def semidfegl(section: SemiDFEGLSection, material: Material) -> Society:
    """Return phones that wait for a group and its rows, and the server that groups them.

    Raises:
        ScenarioError: the protocol forms no groups, or there are more fakes than rows.
    """
    if material.scenario.protocol.kind != "groups":
        raise ScenarioError(
            f"protocol.kind = {material.scenario.protocol.kind!r}: the rule 'semidfegl' learns in "
            "groups that a server forms; set protocol.kind = 'groups'"
        )
    rows = min(section.rows, material.split.n_items)
    if section.fakes > rows:
        raise ScenarioError(
            f"training.fakes = {section.fakes}: a group has {rows} rows; set at most as many"
        )
    first = material.draws.child("init")
    rule = SemiDFEGL(
        mf_of(material, section.l2),
        rows,
        section.fakes,
        section.neighbours,
        section.layers,
        sgd_of(section),
        negatives=section.negatives,
        exclude=material.exclude,
    )
    store, data = ego_store(rule, first, material.split.n_users), material.split.train
    return Society(
        recommender=rule.recommender,
        store=store,
        data=data,
        draws=material.draws.child("training"),
        look=partial(_look, rule, store, data),
        ships=False,
        peer=rule,
        grouping=EgoGroups(rule, data, first, fuzziness=section.fuzziness),
    )


def _look(rule: SemiDFEGL, store: PrivateStore, data: UserItems) -> Trained:
    """Return what each phone scores with, as it is now."""
    columns = store.gather(np.arange(len(store)))
    return Trained({"trained": FunctionScorer(partial(_scores, rule, columns, data))})


def _scores(rule: SemiDFEGL, columns: dict[str, Array], data: UserItems, users: IntArray) -> Scores:
    return rule.scores({name: column[users] for name, column in columns.items()}, data.take(users))
