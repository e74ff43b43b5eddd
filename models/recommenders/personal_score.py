"""A personal score function: what a phone makes of item vectors, private as a whole.

Zhang et al., Dual Personalization on Federated Recommendation (IJCAI 2023).
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Cost, Params
from droidloop.models.tables.choose import table_of
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method

from .mf import MF, MFSection


@dataclass(frozen=True)
class PersonalScore(MF):
    """Score of a phone for an item: a linear layer on the item's vector, private as ``score``.

    ``score`` (phones, dim + 1) holds the layer's weights and, last, its bias. A linear layer on
    item vectors is a user vector and a bias; what makes the difference to ``MF`` is that all
    phones start from the same layer, as in the authors' code, so that its direction means the same
    to everybody. The bias is under ``l2``, too.
    """

    private: frozenset[str] = field(init=False, repr=False, default=frozenset({"score"}))

    def init_private(self, draws: Draws, users: IntArray) -> Params:
        """Return the first score function for each of *users*, (len(users), dim + 1); bias 0."""
        first = np.zeros((1, self.dim + 1), np.float32)
        first[:, :-1] = normal_rows(draws.child("score"), np.zeros(1, np.int64), self.dim, self.sd)
        return {"score": torch.from_numpy(np.repeat(first, len(users), axis=0))}

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward take: those of ``MF`` and 2 flops a pair for the bias.

        The bias stays in the cache.
        """
        mf = super().cost(examples)
        return Cost(mf.flops + 2 * examples, mf.moved_bytes, mf.ram_bytes)

    def user(self, params: Params, users: torch.Tensor) -> torch.Tensor:
        """Return the score functions of *users*, ``users.shape + (dim + 1,)``."""
        return torch.nn.functional.embedding(users, params["score"])

    def _score(self, user: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
        return (user[..., :-1] * item).sum(-1) + user[..., -1]


class PersonalScoreSection(MFSection):
    """A linear score function on item vectors, which every phone keeps to itself."""


def build(section: PersonalScoreSection, task: TaskData) -> PersonalScore:
    """Return personal score functions on the items of *task*."""
    n = task.split.n_items
    table = table_of(section.table, n, section.dim)
    return PersonalScore(n, section.dim, section.loss, section.l2, table=table)


METHOD = Method(
    kind="recommender",
    name="personal-score",
    section=PersonalScoreSection,
    build=build,
    source="Zhang et al.: Dual Personalization on Federated Recommendation (IJCAI 2023)",
    gives=frozenset({"personal-score", "item-table"}),
)
