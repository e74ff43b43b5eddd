import numpy as np
import pytest
import torch

from droidloop.models.interfaces.learning import Params, init_all
from droidloop.models.packages.export import export
from droidloop.models.packages.exportable import Graph
from droidloop.models.packages.litert import LiteRT
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.models.recommenders.neumf_graph import scoring_neumf
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws

DRAWS = Draws(43, "neumf graph")
N_USERS = 5
NEUMF = NeuMF(90, 6, 8, (12, 7), sd=0.5)


def parts(model: NeuMF) -> tuple[Params, Graph, Array]:
    """Return parameters with biases, their graph, and the scores of all users and items."""
    params = init_all(model, DRAWS, N_USERS)
    for name, value in params.items():
        if "bias" in name:
            params[name] = torch.linspace(-0.5, 0.5, len(value) + 1)[1:]
    scores = model.score(params, torch.arange(N_USERS)[:, None], torch.arange(model.n_items))
    return params, scoring_neumf(model, params), scores.numpy()


@pytest.mark.parametrize("model", [NEUMF, NeuMF(90, 5, 0, ()), NeuMF(90, 0, 4, (9, 6, 3))])
def test_the_graph_scores_as_the_model_does(model: NeuMF) -> None:
    params, graph, scores = parts(model)
    out = graph.run({"user": params["user"].numpy()[:, None]})
    np.testing.assert_allclose(out["scores"][:, 0], scores, atol=1e-5)


def test_the_exported_network_scores_as_the_model_does() -> None:
    params, graph, scores = parts(NEUMF)
    package = export(graph, name="neumf", version=1)
    users = params["user"].numpy()
    assert (package.n_items, package.dim) == (90, 14)
    exact = LiteRT(package.model("float32")).scores(users).values
    np.testing.assert_allclose(exact, scores, atol=1e-5 * np.abs(scores).max())
    rounded = LiteRT(package.model("int8")).scores(users).values
    assert np.abs(rounded - scores).max() < 0.05 * np.ptp(scores)


def test_parameters_that_are_no_numbers_are_refused() -> None:
    params = init_all(NEUMF, DRAWS, N_USERS)
    params["weight1"] = torch.full_like(params["weight1"], torch.nan)
    with pytest.raises(ValueError, match="finite"):
        scoring_neumf(NEUMF, params)
