"""DCLR on foursquare-nyc: neighbours against isolation and chance, without a server.

Issue 7, check 1: once phones are grouped the server is gone. A line ``a over b`` is the mean over
users of the paired difference after the last tick, on the test part; its ``low`` is the lower end
of the 95 % t interval over users.
"""

from tests.reference.row import Line, at_least

DATA = "foursquare-nyc"
TICKS, LINKS, DIM = 8, 5, 16
MODES = ("place", "category", "chance", "alone")
METRICS = ("all HR@10", "all NDCG@10", "near HR@10", "near NDCG@10")

_PLAY = f"{TICKS} ticks, {LINKS} links, no server"


def _lines() -> dict[str, Line]:
    lines = {}
    for metric in METRICS:
        short = metric.lower().replace("@10", "").replace(" ", "-")
        lines[f"dclr-start-{short}"] = Line("grouped, not trained", metric)
        for mode in MODES:
            lines[f"dclr-{mode}-{short}"] = Line(_PLAY, metric)
        for one, other in (("place", "alone"), ("category", "alone"), ("place", "start")):
            name = f"dclr-{one}-over-{other}-{short}-low"
            lines[name] = Line(_PLAY, f"{metric} low", at_least(0))
        for one in ("place", "category"):
            lines[f"dclr-{one}-over-chance-{short}"] = Line(_PLAY, f"{metric} difference")
            lines[f"dclr-{one}-over-chance-{short}-low"] = Line(_PLAY, f"{metric} low")
    return lines


LINES = _lines()


def measure(seed: int) -> dict[str, float]:
    """Train the same phones with each kind of neighbours; compare them user by user."""
    import numpy as np

    from droidloop.models.dclr import DCLR
    from droidloop.models.neighbours import NOBODY, by_category, by_chance, by_place
    from droidloop.models.place_phones import PlacePhones
    from droidloop.platform.draws import Draws
    from tests.reference.foursquare import city, interval, judge, play

    data, draws = city(), Draws(seed, "dclr")
    train = data.split.train
    phones = PlacePhones(data.places, train, np.full(data.n_users, DIM), draws.child("first"))
    pairs = {
        "place": by_place(train, data.places, LINKS),
        "category": by_category(train, data.places, LINKS),
        "chance": by_chance(data.n_users, LINKS, draws.child("chance")),
        "alone": NOBODY,
    }
    found = {"start": judge(phones, phones.store(), data)}
    for mode in MODES:
        store = phones.store()
        rule = DCLR(phones, threads=1)
        play(rule, store, data, pairs[mode], TICKS, draws.child("play"), fan=LINKS)
        found[mode] = judge(phones, store, data)
    values: dict[str, float] = {}
    for metric in METRICS:
        short = metric.lower().replace("@10", "").replace(" ", "-")
        for mode, by_user in found.items():
            values[f"dclr-{mode}-{short}"] = float(by_user[metric].mean())
        for one, other in (
            *(("place", "alone"), ("category", "alone"), ("place", "start")),
            *(("place", "chance"), ("category", "chance")),
        ):
            mean, low, _ = interval(found[one][metric] - found[other][metric])
            values[f"dclr-{one}-over-{other}-{short}"] = mean
            values[f"dclr-{one}-over-{other}-{short}-low"] = low
    return {name: values[name] for name in LINES}
