"""What a run keeps: enough for any metric of ranks or lists that nobody asked for at the time."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.models.interfaces.metrics import Metric
from droidloop.platform.errors import UsageError
from droidloop.platform.ledger import Rows, read
from droidloop.platform.registry import find
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.kept import kept, kept_split
from droidloop.scenarios.reports.quality import quality_of
from droidloop.scenarios.reports.summary import summarise
from tests.scenarios.conftest import Command

Runs = dict[str, RunDirectory]
OLDER = Path(__file__).parents[2] / "platform" / "older_run"
LATER = ("mrr", "gini", "coverage", "ndcg")


@pytest.fixture(scope="module")
def asked(command: Command, small: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The small scenario, with metrics that the other runs did not ask for."""
    out = tmp_path_factory.mktemp("asked") / "run"
    metrics = "['hr', 'mrr', 'gini', 'coverage', 'auc', {name = 'ndcg', k = 5}]"
    settings = (f"evaluation.metrics={metrics}", "delivery.variant='none'")
    words = [word for one in settings for word in ("--set", one)]
    result = command("run", small, *words, "--out", out)
    assert result.exit_code == 0, result.output
    for words_ in ("MRR@10", "Gini@10", "coverage@10", "NDCG@5", "AUC by user"):
        assert words_ in result.output
    return RunDirectory.open(out)


def later(name: str) -> Metric:
    method, keys = find("metric", name), {"k": 5 if name == "ndcg" else 10}
    made: Metric = method.build(method.section(**keys))
    return made


def written(run: RunDirectory, metric: str, model: str, ranking: str) -> Rows:
    rows = read(run.path, "metrics")
    for column, word in {"name": metric, "model": model, "ranking": ranking}.items():
        rows = rows[rows[column] == word.encode()]
    return rows


@pytest.mark.parametrize("model", ["trained", "popularity", "mf"])
@pytest.mark.parametrize("name", LATER)
def test_a_metric_of_later_is_what_the_run_would_have_measured(
    runs: Runs, asked: RunDirectory, name: str, model: str
) -> None:
    """From the directory of a run that did not ask, to the last bit."""
    metric, run = later(name), runs["cohort"]
    for ranking in ("full",) if metric.of == "lists" else ("sampled", "full"):
        assert len(written(run, metric.name, model, ranking)) == 0
        judged = kept(run, model, ranking)
        expected = written(asked, metric.name, model, ranking)
        if not metric.whole:
            assert expected["phone"].tolist() == judged.users.tolist()
            assert metric.value(judged.of(metric)).tolist() == expected["value"].tolist()
            continue
        assert (expected["phone"] == -1).all()
        assert judged.listed is not None
        devices = read(run.path, "devices")
        for row in expected:
            mine = devices["phone"][devices["profile"] == row["users"]]
            some = np.isin(judged.users, mine) if row["users"] else slice(None)
            assert metric.value(judged.listed.take(some)) == row["value"]


def test_the_split_is_whole_and_its_lists_hold_nothing_that_the_user_had(runs: Runs) -> None:
    split = kept_split(runs["cohort"])
    assert (split.n_users, split.n_items) == (60, 120)
    assert set(split.test.counts) <= {0, 1}
    judged = kept(runs["cohort"], "int8", "full")
    assert judged.listed is not None
    assert judged.listed.items.shape == (60, 10)
    for user, items in zip(judged.users.tolist(), judged.listed.items, strict=True):
        had = np.concatenate([split.train.of(user), split.valid.of(user)])
        assert not np.isin(items, np.setdiff1d(had, split.test.of(user))).any()


def test_metrics_of_many_users_stand_by_class_in_the_summary(asked: RunDirectory) -> None:
    answer = summarise(asked)
    for facts in (answer, *answer["classes"].values()):
        assert 0.0 < (quality_of(facts, "coverage_at_10", ranking="full") or 0.0) <= 1.0
    everybody = quality_of(answer, "coverage_at_10", ranking="full") or 0.0
    parts = [
        quality_of(facts, "coverage_at_10", ranking="full") or 0.0
        for facts in answer["classes"].values()
    ]
    assert max(parts) <= everybody


def test_what_was_not_kept_is_one_line(runs: Runs) -> None:
    with pytest.raises(UsageError, match="kept no ranks of neumf"):
        kept(runs["cohort"], "neumf", "full")
    with pytest.raises(UsageError, match="this run kept no split; run it again"):
        kept_split(RunDirectory.open(OLDER))
