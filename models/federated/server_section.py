"""What the server makes of the rows that arrive: the keys that rules with folds share."""

from typing import Literal

from pydantic import model_validator

from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.staleness import Staleness
from droidloop.models.local.local_training import LocalTraining
from droidloop.platform.section import Positive

from .adaptive import fed_adam
from .folds import Fold, fed_avg, gradient_descent, plain_average, row_average

SERVERS = {
    "rowmean": row_average,
    "fedavg": fed_avg,
    "mean": plain_average,
    "sum": gradient_descent,
    "fedadam": fed_adam,
}


class FoldedTraining(LocalTraining):
    """Steps on a phone, and what the server makes of the rows that arrive."""

    server: Literal["rowmean", "fedavg", "mean", "sum", "fedadam"] = "rowmean"
    """Rows averaged over those that hold them; over all, by items or evenly; summed; FedAdam."""
    server_step: Positive = 2.0
    """Times what comes of that."""

    @model_validator(mode="after")
    def _adaptive_steps_are_given(self) -> "FoldedTraining":
        if self.server == "fedadam" and "server_step" not in self.model_fields_set:
            raise ValueError(
                "server = 'fedadam' moves every number by about server_step; give one, such as 0.02"
            )
        return self

    def fold(self, params: Params, staleness: Staleness) -> Fold:
        """Return the server, starting from *params*."""
        return SERVERS[self.server](params, self.server_step, staleness=staleness)
