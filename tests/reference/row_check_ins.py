"""The next place on foursquare-nyc: simple baselines, and the model in one place and on phones.

Figures are of the test questions of ``foursquare.py``. Each baseline has the setting that was best
on validation. ``central`` is the next-place model trained on everybody's check-ins in one place;
``alone`` the same model on each phone, which begins with what the server knows of places and learns
from its own training check-ins, all of them in every turn. Steps, passes and turns were chosen on
validation with seed 11. ``central-works``: the model is not below own visit counts, nor below the
strongest baseline, in all places, and better on first visits than what is popular near.
"""

from tests.reference.next_places import figures, lines, simple_pairs

DATA, NAME = "foursquare-nyc", "check-ins"
SEEDS = (1,)
"""The first of three."""
DIM = 16
BASELINES = (
    *("popularity", "popular-near", "popular-near-home"),
    *("visits", "visits-by-hour", "visits-by-age", "visits-then-near"),
)
LEARNED = ("central", "alone")
PAIRS = simple_pairs(LEARNED)
VERDICTS = {f"{one}-works": [pair for pair in PAIRS if pair[0] == one] for one in LEARNED}
LINES = lines(
    *(NAME, (*BASELINES, *LEARNED), PAIRS),
    dict.fromkeys(VERDICTS),
)


def measure(seed: int) -> dict[str, float]:
    """Return the figures of seeds *seed* to *seed* + 2."""
    from tests.reference.foursquare import Values, alone, baselines, central, city

    data = city()
    found: dict[str, list[Values]] = {
        name: 3 * [values] for name, values in baselines(data, BASELINES).items()
    }
    for name, learn in (("central", central), ("alone", alone)):
        found[name] = [learn(data, one, DIM) for one in range(seed, seed + 3)]
    return figures(NAME, found, PAIRS, VERDICTS)
