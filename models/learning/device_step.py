"""What one phone trains on in a round, as the inputs of a training step, and its result back.

The same examples in the same order, with the same negatives and batches, as the rules take:
so a phone's result can stand in for what the host computes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeGuard

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Recommender
from droidloop.models.local.cohort import in_rows, rows_touched
from droidloop.models.local.sgd import Examples, Trainer, batches, order_of
from droidloop.models.packages.step_export import StepShape, shape_of
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages


def trains_on_devices(model: Recommender) -> TypeGuard[MF]:
    """Return whether an exported step trains *model*: MF itself, of vectors that are rows."""
    return type(model) is MF and model.items.plain


class Uploader(Trainer, Protocol):
    """A trainer whose phones send what they trained, in one of three ways."""

    @property
    def kind(self) -> str:
        """``delta``, ``parameters`` or ``gradient``."""
        ...


@dataclass(frozen=True)
class LocalTrainingJob:
    """The training of one phone in one round.

    Attributes:
        shape: of the step.
        ids: the numbers of the rows that are touched, sorted.
        inputs: of the step by name; those in ``BY_STEP`` have a leading axis of steps.
        steps: how often the step runs.
    """

    shape: StepShape
    ids: IntArray
    inputs: dict[str, Array]
    steps: int


BY_STEP = frozenset({"slots", "labels", "mask"})


def training_job_of(
    rule: Trainer,
    phone: int,
    round_: int,
    data: UserItems,
    table: Array,
    user: Array,
    draws: Draws,
) -> LocalTrainingJob:
    """Return what *phone* does in the round.

    Args:
        rule: the rule of the round.
        phone: its number.
        round_: the round's number.
        data: its own items, one row.
        table: the received item table, (rows, dim).
        user: its vector before the round, (1, dim).
        draws: as ``rule.step`` gets them.

    Raises:
        TypeError: no exported step trains the model.
    """
    phones, recommender = np.array([phone]), rule.recommender
    if not trains_on_devices(recommender):
        raise TypeError(f"no exported step trains {recommender!r}")
    examples = Examples.of(rule, phones, data, draws, round_, threads=1)
    [touched] = rows_touched(recommender.items, examples, 1).rows.values()
    mine, others = in_rows(recommender.items, data, examples.negatives)
    ids, count, width = touched.astype(np.int64), len(data.items), 1 + rule.negatives
    group = rule.sgd.group(rule.negatives)
    shape = shape_of(recommender.loss_name, recommender.dim, len(ids), count, group, width)
    order = order_of(draws, phone, round_, count, rule.sgd.epochs)
    pairs = np.concatenate([mine.items[:, None], others], axis=1)
    slots = np.where(pairs >= 0, np.searchsorted(ids, np.maximum(pairs, 0)), -1)
    labels = np.zeros(pairs.shape, np.float32)
    labels[:, 0] = data.ratings if recommender.loss_name == "squared" else 1.0
    rows = np.zeros((shape.rows, shape.dim), np.float32)
    rows[: len(ids)] = table[ids]
    inputs = {
        "rows": rows,
        "user": np.asarray(user, np.float32).reshape(1, shape.dim),
        "rates": np.array([rule.sgd.lr_user, rule.sgd.lr_rows, recommender.l2], np.float32),
        **_batches(shape, order, slots, labels),
    }
    return LocalTrainingJob(shape, ids, inputs, len(inputs["slots"]))


def _batches(shape: StepShape, order: IntArray, slots: IntArray, labels: Array) -> dict[str, Array]:
    """Return slots, labels and mask of every step, padded, shape (steps, batch)."""
    parts = list(batches(order, shape.group))
    # an axis of no steps is no job: somebody without items takes one step on nothing
    places = np.full((max(1, len(parts)), shape.group), -1)
    for step, part in enumerate(parts):
        places[step, : len(part)] = part
    real = places >= 0
    found = np.where(real[:, :, None], slots[places], -1) if len(slots) else None
    if found is None:
        found = np.full((*places.shape, shape.width), -1)
        labels = np.zeros((1, shape.width), np.float32)
    flat = (len(places), shape.batch)
    return {
        "slots": np.maximum(found, 0).astype(np.int32).reshape(flat),
        "labels": (labels[places] * real[:, :, None]).astype(np.float32).reshape(flat),
        "mask": (found >= 0).astype(np.float32).reshape(flat),
    }


def trained_by(job: LocalTrainingJob, outputs: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return the rows ``job.ids`` and the user vector (1, dim) that a device has trained.

    Raises:
        ValueError: an output has another shape or type than the job's.
    """
    rows, user, shape = outputs["new_rows"], outputs["new_user"], job.shape
    for values, wanted in ((rows, (shape.rows, shape.dim)), (user, (1, shape.dim))):
        if values.shape != wanted or values.dtype != np.float32:
            raise ValueError(f"trained values are {values.dtype} {values.shape}, not {wanted}")
    return rows[: len(job.ids)], user


def put_back(
    rule: Uploader,
    job: LocalTrainingJob,
    table: Array,
    outputs: Mapping[str, Array],
    sent: Messages,
    k: int,
) -> Array:
    """Write what a phone trained into its message, in place; return its new user vector.

    Args:
        rule: the client rule, which made *sent*.
        job: what the phone was given.
        table: what it received.
        outputs: ``new_rows`` and ``new_user``, as they are after the last step.
        sent: the uploads of the cohort.
        k: the phone's place among them.

    Raises:
        ValueError: an output has another shape or type than the job's, or *sent* other rows.
    """
    name = rule.recommender.items.name
    trained, user = trained_by(job, outputs)
    before = np.asarray(table[job.ids], np.float32)
    change = trained - before
    if rule.kind == "parameters":
        change = trained
    elif rule.kind == "gradient":
        change = change / np.float32(-rule.sgd.lr_rows)
    start, end = int(sent.offsets[name][k]), int(sent.offsets[name][k + 1])
    mine = sent.arrays[name][start:end]
    if name not in sent.rows:
        mine[job.ids] = change
    elif np.array_equal(sent.rows[name][start:end], job.ids):
        mine[:] = change
    else:
        raise ValueError("the message has other rows than the job")
    return user
