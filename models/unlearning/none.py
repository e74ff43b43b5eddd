"""Nothing is unlearned: what was made of the phone's uploads stays in the model."""

from droidloop.platform.registry import Method
from droidloop.platform.section import Section

from .unlearner import Unlearner


class NoneSection(Section):
    """A phone that asks to be forgotten is erased, what it has taught the others is not."""


METHOD = Method(
    kind="unlearning",
    name="none",
    section=NoneSection,
    build=lambda section, learning: Unlearner(learning),
)
