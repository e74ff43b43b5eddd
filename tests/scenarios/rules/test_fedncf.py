"""FedNCF and FCF in a scenario: what they train, send and ship, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from droidloop.models.evaluation.evaluator import ModelScorer
from droidloop.models.federated.fcf import FCF
from droidloop.models.federated.fedncf import FedNCF
from droidloop.models.interfaces.learning import Cohort
from droidloop.models.learning.learning import FederatedLearning
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.platform.errors import ScenarioError
from droidloop.platform.ledger import read
from droidloop.scenarios.run.experiment import Experiment, prepare
from droidloop.scenarios.schema.load import load

Command = Callable[..., Result]

HEAD = """
name = "rule"
title = "A rule on a few phones"
[data]
items = 50
interactions = 12
[population]
phones = 20
ideal = true
[model]
dim = 4
MODEL[protocol]
rounds = 3
every_s = 7200.0
deadline_s = 3600.0
min_battery = 0.0
[delivery]
variant = "none"
[evaluation]
baselines = []
"""
FEDNCF = '[training]\nrule = "fedncf"\n'
FCF_ = '[training]\nrule = "fcf"\n'
NETWORK = "mlp_dim = 3\nhidden = [5, 2]\n"
BUFFERED = HEAD.replace("[protocol]\nrounds = 3", '[protocol]\nkind = "buffered"\nrounds = 3')


def written(folder: Path, text: str) -> Path:
    """Write *text* with the network that the rule trains, if it is FedNCF."""
    path = folder / "rule.toml"
    path.write_text(text.replace("MODEL", NETWORK if "fedncf" in text else ""))
    return path


def study(folder: Path, text: str) -> Experiment:
    return prepare(load(written(folder, text)))


def federation(folder: Path, training: str) -> FederatedLearning:
    learning = study(folder, HEAD + training).learning
    assert isinstance(learning, FederatedLearning)
    return learning


def test_the_section_becomes_the_rule(tmp_path: Path) -> None:
    learning = federation(tmp_path, FEDNCF + "network_rate = 0.02\nlearning_rate = 0.1\n")
    assert isinstance(learning.client, FedNCF)
    assert learning.client.recommender.widths == (6, 5, 2)
    assert (learning.client.sgd.lr_rows, learning.client.sgd.lr_dense) == (0.1, 0.02)
    assert learning.server.params.keys() >= {"item", "weight1", "out"}
    other = federation(tmp_path, FCF_ + "alpha = 3.0\nl2 = 0.5\n")
    assert isinstance(other.client, FCF)
    assert (other.client.alpha, other.client.l2) == (3.0, 0.5)


@pytest.mark.parametrize("training", [FEDNCF, FEDNCF + 'server = "fedavg"\n', FCF_])
def test_a_run_sends_what_the_rule_sends_and_moves_the_model(
    tmp_path: Path, command: Command, training: str
) -> None:
    path = written(tmp_path, HEAD + training)
    result = command("run", path, "--json", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    jobs, events = read(tmp_path / "run", "jobs"), read(tmp_path / "run", "events")
    assert len(jobs) == 60
    assert (jobs["outcome"] == 1).all()
    learning = federation(tmp_path, training)
    [inbox] = learning.server.broadcast(np.arange(20))
    assert set(jobs["down_bytes"].tolist()) == {int(inbox.nbytes()[0])}
    closed = events[(events["kind"] == b"round") & (events["name"] == b"version")]
    assert closed["value"].tolist() == [1, 2, 3]


def test_late_uploads_are_folded_in_buffered_rounds(tmp_path: Path, command: Command) -> None:
    for training in (FEDNCF, FCF_):
        path = written(tmp_path, BUFFERED + training)
        folder = tmp_path / training.split('"')[1]
        result = command("run", path, "--json", "--out", folder)
        assert result.exit_code == 0, result.output
        assert (read(folder, "jobs")["outcome"] == 1).any()


@pytest.mark.parametrize("training", [FEDNCF, FCF_])
def test_what_ships_scores_as_what_was_trained(tmp_path: Path, training: str) -> None:
    trained = federation(tmp_path, training).snapshot()
    assert trained.ship is not None
    shipped, users = trained.ship(), np.arange(20)
    scores = shipped.graph.run({"user": shipped.private[:, None]})["scores"][:, 0]
    np.testing.assert_allclose(scores, trained.scorers["trained"].every(users), atol=1e-6)
    if shipped.work is not None:
        assert shipped.work.flops == 2 * 50 * (4 + 5 + 5 * 2 + 2)


def test_a_loss_that_the_rule_does_not_have_is_refused(tmp_path: Path) -> None:
    text = HEAD.replace("dim = 4", 'dim = 4\nloss = "bpr"')
    with pytest.raises(ScenarioError, match=r"model.loss = 'bpr': the rule 'fcf'.*leave"):
        study(tmp_path, text + FCF_)
    with pytest.raises(ScenarioError, match="no key 'loss'"):
        study(tmp_path, text + FEDNCF)


def test_a_rule_refuses_a_model_that_it_does_not_train(tmp_path: Path) -> None:
    text = HEAD.replace("dim = 4", 'kind = "mf"\ndim = 4').replace("MODEL", "")
    with pytest.raises(ScenarioError, match=r"model.kind = 'mf': the rule 'fedncf'.*neumf"):
        prepare(load(written(tmp_path, text + FEDNCF)))


def test_the_same_network_trained_in_one_place_is_a_baseline(tmp_path: Path) -> None:
    text = HEAD.replace("baselines = []", 'baselines = ["neumf"]')
    scorers = study(tmp_path, text + FEDNCF).baselines()
    assert list(scorers) == ["neumf"]
    scorer = scorers["neumf"].scorer
    assert isinstance(scorer, ModelScorer)
    assert isinstance(scorer.recommender, NeuMF)
    assert scorer.recommender.widths == (6, 5, 2)
    evaluator = study(tmp_path, text + FEDNCF).evaluator
    assert evaluator.quality(scorer, "valid") > evaluator.k / evaluator.split.n_items


def test_every_model_that_was_measured_is_printed(tmp_path: Path, command: Command) -> None:
    text = HEAD.replace("baselines = []", 'baselines = ["neumf"]') + '[training]\nrule = "tune"'
    path = written(tmp_path, text.replace("[protocol]", '[protocol]\nkind = "local"'))
    shown = command("run", path, "--out", tmp_path / "run")
    assert shown.exit_code == 0, shown.output
    assert "central NeuMF" in shown.output
    assert "cloud" in shown.output  # the model that tuning started from


def test_fedmf_takes_adaptive_steps_if_they_are_given(tmp_path: Path) -> None:
    learning = federation(tmp_path, '[training]\nserver = "fedadam"\nserver_step = 0.02\n')
    before = learning.server.params["item"].clone()
    phones = np.arange(20)
    [inbox] = learning.server.broadcast(phones)
    cohort = Cohort(phones, 0, learning.store.gather(phones))
    sent = learning.client.step(cohort, inbox, learning.data, learning.draws)
    assert learning.server.absorb(sent).all()
    learning.server.close()
    moved = (learning.server.params["item"] - before).abs()
    assert 0.005 < moved.max() < 0.2


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (FEDNCF + "l2 = 0.1\n", "no key 'l2'"),
        (FCF_ + "l2 = 0.0\n", "greater than or equal to 0"),
        (FCF_ + "epochs = 2\n", "no key 'epochs'"),
        ('[training]\nserver = "fedadam"\n', "give one, such as 0.02"),
    ],
)
def test_keys_without_a_meaning_are_refused(tmp_path: Path, training: str, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        study(tmp_path, HEAD + training)
