"""DCLR on foursquare-nyc: neighbours by place against simple baselines and against phones alone.

Figures are of the test questions of ``foursquare.py``. Once phones are grouped the server is gone;
in each of ``TURNS`` turns every phone averages the models of ``LINKS`` neighbours and trains.
``alone`` is the same phone without neighbours, with all its check-ins in every turn and steps of
its own. Steps and turns were chosen on validation with seed 11, those of ``alone`` apart.

``works``: neighbours by place are not below the strongest baseline and not below phones alone, in
all places, and better on first visits than what is popular near.
"""

from typing import Any

from tests.reference.next_places import figures, lines, pairs_of, simple_pairs

DATA, NAME = "foursquare-nyc", "dclr"
SEEDS = (1,)
"""The first of three."""
LINKS, DIM, TURNS, INFORMATION = 5, 16, 6, 0.1
STEPS: dict[str, Any] = {"step": 0.05, "step_network": 0.05, "step_visits": 0.1}
BASELINES = ("visits", "visits-then-near", "popular-near")
PAIRS = [*simple_pairs(["place"]), *pairs_of("place", ["alone"])]
_ASKED = {"visits-then-near": "all", "alone": "all", "popular-near": "new"}
VERDICTS = {"works": [pair for pair in PAIRS if _ASKED.get(pair[1]) == pair[2].split()[0]]}
LINES = lines(NAME, (*BASELINES, "alone", "place"), PAIRS, dict.fromkeys(VERDICTS))


def measure(seed: int) -> dict[str, float]:
    """Train the same phones with neighbours by place and alone; compare them user by user."""
    import numpy as np

    from droidloop.models.peer.alike_phones import by_place
    from droidloop.models.peer.dclr import DCLR
    from droidloop.models.peer.place_phones import PlacePhones
    from droidloop.models.recommenders.next_place import LocalSettings
    from droidloop.platform.draws import Draws
    from tests.reference.foursquare import Values, alone, baselines, city, judge, of_phones, play

    data = city()
    found: dict[str, list[Values]] = {
        name: 3 * [values] for name, values in baselines(data, BASELINES).items()
    }
    near, sizes = by_place(data.train, data.places, LINKS), np.full(data.n_users, DIM)
    for one in range(seed, seed + 3):
        draws = Draws(one, "dclr")
        phones = PlacePhones(data.places, data.train, sizes, draws.child("first"))
        rule, store = (
            DCLR(phones, LocalSettings(**STEPS), weight=INFORMATION, threads=1),
            phones.store(),
        )
        play(rule, store, data, near, TURNS, draws.child("play"), LINKS)
        found.setdefault("place", []).append(judge(of_phones(phones, store), data))
        found.setdefault("alone", []).append(alone(data, one, DIM))
    return figures(NAME, found, PAIRS, VERDICTS)
