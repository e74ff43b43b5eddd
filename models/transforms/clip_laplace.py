"""Clipping and Laplace noise: local differential privacy, with an account of epsilon by phone.

Wu et al., FedGNN: Federated Graph Neural Network for Privacy-Preserving Recommendation (2021):
every number of an upload is clipped to ``clip`` and gets noise of Laplace(0, ``noise``); one
upload costs its phone 2 clip / noise, and uploads add up (sequential composition: Dwork and Roth,
The Algorithmic Foundations of Differential Privacy, 2014, theorem 3.16). Numbers of rows are sent
as they are: which items a phone touched is not hidden by this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.learning import Cost
from droidloop.models.interfaces.transforms import Setting, State, no_cost
from droidloop.platform.arrays import Array, BoolArray, FloatArray, IntArray
from droidloop.platform.draws import Draws, uniform_at
from droidloop.platform.law import kernel
from droidloop.platform.messages import Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Positive, Section
from droidloop.platform.workers import for_chunks

FLOPS_PER_NUMBER = 50
"""Two comparisons, 24 operations of the generator, 20 of a logarithm, 4 to scale and add."""

_SMALLEST = 2.0**-53


class ClipLaplaceSection(Section):
    """Numbers are clipped and get Laplace noise before they leave a phone."""

    clip: Positive = 0.5
    """How large a number may be, or the sum of the magnitudes of a message; see ``of``."""
    noise: Positive = 0.1
    """The scale of the noise, lambda; its variance is 2 lambda^2."""
    of: Literal["number", "message"] = "number"
    """What is clipped, and what one epsilon is for: each number, or a message as a whole."""
    budget: Positive | None = None
    """The epsilon that a phone may spend; without, it is only counted."""


@dataclass
class ClipLaplace:
    """The transform; ``spent`` is the epsilon that each phone has spent."""

    section: ClipLaplaceSection
    draws: Draws
    spent: FloatArray

    @property
    def epsilon(self) -> float:
        """What one message costs: its sensitivity, twice the bound, over the scale."""
        return 2 * self.section.clip / self.section.noise

    def form(self, plain: Form) -> Form:
        """Return *plain*: noise does not change what a message looks like, but for its size."""
        return plain

    def seal(self, messages: Messages, together: IntArray, number: int) -> Messages:
        """Return *messages* clipped, with noise in every floating-point number."""
        arrays = dict(messages.arrays)
        for name, values in messages.arrays.items():
            if values.dtype.kind == "f" and name in messages.offsets:
                arrays[name] = values.copy()
        scale = self._scale(messages)
        for name in sorted(arrays.keys() & messages.offsets.keys()):
            if arrays[name].dtype.kind == "f":
                self._blur(messages, name, arrays[name], scale, number)
        return replace(messages, arrays=arrays)

    def cost(self, messages: Messages) -> Cost:
        """Return the cost of the noise: each number is read and written once."""
        numbers = np.zeros(len(messages), np.int64)
        moved = np.zeros(len(messages), np.int64)
        for name, offsets in messages.offsets.items():
            values = messages.arrays[name]
            if values.dtype.kind == "f":
                mine = np.diff(offsets) * int(np.prod(values.shape[1:], dtype=np.int64))
                numbers += mine
                moved += 2 * values.dtype.itemsize * mine
        return Cost(FLOPS_PER_NUMBER * numbers, moved, np.zeros(len(messages), np.int64))

    def open(self, sealed: Messages, number: int) -> Messages:
        """Return *sealed*: nobody can take noise off."""
        return sealed

    def opening(self, sealed: Messages) -> Cost:
        """Return no cost: nothing is done."""
        return no_cost(sealed)

    def may_send(self, phones: IntArray) -> BoolArray:
        """Return which of *phones* can pay for another message."""
        budget = np.inf if self.section.budget is None else self.section.budget
        # budgets are decimal numbers, of which multiples are not exact
        return np.asarray(self.spent[phones] + self.epsilon <= budget * (1 + 1e-12))

    def left(self, phones: IntArray, number: int) -> None:
        """Book a message of each of *phones*."""
        np.add.at(self.spent, phones, self.epsilon)

    def notes(self) -> Mapping[str, int]:
        """Return epsilon in millionths: of one message, the most that a phone spent, the mean."""
        return {
            "epsilon_message_ppm": round(1e6 * self.epsilon),
            "epsilon_most_ppm": round(1e6 * float(self.spent.max(initial=0.0))),
            "epsilon_mean_ppm": round(1e6 * float(self.spent.mean())) if len(self.spent) else 0,
        }

    def state(self) -> State:
        """Return the account."""
        return {"spent": self.spent}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on with the account in *state*."""
        self.spent[:] = state["spent"]

    def _scale(self, messages: Messages) -> FloatArray:
        """Return what each message is multiplied by, so that its magnitudes sum to the bound."""
        if self.section.of == "number":
            return np.ones(len(messages))
        total = np.zeros(len(messages))
        for name, offsets in messages.offsets.items():
            values = messages.arrays[name]
            if values.dtype.kind == "f":
                axes = tuple(range(1, values.ndim))
                each = np.abs(values.astype(np.float64)).sum(axis=axes)
                sums = np.concatenate([[0.0], np.cumsum(each)])
                total += sums[offsets[1:]] - sums[offsets[:-1]]
        return self.section.clip / np.maximum(total, self.section.clip)

    def _blur(
        self, messages: Messages, name: str, values: Array, scale: FloatArray, number: int
    ) -> None:
        flat = values.reshape(len(values), int(np.prod(values.shape[1:], dtype=np.int64)))
        bound = self.section.clip if self.section.of == "number" else np.inf
        key, noise = self.draws.child(f"{name}/{number}").key, self.section.noise
        senders, offsets = messages.sender, messages.offsets[name]

        def work(low: int, high: int) -> None:
            _blur(low, high, flat, offsets, senders, key, scale, bound, noise)

        for_chunks(work, len(messages), None)


@kernel
def _blur(
    low: int,
    high: int,
    values: Array,
    offsets: IntArray,
    senders: IntArray,
    key: np.uint64,
    scale: FloatArray,
    bound: float,
    noise: float,
) -> None:
    width = values.shape[1]
    for k in range(low, high):
        for t in range(offsets[k], offsets[k + 1]):
            for j in range(width):
                value = min(max(np.float64(values[t, j]) * scale[k], -bound), bound)
                place = (t - offsets[k]) * width + j
                half = uniform_at(key, senders[k], place) - 0.5
                size = -noise * np.log(max(1.0 - 2.0 * abs(half), _SMALLEST))
                values[t, j] = value + size if half >= 0 else value - size


def build(section: ClipLaplaceSection, setting: Setting) -> ClipLaplace:
    """Return the transform as *section* wants it, with an empty account."""
    return ClipLaplace(section, setting.draws.child("laplace"), np.zeros(setting.phones))


METHOD = Method(
    kind="transform",
    name="clip-laplace",
    section=ClipLaplaceSection,
    build=build,
    source="Wu et al.: FedGNN (2021); Dwork, Roth: The Algorithmic Foundations of DP (2014)",
    gives=frozenset({"sender-side"}),
    needs={"protocol": frozenset({"sends"})},
    accepts={"rule": frozenset({"server", "own-table"})},
)
