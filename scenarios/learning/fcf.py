"""FCF: phones solve for their users' vectors, the server takes Adam's steps on summed gradients."""

from functools import partial

from droidloop.models.federated.adaptive import adam
from droidloop.models.federated.fcf import FCF
from droidloop.models.interfaces.store import PrivateStore
from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.schema.learning_sections import FCFSection

from .learning import Federation
from .mf_parts import look_at_mf, mf_of
from .staleness import lateness
from .task_data import Material


def fcf(section: FCFSection, material: Material) -> Federation:
    """Return FCF as *section* wants it.

    Raises:
        ScenarioError: the model's loss is one of pairs, which has no closed form.
    """
    if material.scenario.model.loss != "log":
        raise ScenarioError(
            f"model.loss = {material.scenario.model.loss!r}: the rule 'fcf' has a loss of its own, "
            "confidence-weighted squares; leave model.loss out"
        )
    recommender, draws = mf_of(material), material.draws
    params = recommender.init(draws.child("init"))
    server = adam(params, section.server_step, l2=section.l2, staleness=lateness(material))
    store = PrivateStore.of(recommender, draws.child("init"), material.split.n_users)
    return Federation(
        recommender=recommender,
        store=store,
        data=material.split.train,
        draws=draws.child("training"),
        look=partial(look_at_mf, recommender, server, store),
        ships=True,
        client=FCF(recommender, section.alpha, section.l2),
        server=server,
    )
