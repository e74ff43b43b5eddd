"""A phone's training step, looped, ends where the compiled kernel does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from droidloop.devices.android.runners.host_runner import HostRunner
from droidloop.devices.fleets.model_job import ModelJob, Ran
from droidloop.models.data.interactions import UserItems, by_user
from droidloop.models.data.synthetic import generate
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.interfaces.learning import Cohort
from droidloop.models.learning.device_step import (
    BY_STEP,
    LocalTrainingJob,
    put_back,
    training_job_of,
)
from droidloop.models.local.sgd import Sgd
from droidloop.models.packages.step_export import FEEDBACK, TrainingModels, shape_of, training
from droidloop.models.recommenders.mf import MF
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from tests.phone.image import CACHE

ITEMS, DIM, PHONES, ROUND = 90, 12, 5, 3
DRAWS = Draws(8, "lesson")


def data() -> UserItems:
    """Return the items of some phones; the third has none."""
    found = by_user(generate(PHONES, ITEMS, 30, DRAWS.child("data")))
    keep = np.repeat(np.arange(PHONES) != 2, found.counts)
    offsets = np.concatenate([[0], np.cumsum(found.counts * (np.arange(PHONES) != 2))])
    return UserItems(
        found.items[keep], offsets, found.times_s[keep], 1.0 + np.arange(keep.sum()) % 5
    )


def rule(loss: Any = "log", **options: Any) -> FedMF:
    l2 = options.pop("l2", 0.01)
    sgd = Sgd(lr_user=0.05, lr_rows=0.03, epochs=2, batch=40)
    return FedMF(MF(ITEMS, DIM, loss, l2=l2), sgd, negatives=4, **options)


def on_host(client: FedMF) -> tuple[Cohort, Messages, Any, Any]:
    """Return cohort and uploads after the kernel's round, and what table and users were before."""
    table = client.recommender.init(DRAWS.child("init"))["item"].numpy()
    phones = np.arange(PHONES)
    private = client.recommender.init_private(DRAWS.child("init"), phones)
    users = private["user"].numpy()
    inbox = Messages(
        "parameters",
        np.full(PHONES, -1),
        phones,
        {"item": table},
        np.ones(PHONES),
        np.zeros(PHONES, np.int64),
    )
    cohort = Cohort(phones, ROUND, {"user": users.copy()})
    return cohort, client.step(cohort, inbox, data(), DRAWS), table, users


def job(client: FedMF, phone: int, table: Any, users: Any) -> LocalTrainingJob:
    mine = data().take(np.array([phone]))
    return training_job_of(client, phone, ROUND, mine, table, users[phone : phone + 1], DRAWS)


def loop(given: LocalTrainingJob) -> dict[str, Any]:
    """Run the step in torch, its outputs fed back, as a runner does."""
    module = training(given.shape).module()
    values = {name: torch.from_numpy(array) for name, array in given.inputs.items()}
    outputs: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for step in range(given.steps):
            now = {n: v[step] if n in BY_STEP else v for n, v in values.items()}
            outputs = module(**now)
            values |= {FEEDBACK[name]: value for name, value in outputs.items()}
    return {name: value.numpy() for name, value in outputs.items()}


@pytest.mark.parametrize("loss", ["log", "bpr", "squared"])
@pytest.mark.parametrize(
    "options",
    [{}, {"upload": "full"}, {"kind": "parameters"}, {"kind": "gradient"}, {"l2": 0.0}],
    ids=str,
)
def test_the_looped_step_ends_where_the_kernel_does(loss: str, options: dict[str, Any]) -> None:
    client = rule(loss, **options)
    cohort, sent, table, users = on_host(client)
    expected = sent.arrays["item"].copy()
    for phone in range(PHONES):
        given = job(client, phone, table, users)
        user = put_back(client, given, table, loop(given), sent, phone)
        np.testing.assert_allclose(user[0], cohort.private["user"][phone], atol=1e-5)
    scale = 1.0 / client.sgd.lr_rows if options.get("kind") == "gradient" else 1.0
    np.testing.assert_allclose(sent.arrays["item"], expected, rtol=0, atol=1e-5 * scale)


def test_a_phone_without_items_trains_nothing() -> None:
    client = rule(l2=0.0)
    _, _, table, users = on_host(client)
    given = job(client, 2, table, users)
    assert given.steps == 1
    assert not given.inputs["mask"].any()
    assert np.array_equal(loop(given)["new_user"], given.inputs["user"])


def test_on_litert_the_step_ends_where_the_kernel_does() -> None:
    client = rule()
    cohort, sent, table, users = on_host(client)
    given = job(client, 0, table, users)
    result = HostRunner().run(
        ModelJob(
            TrainingModels(CACHE / "cache" / "droidloop" / "steps").path(given.shape),
            given.inputs,
            list(FEEDBACK),
            by_step=BY_STEP,
            feedback=FEEDBACK,
            steps=given.steps,
        )
    )
    assert isinstance(result, Ran), result
    start, end = sent.offsets["item"][:2]
    expected = sent.arrays["item"][start:end].copy()
    user = put_back(client, given, table, result.outputs, sent, 0)
    np.testing.assert_allclose(sent.arrays["item"][start:end], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(user[0], cohort.private["user"][0], rtol=0, atol=1e-5)


def test_outputs_of_another_shape_are_not_taken() -> None:
    client = rule()
    _, sent, table, users = on_host(client)
    given = job(client, 0, table, users)
    outputs = loop(given)
    outputs["new_user"] = outputs["new_user"][:, 1:]
    before = sent.arrays["item"].copy()
    with pytest.raises(ValueError, match="trained values are"):
        put_back(client, given, table, outputs, sent, 0)
    assert np.array_equal(sent.arrays["item"], before)


def test_phones_of_one_class_share_a_model(tmp_path: Path) -> None:
    assert shape_of("log", 8, 100, 30, 51, 5) == shape_of("log", 8, 200, 50, 51, 5)
    assert shape_of("log", 8, 300, 30, 51, 5).rows == 512
    assert shape_of("log", 8, 300, 1000, 51, 5).group == 51
    assert shape_of("log", 8, 300, 100, 10**6, 5).group == 128
