"""MoMoDistill does not work here on the long tail, because its gain there is within chance.

Over all users it gains (row ``dccl-ml-1m``). The cloud's model learns from the models that phones
have made of it.

Yao et al.: Device-Cloud Collaborative Learning for Recommendation (DCCL, KDD 2021), its cloud side:

    L = L_CE + beta KL(p_device(x) || p_cloud(x)),

where the teacher of a sample is the model of the sample's own phone. A phone sends its patch, some
numbers; its events stay with it. p is the probability that the user has an item, of each pair of
the log loss.
"""

from dataclasses import dataclass

import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.fitting.fit import Hyperparameters, fit
from droidloop.models.interfaces.learning import Batch, Params
from droidloop.models.recommenders.mf import MF
from droidloop.models.recommenders.vector_model import pairs_of
from droidloop.platform.arrays import Float32Array
from droidloop.platform.draws import Draws


@dataclass(frozen=True)
class Taught(MF):
    """Matrix factorisation whose pairs have teachers: all users' vectors and items' of phones.

    A label y and a teacher's probability t make the same slope as the one label (y + beta t) /
    (1 + beta), times 1 + beta: the log loss is linear in its label.
    """

    teacher: Params | None = None
    beta: float = 1.0

    def pair_losses(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the loss of each item and negative, (batch, 1 + k), but for teachers' entropy."""
        losses = super().pair_losses(params, batch)
        if self.teacher is None:
            return losses
        users, ids = batch.users[:, None], pairs_of(batch).clamp(min=0)
        with torch.no_grad():
            soft = torch.sigmoid(self.score(self.teacher, users, ids))
        scores = self.score(params, users, ids)
        toward = torch.nn.functional.binary_cross_entropy_with_logits(
            scores, soft, reduction="none"
        )
        return losses + self.beta * toward


def momo_distill(
    model: MF,
    cloud: Params,
    device_users: Float32Array,
    train: UserItems,
    chosen: Hyperparameters,
    *,
    beta: float,
    draws: Draws,
    exclude: UserItems | None = None,
) -> Params:
    """Return the parameters of *cloud* trained on by *train* and the models of phones.

    Args:
        model: with the log loss.
        cloud: all its parameters, with every user's vector.
        device_users: what phones have made of these vectors, (users, dim).
        train: the cloud's own events.
        chosen: steps, batches, epochs.
        beta: the weight of the teachers; 0: training goes on without them.
        draws: the chance of orders and negatives.
        exclude: by user, the items never drawn as negatives; None: those of *train*.

    Raises:
        ValueError: *model* has another loss.
    """
    if model.loss_name != "log":
        raise ValueError(f"teachers give probabilities: the loss is log, not {model.loss_name}")
    teacher = None if beta == 0 else cloud | {"user": torch.from_numpy(device_users)}
    one = Taught(
        *(model.n_items, model.dim, "log", model.l2, model.sd),
        table=model.items,
        teacher=teacher,
        beta=beta,
    )
    return fit(one, cloud, train, chosen, n_items=model.n_items, draws=draws, exclude=exclude)
