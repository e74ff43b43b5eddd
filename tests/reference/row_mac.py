"""MAC on foursquare-nyc: phones of three sizes that exchange scores, against isolation.

Every size gains. ``low`` is the lower end of the 95 % t interval over the users
of that size of the paired difference.
"""

from tests.reference.row import Line, at_least

DATA = "foursquare-nyc"
TICKS, LINKS = 8, 5
SIZES = (8, 16, 32)
METRICS = ("all HR@10", "all NDCG@10", "near HR@10", "near NDCG@10")

_PLAY = f"{TICKS} ticks, {LINKS} links by place, scores alone"


def _lines() -> dict[str, Line]:
    lines = {}
    for metric in METRICS:
        short = metric.lower().replace("@10", "").replace(" ", "-")
        for size in SIZES:
            name = f"mac-{size}-{short}"
            lines[name] = Line(_PLAY, metric)
            lines[f"{name}-alone"] = Line(_PLAY, metric)
            bar = at_least(0) if metric.startswith("near") else None
            lines[f"{name}-over-alone"] = Line(_PLAY, f"{metric} difference", bar)
            lines[f"{name}-over-alone-low"] = Line(_PLAY, f"{metric} low")
    return lines


LINES = _lines()


def measure(seed: int) -> dict[str, float]:
    """Train phones of three sizes with neighbours by place and alone; compare user by user."""
    import numpy as np

    from droidloop.models.peer.alike_phones import NOBODY, by_place
    from droidloop.models.peer.mac import MAC
    from droidloop.models.peer.place_phones import PlacePhones
    from droidloop.platform.draws import Draws
    from tests.reference.foursquare import city, interval, judge, play

    data, draws = city(), Draws(seed, "mac")
    dims = np.array(SIZES)[draws.child("dims").integers(np.arange(data.n_users), 0, len(SIZES))]
    phones = PlacePhones(data.places, data.split.train, dims, draws.child("first"))
    rule = MAC(phones, threads=1)
    found = []
    for pairs in (by_place(data.split.train, data.places, LINKS), NOBODY):
        store = phones.store()
        play(rule, store, data, pairs, TICKS, draws.child("play"), fan=LINKS)
        found.append(judge(phones, store, data))
    values: dict[str, float] = {}
    for metric in METRICS:
        short = metric.lower().replace("@10", "").replace(" ", "-")
        for size in SIZES:
            mine = dims == size
            together, alone = (by_user[metric][mine] for by_user in found)
            name = f"mac-{size}-{short}"
            mean, low, _ = interval(together - alone)
            values |= {name: float(together.mean()), f"{name}-alone": float(alone.mean())}
            values |= {f"{name}-over-alone": mean, f"{name}-over-alone-low": low}
    return values
