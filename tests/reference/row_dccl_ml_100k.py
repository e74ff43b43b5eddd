"""MetaPatch and MoMoDistill on ml-100k; ``dccl.py`` tells what is measured.

Here a phone's patch has not seen the validation events when the test is asked.
"""

from tests.reference.dccl import lines_of, measured, split_of
from tests.reference.movielens import folder
from tests.reference.row import Values

DATA = "ml-100k"
_SEEDS = "the gain of one seed in three is near 0, and the interval reaches below it"
LINES = lines_of(
    DATA,
    {
        "metapatch-over-cloud": _SEEDS,
        "momodistill-over-cloud-few": _SEEDS,
        "momodistill-over-longer-few": _SEEDS,
    },
)


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    from droidloop.models.data.readers import load

    return measured(split_of(load(folder(DATA))), LINES, seed, later=False)
