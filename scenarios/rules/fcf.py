"""FCF: phones solve for their users' vectors, the server takes Adam's steps on summed gradients."""

from functools import partial

from droidloop.models.adaptive import adam
from droidloop.models.fcf import FCF
from droidloop.models.store import PrivateStore
from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.learning import Federation
from droidloop.scenarios.learning_sections import FCFSection
from droidloop.scenarios.material import Material

from .lateness import lateness
from .matrix import look_at_mf, mf_of


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
