"""What an upload weighs by its age: how many versions the server has made since it was sent out."""

from collections.abc import Callable

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray

Staleness = Callable[[IntArray], FloatArray]
"""Returns a factor for messages that are so many versions old; 0 refuses them."""


def within(versions: int) -> Staleness:
    """Return a staleness that takes what is at most so many *versions* old, at full weight."""
    return lambda age: (age <= versions).astype(np.float64)


def fading(power: float, versions: int) -> Staleness:
    """Return a staleness of (1 + age)^-power up to an age of *versions*, then 0.

    Xie et al., Asynchronous Federated Optimization (2019), the polynomial function.
    """
    return lambda age: np.where(age <= versions, (1.0 + age) ** -power, 0.0)
