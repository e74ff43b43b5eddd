"""DCLR on foursquare-nyc: neighbours against isolation and chance, without a server.

Issue 7, check 1: once phones are grouped the server is gone. A line ``a over b`` is the mean over
users of the paired difference after the last tick, on the test part; its ``low`` is the lower end
of the 95 % t interval over users.

``near`` and ``new`` are the rankings of ``foursquare.py``. Not reached, and so without a bar:
neighbours over chance in any ranking, and isolation worst for ``new``. On validation (seeds 11 to
13) all modes put a place new to the user among the best 10 of 201 in 4 to 12 % of cases, the
number of its visitors in 28 %: with neighbours or without, the models learn little of places that
a user does not know. Tried with seed 11 at least, in vain: regions of 0.25 km, common places, 10
links a tick, 16 ticks, other steps, rows weighed by how often they were trained.
"""

from tests.reference.row import Line, at_least

DATA = "foursquare-nyc"
TICKS, LINKS, DIM = 8, 5, 16
MODES = ("place", "category", "chance", "alone")
METRICS = tuple(f"{rank} {m}" for rank in ("all", "near", "new") for m in ("HR@10", "NDCG@10"))
PAIRS = (
    *(("place", "alone"), ("category", "alone"), ("place", "start")),
    *(("place", "chance"), ("category", "chance")),
)

_PLAY = f"{TICKS} ticks, {LINKS} links, no server"


def _short(metric: str) -> str:
    return metric.lower().replace("@10", "").replace(" ", "-")


def _lines() -> dict[str, Line]:
    lines = {}
    for metric in METRICS:
        short = _short(metric)
        lines[f"dclr-start-{short}"] = Line("grouped, not trained", metric)
        for mode in MODES:
            lines[f"dclr-{mode}-{short}"] = Line(_PLAY, metric)
        for one, other in PAIRS:
            name = f"dclr-{one}-over-{other}-{short}"
            barred = other != "chance" and not metric.startswith("new")
            lines[name] = Line(_PLAY, f"{metric} difference")
            lines[f"{name}-low"] = Line(_PLAY, f"{metric} low", at_least(0) if barred else None)
    return lines


LINES = _lines()


def measure(seed: int) -> dict[str, float]:
    """Train the same phones with each kind of neighbours; compare them user by user."""
    import numpy as np

    from droidloop.models.dclr import DCLR
    from droidloop.models.neighbours import NOBODY, by_category, by_chance, by_place
    from droidloop.models.place_phones import PlacePhones
    from droidloop.platform.draws import Draws
    from tests.reference.foursquare import city, interval, judge, play, with_new

    data, draws = city(), Draws(seed, "dclr")
    train = data.split.train
    phones = PlacePhones(data.places, train, np.full(data.n_users, DIM), draws.child("first"))
    pairs = {
        "place": by_place(train, data.places, LINKS),
        "category": by_category(train, data.places, LINKS),
        "chance": by_chance(data.n_users, LINKS, draws.child("chance")),
        "alone": NOBODY,
    }
    found = {"start": with_new(judge(phones, phones.store(), data), data)}
    for mode in MODES:
        store = phones.store()
        rule = DCLR(phones, threads=1)
        play(rule, store, data, pairs[mode], TICKS, draws.child("play"), fan=LINKS)
        found[mode] = with_new(judge(phones, store, data), data)
    values: dict[str, float] = {}
    for metric in METRICS:
        short = _short(metric)
        for mode, by_user in found.items():
            values[f"dclr-{mode}-{short}"] = float(by_user[metric].mean())
        for one, other in PAIRS:
            mean, low, _ = interval(found[one][metric] - found[other][metric])
            values[f"dclr-{one}-over-{other}-{short}"] = mean
            values[f"dclr-{one}-over-{other}-{short}-low"] = low
    return {name: values[name] for name in LINES}
