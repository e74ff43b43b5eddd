"""The next-place model trained in one place: it learns, and keeps its best pass."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from droidloop.models.data.places import counted
from droidloop.models.data.split import leave_one_out
from droidloop.models.data.synthetic_check_ins import generate_check_ins
from droidloop.models.peer.places_together import PlacesTogether, train_together
from droidloop.models.recommenders.next_place import LocalSettings
from droidloop.platform.arrays import Float32Array
from droidloop.platform.draws import Draws

DRAWS = Draws(31, "together")
EVENTS, TOWN = generate_check_ins(80, 60, 20, DRAWS)
SPLIT = leave_one_out(EVENTS)
PLACES = counted(TOWN, SPLIT.train)
USERS = np.arange(80)


def told(model: PlacesTogether) -> float:
    """Return the mean logarithm of the probability of the validation places."""
    scores = model.scores(USERS, SPLIT.history("valid"), SPLIT.moments("valid"))
    return float(scores[USERS, SPLIT.valid.items].mean())


PRACTICE = LocalSettings(0.02, 0.01, 0.01, negatives=31)


def trained(passes: int) -> PlacesTogether:
    return train_together(PLACES, SPLIT.train, 8, DRAWS, None, PRACTICE, passes)


def test_passes_over_everybodys_visits_teach_and_give_the_same_bytes_again() -> None:
    before, after = trained(0), trained(3)
    assert told(after) > told(before) + 0.02
    again = trained(3)
    for name, column in after.store.columns.items():
        assert column.tobytes() == again.store.columns[name].tobytes()
    assert after.users.tobytes() == again.users.tobytes()


def noting(users: list[Float32Array], *qualities: float) -> Callable[[PlacesTogether], float]:
    """Return what notes the private parts after each pass, and calls the passes so good."""

    def quality(model: PlacesTogether) -> float:
        users.append(model.users.copy())
        return qualities[len(users) - 1]

    return quality


def test_the_best_pass_is_kept() -> None:
    users: list[Float32Array] = []
    quality = noting(users, 0.2, 0.5, 0.3, 0.4)
    kept = train_together(PLACES, SPLIT.train, 8, DRAWS, quality, PRACTICE, 4)
    assert kept.users.tobytes() == users[1].tobytes()
    assert kept.users.tobytes() != users[3].tobytes()


def test_steps_fall_from_pass_to_pass_towards_none() -> None:
    model = trained(0)
    users = [model.users.copy()]
    train_together(PLACES, SPLIT.train, 8, DRAWS, noting(users, 0, 1, 2, 3, 4), PRACTICE, 4)
    moved = [float(np.abs(after - before).mean()) for before, after in pairwise(users)]
    assert moved == sorted(moved, reverse=True)
    model.epoch(SPLIT.train, DRAWS, 0.0)
    assert model.users.tobytes() == users[0].tobytes()


def test_users_differ_in_what_is_private_alone() -> None:
    model = trained(2)
    same = SPLIT.history("valid").take(np.array([3, 3]))
    scores = model.scores(np.array([3, 5]), same, SPLIT.moments("valid")[[3, 3]])
    assert (scores[0] != scores[1]).any()
    model.users[5] = model.users[3]
    scores = model.scores(np.array([3, 5]), same, SPLIT.moments("valid")[[3, 3]])
    assert (scores[0] == scores[1]).all()
