"""The metrics that a scenario asks for, and the one by which its best round is chosen."""

from typing import Any

from pydantic import ValidationError

from droidloop.models.interfaces.metrics import Answers, Metric
from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import every, find
from droidloop.scenarios.schema.schema import EvaluationSection

_USUAL = {"ranks": ("hr", "ndcg", "recall"), "ratings": ("auc",)}


def chosen_metrics(section: EvaluationSection, answers: Answers) -> tuple[list[Metric], Metric]:
    """Return the metrics of *section*, and the one of them by which rounds are chosen.

    Raises:
        ScenarioError: there is no such metric, it has no such key, it is asked for twice, or it
            cannot be had from what the model *answers*.
    """
    asked = section.metrics or _USUAL[answers]
    metrics: dict[str, Metric] = {}
    names: dict[str, str] = {}
    for one in asked:
        keys = {"name": one} if isinstance(one, str) else dict(one)
        name = str(keys.pop("name", ""))
        metric = _metric(name, keys, section.k)
        if answers == "ratings" and metric.of != "ratings":
            fitting = [m.name for m in every("metric") if m.build(m.section()).of == "ratings"]
            raise ScenarioError(
                f"evaluation.metrics = {name!r}: this rule ranks no items; "
                f"choose from {', '.join(fitting)}"
            )
        if metric.of == "ranks" and metric.depth > section.candidates:
            raise ScenarioError(
                f"evaluation.candidates = {section.candidates}: {metric.name} would find every "
                f"item among so few; ask for {metric.depth} candidates or more, or lower k"
            )
        if metric.name in metrics:
            raise ScenarioError(f"evaluation.metrics = {name!r}: {metric.name} is asked for twice")
        metrics[metric.name] = metric
        names.setdefault(name, metric.name)
    best = section.best_by
    if best is None:
        return list(metrics.values()), next(iter(metrics.values()))
    by = metrics.get(names.get(best, best))
    if by is None:
        raise ScenarioError(
            f"evaluation.best_by = {best!r}: not among evaluation.metrics; "
            f"choose from {', '.join(metrics)}"
        )
    return list(metrics.values()), by


def _metric(name: str, keys: dict[str, Any], k: int) -> Metric:
    method = find("metric", name)
    if "k" in method.section.model_fields:
        keys = {"k": k, **keys}
    try:
        metric: Metric = method.build(method.section(**keys))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ScenarioError(
            f"evaluation.metrics: {name} has {key} = {first['input']!r}: {first['msg']}; "
            f"its keys are {', '.join(method.section.model_fields) or 'none'}"
        ) from error
    return metric
