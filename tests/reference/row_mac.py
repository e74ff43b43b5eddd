"""MAC on foursquare-nyc: phones of three sizes that exchange scores, against phones alone.

Figures are of the test questions of ``foursquare.py``, of all phones (``mac``, ``alone``) and by
the size of their models (``mac-8`` and so on). ``alone`` has all its check-ins in every turn and a
step of its own. The steps are those that validation chose for phones alone, with seed 11.

``works``: MAC is not below the strongest baseline in all places, better on first visits than what
is popular near, and for no size below phones alone in all places.
"""

from typing import TYPE_CHECKING, Any

from tests.reference.next_places import figures, lines, pairs_of, simple_pairs

if TYPE_CHECKING:
    pass

DATA, NAME = "foursquare-nyc", "mac"
SEEDS = (1,)
"""The first of three."""
TURNS, LINKS, AGREEMENT = 6, 5, 1.0
STEPS: dict[str, Any] = {"step": 0.05, "step_network": 0.02, "step_visits": 0.03}
SIZES = (8, 16, 32)
BASELINES = ("visits", "visits-then-near", "popular-near")
MODELS = tuple(
    f"{one}{size}" for size in ("", *(f"-{size}" for size in SIZES)) for one in ("mac", "alone")
)
BY_SIZE = [pair for size in SIZES for pair in pairs_of(f"mac-{size}", [f"alone-{size}"])]
PAIRS = [*simple_pairs(["mac"]), *pairs_of("mac", ["alone"]), *BY_SIZE]
_ASKED = {"visits-then-near": "all", "popular-near": "new"} | {f"alone-{s}": "all" for s in SIZES}
VERDICTS = {"works": [pair for pair in PAIRS if _ASKED.get(pair[1]) == pair[2].split()[0]]}
LINES = lines(NAME, (*BASELINES, *MODELS), PAIRS, dict.fromkeys(VERDICTS))


def measure(seed: int) -> dict[str, float]:
    """Train phones of three sizes with neighbours by place and alone; compare user by user."""
    import numpy as np

    from droidloop.models.peer.alike_phones import by_place
    from droidloop.models.peer.mac import MAC
    from droidloop.models.peer.place_phones import PlacePhones
    from droidloop.models.recommenders.next_place import LocalSettings
    from droidloop.platform.draws import Draws
    from tests.reference.foursquare import alone, baselines, city, judge, of_phones, play

    data = city()
    found = {name: 3 * [values] for name, values in baselines(data, BASELINES).items()}
    near = by_place(data.train, data.places, LINKS)
    sizes = np.array(SIZES)[np.arange(data.n_users) % len(SIZES)]
    for one in range(seed, seed + 3):
        draws = Draws(one, "mac")
        phones = PlacePhones(data.places, data.train, sizes, draws.child("first"))
        rule, store = MAC(phones, LocalSettings(**STEPS), AGREEMENT, threads=1), phones.store()
        play(rule, store, data, near, TURNS, draws.child("play"), LINKS)
        for name, values in (
            ("mac", judge(of_phones(phones, store), data)),
            ("alone", alone(data, one, sizes, "mac")),
        ):
            found.setdefault(name, []).append(values)
            for size in SIZES:
                mine = {key: np.where(sizes == size, each, np.nan) for key, each in values.items()}
                found.setdefault(f"{name}-{size}", []).append(mine)
    return figures(NAME, found, PAIRS, VERDICTS)
