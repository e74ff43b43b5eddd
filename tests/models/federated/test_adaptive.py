from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from droidloop.models.federated.adaptive import adam, fed_adam
from droidloop.models.federated.folds import Fold
from droidloop.models.interfaces.learning import Params
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from tests.contracts.server_rule import ServerRuleContract, bits

Make = Callable[[Params], Fold]
DRAWS = Draws(37, "adaptive")
N, DIM = 6, 3


def params() -> Params:
    return {"item": torch.from_numpy(DRAWS.normal(np.arange(N)[:, None], np.arange(DIM))).float()}


def uploads(version: int = 0) -> Messages:
    """Three messages of rows (0, 2), (2, 3, 5) and (2), weights 1, 2 and 5."""
    rows, draws = np.array([0, 2, 2, 3, 5, 2]), DRAWS.child(version)
    return Messages(
        kind="gradient",
        sender=np.arange(3),
        receiver=np.full(3, SERVER),
        arrays={"item": draws.normal(np.arange(6)[:, None], np.arange(DIM)).astype(np.float32)},
        weight=np.array([1.0, 2.0, 5.0]),
        base=np.full(3, version),
        rows={"item": rows},
        offsets={"item": np.array([0, 2, 5, 6])},
    )


class TestAdam(ServerRuleContract):
    server = staticmethod(lambda: adam(params(), l2=0.1))
    uploads = staticmethod(uploads)


class TestFedAdam(ServerRuleContract):
    server = staticmethod(lambda: fed_adam(params()))
    uploads = staticmethod(lambda: replace(uploads(), kind="delta"))


def dense(messages: Messages, weights: list[float]) -> Array:
    """Return the weighted sum of the rows of *messages* as a table, in float64."""
    table = np.zeros((N, DIM))
    per_row = np.repeat(np.array(weights), np.diff(messages.offsets["item"]))
    values = messages.arrays["item"].astype(np.float64)
    np.add.at(table, messages.rows["item"], per_row[:, None] * values)
    return table


def test_adam_takes_the_steps_of_torchs_adam_on_the_summed_gradients() -> None:
    table = params()["item"].double().requires_grad_()
    optimizer = torch.optim.Adam([table], lr=0.02)
    server = adam(params(), 0.02, l2=0.05)
    for version in range(6):
        messages = uploads(version)
        table.grad = torch.from_numpy(dense(messages, [1, 1, 1])) + 2 * 0.05 * table.detach()
        optimizer.step()
        assert server.absorb(messages).all()
        server.close()
        torch.testing.assert_close(
            server.params["item"].double(), table.detach(), atol=1e-6, rtol=0
        )


def test_fed_adam_is_algorithm_two_of_its_paper() -> None:
    x, m, v = params()["item"].double().numpy(), np.zeros((N, DIM)), np.zeros((N, DIM))
    server = fed_adam(params(), 0.02, beta1=0.8, beta2=0.95, tau=0.01)
    for version in range(6):
        messages = replace(uploads(version), kind="delta")
        mean = dense(messages, [1 / 8, 2 / 8, 5 / 8])
        m, v = 0.8 * m + 0.2 * mean, 0.95 * v + 0.05 * mean**2
        x = x + 0.02 * m / (np.sqrt(v) + 0.01)
        assert server.absorb(messages).all()
        server.close()
        np.testing.assert_allclose(server.params["item"].numpy(), x, atol=1e-6)


@pytest.mark.parametrize("make", [adam, fed_adam])
def test_moments_outlive_a_step_that_nobody_finished(make: Make) -> None:
    servers = [make(params()) for _ in range(2)]
    for server in servers:
        server.absorb(uploads(0))
        server.close()
    servers[1].close()  # nobody
    for server in servers:
        server.absorb(uploads(1))
        server.close()
    assert bits(servers[0]) == bits(servers[1])


@pytest.mark.parametrize("make", [adam, fed_adam])
def test_two_servers_do_not_share_their_moments(make: Make) -> None:
    first = make(params())
    first.absorb(uploads(0))
    first.close()
    second = make(params())
    second.absorb(uploads(0))
    second.close()
    assert bits(first) == bits(second)


def test_users_without_items_alone_do_not_divide_by_zero() -> None:
    server = fed_adam(params())
    assert server.absorb(replace(uploads(), weight=np.zeros(3))).all()
    server.close()
    assert torch.equal(server.params["item"], params()["item"])
