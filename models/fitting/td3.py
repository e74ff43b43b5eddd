"""TD3: an actor and two critics for actions between 0 and 1, off-policy.

Fujimoto, van Hoof, Meger: Addressing Function Approximation Error in Actor-Critic Methods (ICML
2018): the smaller of two critics is believed, targets are smoothed by noise, the actor moves every
second time.
"""

from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.interfaces.learning import Params
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws

_LAYERS = ("in", "in_bias", "out", "out_bias")


@dataclass(frozen=True)
class Rates:
    """The constants; tau and the batch are those of CIESS, the rest of TD3's paper or ours.

    Attributes:
        hidden: width of each network's layer.
        lr: of Adam.
        discount: of later rewards.
        tau: how fast targets follow.
        batch: transitions in an update.
        smoothing: noise of a target's action, and the most it may be.
        updates: in each turn.
        calm: weight of the squares of the actor's logits, lest it end where nothing moves it; ours.
    """

    hidden: int = 32
    lr: float = 3e-3
    discount: float = 0.2
    tau: float = 0.005
    batch: int = 4096
    smoothing: tuple[float, float] = (0.1, 0.2)
    updates: int = 20
    calm: float = 0.01


class TD3:
    """The networks, and all transitions so far."""

    def __init__(self, state: int, draws: Draws, rates: Rates) -> None:
        self._draws, self._rates, self._number = draws, rates, 0
        self._actor = _network(draws.child("actor"), state, rates.hidden)
        self._critics = [
            _network(draws.child(f"critic/{k}"), state + 1, rates.hidden) for k in range(2)
        ]
        self._targets = [_copy(one) for one in (self._actor, *self._critics)]
        moved = ([*self._actor.values()], [v for one in self._critics for v in one.values()])
        self._steps = [torch.optim.Adam(values, lr=rates.lr) for values in moved]
        self._buffer: list[tuple[torch.Tensor, ...]] = []

    def act(self, states: Array) -> Array:
        """Return the action of each of *states* (n, state), (n,)."""
        with torch.no_grad():
            action: Array = _acted(self._actor, _tensor(states)).numpy()
        return action

    def value(self, states: Array, actions: Array) -> Array:
        """Return what the smaller critic makes of *actions* (n,) in *states*."""
        with torch.no_grad():
            pairs = _joined(_tensor(states), _tensor(actions))
            found: Array = torch.minimum(*(_run(one, pairs) for one in self._critics)).numpy()
        return found

    def remember(self, states: Array, actions: Array, rewards: Array, after: Array) -> None:
        """Keep a transition of each of n: *states* and *after* are (n, state), others (n,)."""
        self._buffer.append(tuple(_tensor(one) for one in (states, actions, rewards, after)))

    def learn(self) -> None:
        """Update the networks on batches of what is remembered."""
        every = [torch.cat(one) for one in zip(*self._buffer, strict=True)]
        for _ in range(self._rates.updates):
            self._number += 1
            rows = self._draws.child("batch").integers(
                np.arange(min(self._rates.batch, len(every[0]))), self._number, len(every[0])
            )
            self._update(*(one[torch.from_numpy(rows)] for one in every))

    def _update(
        self,
        states: torch.Tensor,
        actions: torch.Tensor,
        rewards: torch.Tensor,
        after: torch.Tensor,
    ) -> None:
        sd, most = self._rates.smoothing
        with torch.no_grad():
            noise = self._draws.child("smooth").normal(np.arange(len(after)), self._number) * sd
            smooth = _acted(self._targets[0], after) + _tensor(noise).clamp(-most, most)
            pairs = _joined(after, smooth.clamp(0, 1))
            later = torch.minimum(*(_run(one, pairs) for one in self._targets[1:]))
            wanted = rewards + self._rates.discount * later
        pairs = _joined(states, actions)
        loss = torch.stack([(_run(one, pairs) - wanted).square().mean() for one in self._critics])
        _descend(self._steps[1], loss.sum())
        if self._number % 2 == 0:
            logits = _run(self._actor, states)
            worth = _run(self._critics[0], _joined(states, torch.sigmoid(logits))).mean()
            _descend(self._steps[0], self._rates.calm * logits.square().mean() - worth)
            for target, now in zip(self._targets, (self._actor, *self._critics), strict=True):
                for name, value in target.items():
                    value.lerp_(now[name].detach(), self._rates.tau)


def _network(draws: Draws, inputs: int, hidden: int) -> Params:
    shapes = ((inputs, hidden), (1, hidden), (hidden, 1), (1, 1))
    made = {}
    for name, (rows, columns) in zip(_LAYERS, shapes, strict=True):
        sd = 0.0 if name.endswith("bias") else rows**-0.5
        values = normal_rows(draws.child(name), np.arange(rows), columns, sd)
        made[name] = torch.from_numpy(values).requires_grad_(True)
    return made


def _copy(network: Params) -> Params:
    return {name: value.detach().clone() for name, value in network.items()}


def _run(network: Params, inputs: torch.Tensor) -> torch.Tensor:
    hidden = torch.relu(inputs @ network["in"] + network["in_bias"])
    return (hidden @ network["out"] + network["out_bias"])[:, 0]


def _acted(actor: Params, states: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(_run(actor, states))


def _joined(states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    return torch.cat([states, actions[:, None]], dim=1)


def _descend(steps: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    steps.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    steps.step()


def _tensor(values: Array) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, np.float32))
