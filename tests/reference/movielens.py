"""The MovieLens data beside the checkout, split as the published figures have it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from droidloop.models.data.interactions import Interactions
    from droidloop.models.data.split import Split

SHARED = Path(__file__).parents[3] / "shared"
DATA = SHARED / "data"


def folder(name: str) -> Path:
    """Return the folder of a data set; a missing one ends the program with one line."""
    found = DATA / name
    if not found.is_dir():
        raise SystemExit(f"reference: {name} is needed in {SHARED.name}/data/ beside the checkout")
    return found


def ml_100k() -> "Split":
    """Return ml-100k without ratings: latest event test, second latest validation, the rest train.

    Of one second the earlier row of the file is the later event.
    """
    from droidloop.models.data.readers import load
    from droidloop.models.data.split import leave_one_out

    return leave_one_out(implicit(load(folder("ml-100k"))))


def ml_1m(users: int | None = None) -> "Split":
    """Return ml-1m without ratings: test the row of the NCF paper, validation the latest other.

    With *users*, of so many of them, the same always.

    A third of the rows have no time and come before all others, so validation is the latest row
    of known time where the user has one.
    """
    import numpy as np

    from droidloop.models.data.readers import Columns, load, load_flags
    from droidloop.models.data.split import leave_one_out
    from droidloop.platform.draws import Draws

    file = folder("ml-1m") / "interactions.parquet"
    every = load(file, columns=Columns("user", "item", None, "timestamp"))
    tests = load_flags(file, "loo_test")
    if users is not None:
        chosen = Draws(0, "users").choose(np.arange(every.n_users), users, 0)
        mine = np.isin(every.users, chosen)
        every, tests = every.keep(mine), tests[mine]
    return leave_one_out(every, tests)


def implicit(interactions: "Interactions") -> "Interactions":
    """Return *interactions* with every rating 1."""
    import numpy as np

    return replace(interactions, ratings=np.ones(len(interactions)))
