"""Which metrics a scenario asks for: by name, with keys, each once, and only what can be had."""

from typing import Any

import pytest

from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.run.chosen_metrics import chosen_metrics
from droidloop.scenarios.schema.schema import EvaluationSection


def chosen(answers: Any = "ranks", **keys: Any) -> tuple[list[str], str]:
    metrics, by = chosen_metrics(EvaluationSection(**keys), answers)
    return [one.name for one in metrics], by.name


def test_what_ranks_is_judged_by_hr_ndcg_and_recall_and_what_rates_by_auc() -> None:
    assert chosen() == (["hr_at_10", "ndcg_at_10", "recall_at_10"], "hr_at_10")
    assert chosen("ratings") == (["auc"], "auc")


def test_keys_of_a_metric_go_before_those_of_all() -> None:
    metrics = ["mrr", {"name": "ndcg", "k": 5}, "log-loss"]
    assert chosen(k=3, metrics=metrics) == (["mrr_at_3", "ndcg_at_5", "log_loss"], "mrr_at_3")


@pytest.mark.parametrize("name", ["gini", "gini_at_10"])
def test_rounds_are_chosen_by_either_name_of_a_metric(name: str) -> None:
    assert chosen(metrics=["hr", "gini"], best_by=name)[1] == "gini_at_10"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"metrics": ["hit"]}, "evaluation.metrics = 'hit': there is no such metric"),
        ({"metrics": ["ndgc"]}, "did you mean 'ndcg'?"),
        ({"metrics": [{"k": 3}]}, "there is no such metric"),
        ({"metrics": [{"name": "hr", "depth": 3}]}, "hr has depth = 3: .*its keys are k"),
        ({"metrics": [{"name": "hr", "k": 0}]}, "hr has k = 0"),
        ({"metrics": [{"name": "auc", "k": 3}]}, "its keys are none"),
        ({"metrics": ["hr", {"name": "hr", "k": 10}]}, "hr_at_10 is asked for twice"),
        ({"best_by": "mrr"}, "'mrr': not among evaluation.metrics; choose from hr_at_10"),
    ],
)
def test_a_wrong_choice_is_one_line(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ScenarioError, match=told) as caught:
        chosen(**keys)
    assert "\n" not in str(caught.value)
