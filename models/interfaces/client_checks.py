"""What client rules that train on one broadcast check before they start, in one place."""

from collections.abc import Mapping

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.messages import Messages

from .learning import Cohort


def received(
    cohort: Cohort, inbox: Messages | None, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Array], IntArray]:
    """Return the arrays that all phones of *cohort* received, contiguous float32, and the versions.

    Raises:
        ValueError: an array of *shapes* is absent, not one for all phones, or of another shape,
            or the inbox is not addressed to the phones of the cohort, in order.
    """
    arrays = {} if inbox is None else inbox.arrays
    for name, shape in shapes.items():
        alone = inbox is not None and name in arrays and name not in inbox.offsets
        if not alone or arrays[name].shape != shape:
            raise ValueError(f"a phone needs one table {name!r} of shape {shape} for all phones")
    if inbox is None or not np.array_equal(inbox.receiver, cohort.phones):
        raise ValueError("the inbox is not addressed to the phones of the cohort, in order")
    return {name: np.ascontiguousarray(arrays[name], np.float32) for name in shapes}, inbox.base


def check_local(cohort: Cohort, data: UserItems, n_items: int) -> None:
    """Check that *data* are of *cohort*, row by row, and hold items 0..*n_items*-1.

    Raises:
        ValueError: they do not.
    """
    if data.n_users != len(cohort):
        raise ValueError(f"{data.n_users} rows of data for {len(cohort)} phones")
    if data.items.min(initial=0) < 0 or data.items.max(initial=0) >= n_items:
        raise ValueError(f"data holds items outside 0..{n_items - 1}")
