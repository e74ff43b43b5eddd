"""DCLR on foursquare-nyc: neighbours against simple baselines, phones alone, and random neighbours.

Figures are of the test questions of ``foursquare.py``. Once phones are grouped the server is gone;
in each of ``TURNS`` turns every phone averages the models of ``LINKS`` neighbours and trains.
``alone`` is the same phone without neighbours, with all its check-ins in every turn and a step of
its own; ``start`` is what the server leaves: popularity near the place, and the weights with which
visits begin. Steps and turns were chosen on validation with seed 11, those of ``alone`` apart.

``works``: neighbours by place are not below the strongest baseline and not below phones alone, in
all places, and better on first visits than what is popular near. ``place-matters``: they are not
below random neighbours.
"""

from tests.reference.next_places import figures, lines, pairs_of, simple_pairs

DATA, NAME = "foursquare-nyc", "dclr"
SEEDS = (1,)
"""The first of three."""
LINKS, DIM, TURNS, INFORMATION = 5, 16, 6, 0.1
STEPS = {"step": 0.05, "step_network": 0.05, "step_visits": 0.1}
BASELINES = ("visits", "visits-then-near", "popular-near")
MODES = ("place", "chance")
PAIRS = [*simple_pairs(["place"]), *pairs_of("place", ("alone", "chance", "start"))]
_ASKED = {"visits-then-near": "all", "alone": "all", "popular-near": "new"}
VERDICTS = {
    "works": [pair for pair in PAIRS if _ASKED.get(pair[1]) == pair[2].split()[0]],
    "place-matters": [pair for pair in PAIRS if pair[1] == "chance"],
}
LINES = lines(*(NAME, (*BASELINES, "start", "alone", *MODES), PAIRS), dict.fromkeys(VERDICTS))


def measure(seed: int) -> dict[str, float]:
    """Train the same phones with each kind of neighbours; compare them user by user."""
    import numpy as np

    from droidloop.models.peer.alike_phones import by_chance, by_place
    from droidloop.models.peer.dclr import DCLR
    from droidloop.models.peer.place_phones import PlacePhones
    from droidloop.models.recommenders.next_place import Practice
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
        start = judge(of_phones(phones, phones.store()), data)
        found.setdefault("start", []).append(start)
        found.setdefault("alone", []).append(alone(data, one, DIM))
        pairs = {"place": near, "chance": by_chance(data.n_users, LINKS, draws.child("chance"))}
        for mode in MODES:
            store = phones.store()
            rule = DCLR(phones, Practice(**STEPS), weight=INFORMATION, threads=1)
            play(rule, store, data, pairs[mode], TURNS, draws.child("play"), LINKS)
            found.setdefault(mode, []).append(judge(of_phones(phones, store), data))
    return figures(NAME, found, PAIRS, VERDICTS)
