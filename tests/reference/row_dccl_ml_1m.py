"""MetaPatch and MoMoDistill on 2,000 users of ml-1m; ``dccl.py`` tells what is measured.

Events are the ratings of 4 and 5, whose times are all known. When the test is asked, phones have
their validation events, too: all that came before the question. Settings are those of the row
dccl-ml-100k, and both were set before any test figure of these users was seen; the row was made
after the test of ml-100k had left the question open.
"""

import numpy as np

from tests.reference.dccl import lines_of, measured, split_of
from tests.reference.movielens import folder
from tests.reference.row import Values

DATA, USERS = "ml-1m", 2000
LINES = lines_of(
    DATA,
    {
        "metapatch-over-cloud": "the interval reaches below 0, and tuning gains more",
        "momodistill-over-cloud-few": "the interval of three seeds reaches below 0",
        "momodistill-over-longer-few": "longer training alone helps the long tail as much",
    },
)


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    from droidloop.models.data.readers import Columns, load, load_flags
    from droidloop.platform.draws import Draws

    file = folder(DATA) / "interactions.parquet"
    every = load(file, columns=Columns("user", "item", None, "timestamp"))
    likes = every.keep(load_flags(file, "ge4"))
    chosen = Draws(0, "users").choose(np.arange(likes.n_users), USERS, 0)
    return measured(split_of(likes.keep(np.isin(likes.users, chosen))), LINES, seed, later=True)
