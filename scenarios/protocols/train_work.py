"""What a round carries to real devices: a training step, and its result back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from droidloop.devices.fleets.model_job import ModelJob
from droidloop.devices.fleets.work import WrongOutputError
from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Cohort
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.device_step import (
    BY_STEP,
    LocalTrainingJob,
    Uploader,
    put_back,
    training_job_of,
)
from droidloop.models.numerics.bounds import LARGEST
from droidloop.models.packages.step_export import FEEDBACK, TrainingModels
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages

AWAY = 0.01
"""How far a device's training may be from the host's, a gradient's scale aside: a thousand times
what phones were found to be away (1e-5, tests/phone/test_attached.py)."""


def model_job(job: LocalTrainingJob, models: TrainingModels) -> ModelJob:
    """Return *job* as a device runs it: the exported step, over and over."""
    return ModelJob(
        models.path(job.shape),
        job.inputs,
        list(FEEDBACK),
        by_step=BY_STEP,
        feedback=FEEDBACK,
        steps=job.steps,
    )


@contextmanager
def checked(outputs: Mapping[str, Array]) -> Iterator[None]:
    """Use what a device trained in this block.

    Raises:
        WrongOutputError: it is not finite, larger than messages may be, or cannot be used.
    """
    if not all(np.isfinite(values).all() for values in outputs.values()):
        raise WrongOutputError("the device trained values that are not finite numbers")
    largest = max((float(np.abs(one).max(initial=0)) for one in outputs.values()), default=0.0)
    if largest > LARGEST:
        raise WrongOutputError(f"the device trained values up to {largest:.3g}")
    try:
        yield
    except (ValueError, KeyError) as error:
        raise WrongOutputError(f"the device's training cannot be used: {error}") from error


@dataclass
class TrainWork:
    """Local training of a cohort in a round; what a device trained replaces what the host did.

    Attributes:
        rule: the client rule, which has made *sent*.
        store: what is private, as it was before the round.
        cohort: gets the devices' user vectors.
        data: one row a phone.
        inbox: what the phones received.
        sent: gets the devices' rows.
        draws: as the rule got them.
        models: the exported steps.
        trained: the places of the phones whose devices did it.
    """

    rule: Uploader
    store: PrivateStore
    cohort: Cohort
    data: UserItems
    inbox: Messages
    sent: Messages
    draws: Draws
    models: TrainingModels
    trained: set[int] = field(default_factory=set)
    _jobs: dict[int, LocalTrainingJob] = field(default_factory=dict)

    def order(self, k: int) -> ModelJob:
        """Return the training of phone *k* of the cohort; see ``Work.order``."""
        return model_job(self._job(k), self.models)

    def accept(self, k: int, outputs: Mapping[str, Array]) -> None:
        """Write what the phone trained into its message and the cohort; see ``Work.accept``."""
        with checked(outputs):
            user = self._taken(k, outputs)
        self.cohort.private["user"][k] = user[0]
        self.trained.add(k)

    def _taken(self, k: int, outputs: Mapping[str, Array]) -> Array:
        """Write what a device trained into its message; return its user's vector.

        Raises:
            ValueError: it is far from what the host trained from the same start; nothing is
                written then.
        """
        name = self.rule.recommender.items.name
        mine = self.sent.take(slice(k, k + 1)).arrays[name]  # a view
        host, host_user = mine.copy(), self.cohort.private["user"][k].reshape(1, -1)
        user = put_back(self.rule, self._job(k), self._table, outputs, self.sent, k)
        for found, known in ((mine, host), (user, host_user)):
            far = float(np.abs(found - known).max(initial=0.0))
            if not far <= AWAY * max(1.0, float(np.abs(known).max(initial=0.0))):
                mine[:] = host
                raise ValueError(f"it is {far:.3g} away from the host's training, at most {AWAY}")
        return user

    @property
    def _table(self) -> Array:
        return self.inbox.arrays[self.rule.recommender.items.name]

    def _job(self, k: int) -> LocalTrainingJob:
        if k not in self._jobs:
            phones = self.cohort.phones[k : k + 1]
            self._jobs[k] = training_job_of(
                self.rule,
                int(phones[0]),
                self.cohort.round,
                self.data.take(np.array([k])),
                self._table,
                self.store.gather(phones)["user"],
                self.draws,
            )
        return self._jobs[k]
