"""Flipped signs: phones send the opposite of what they learned, larger if they like.

The sign-flipping attack: Li et al., RSA: Byzantine-Robust Stochastic Aggregation Methods for
Distributed Learning from Heterogeneous Datasets (AAAI 2019).
"""

from dataclasses import dataclass, replace

from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.transforms import Setting
from droidloop.platform.messages import Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Positive

from .section import SenderSection


class FlippedSignsSection(SenderSection):
    """Phones send the opposite of what they learned."""

    times: Positive = 1.0
    """How much larger than what they learned."""


@dataclass(frozen=True)
class FlippedSigns:
    """The sender: every number that may be negative, times minus *times*."""

    times: float

    def send(self, honest: Messages, form: Form, inbox: Messages | None, number: int) -> Messages:
        """Return the opposite of *honest*."""
        arrays = {
            name: values * values.dtype.type(-self.times) if self._flips(form, name) else values
            for name, values in honest.arrays.items()
        }
        return replace(honest, arrays=arrays)

    @staticmethod
    def _flips(form: Form, name: str) -> bool:
        """Return whether the array *name* holds numbers that may be negative."""
        array = form.arrays.get(name)
        return array is not None and array.dtype.startswith("float") and array.low < 0


def build(section: FlippedSignsSection, setting: Setting) -> FlippedSigns:
    """Return the sender as *section* wants it."""
    return FlippedSigns(section.times)


METHOD = Method(
    kind="sender",
    name="flipped-signs",
    section=FlippedSignsSection,
    build=build,
    source="Li et al.: RSA: Byzantine-Robust Stochastic Aggregation (AAAI 2019)",
    needs={"protocol": frozenset({"sends"})},
)
