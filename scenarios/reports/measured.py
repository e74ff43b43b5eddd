"""Which metrics a run has, as its manifest tells: reports need nothing of what computed them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from droidloop.models.interfaces.metrics import Metric


@dataclass(frozen=True)
class Measured:
    """A metric of a run: its name in the ledger, its label, and under which ranking it stands."""

    name: str
    label: str
    ranking: str
    better: str = "higher"
    whole: bool = False

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.better == "higher" else -1


def described(metric: Metric, *, rates: bool) -> dict[str, Any]:
    """Return what the manifest says of *metric*; *rates*: of a model that ranks no items."""
    among = "rated" if rates else "sampled"
    ranking = "full" if metric.of == "lists" else among
    return asdict(Measured(metric.name, metric.label, ranking, metric.better, metric.whole))


def metrics_of(manifest: Mapping[str, Any]) -> list[Measured]:
    """Return the metrics of a run, the one by which its best round was chosen first.

    A run of an older droidloop does not say: it has HR, NDCG and recall at k, or AUC.
    """
    if "metrics" in manifest:
        found = [Measured(**one) for one in manifest["metrics"]]
        return sorted(found, key=lambda one: one.name != manifest["best_by"])
    scenario = manifest["scenario"]
    if scenario["training"]["rule"] == "mpda":
        return [Measured("auc", "AUC by user", "rated")]
    k, usual = scenario["evaluation"]["k"], {"hr": "HR", "ndcg": "NDCG", "recall": "Recall"}
    return [Measured(f"{n}_at_{k}", f"{label}@{k}", "sampled") for n, label in usual.items()]
