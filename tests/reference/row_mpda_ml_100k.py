"""MPDA with DIN on ml-100k: AUC by user against the cloud model and against tuning alone.

The cloud trains DIN on the oldest 80 % of each user's events; a phone has those and the next 10 %,
of which the latest ninth of what it has judges pools; AUC is on the latest 10 %. In each turn a
phone is offered three pools of 100 samples, each of one other user: the most similar ones by what
they liked and did not (``similar``), or users at random (``random``).
"""

from tests.reference.adaptation import rated_ml_100k
from tests.reference.row import Line, at_least

DATA = "ml-100k"
NAME = "mpda-ml-100k"
TURNS, POOLS, SIZE, LENGTH, RATE = 4, 3, 100, 30, 0.03
LINES = {
    f"{NAME}-{who}": Line(f"time-ordered, {who}", "AUC by user")
    for who in ("cloud", "local", "similar", "random")
} | {
    f"{NAME}-{who}-kept": Line(f"time-ordered, {who}", "share kept")
    for who in ("similar", "random")
}
LINES |= {
    f"{NAME}-over-{who}": Line(f"time-ordered, similar less {who}", "AUC more", at_least(0.0))
    for who in ("cloud", "local", "random")
}


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed."""
    import numpy as np

    from droidloop.models.ctr import user_auc
    from droidloop.models.din import DIN
    from droidloop.models.din_kernels import network_scores, networks_of, readings_of
    from droidloop.models.din_training import train_din
    from droidloop.models.mpda import MPDA, mpda_store, propose, similar_users, tastes_of
    from droidloop.platform.draws import Draws

    data, draws = rated_ml_100k(LENGTH), Draws(seed, "mpda")
    din = DIN(data.n_items, data.fields, dim=8, hidden=16, length=LENGTH)
    cloud = train_din(din, data.train, data.valid, draws, epochs=15, decay=1e-3, patience=3)
    phones, test = np.arange(data.local.n_users), data.test
    readings = readings_of(din, cloud, test.items, test.history)

    def by_user(networks: np.ndarray) -> float:
        return user_auc(test, network_scores(networks, readings, test)).means()["auc"]

    values = {f"{NAME}-cloud": by_user(networks_of(din, cloud))}
    near = similar_users(tastes_of(din, cloud, data.train), TURNS * POOLS)
    far = [
        draws.child("any").choose(phones[phones != k], TURNS * POOLS, k) for k in phones.tolist()
    ]
    for who, donors in (("local", None), ("similar", near), ("random", np.stack(far))):
        rule, store = MPDA(din, cloud, rate=RATE, threads=1), mpda_store(din, cloud)
        for turn in range(TURNS):
            inbox = None
            if donors is not None:
                now = donors[:, turn * POOLS : (turn + 1) * POOLS]
                inbox = propose(data.train, phones, now, SIZE, draws.child("pools"))
            rule.learn(phones, inbox, store, data.local, turn, draws.child("turns"))
        values[f"{NAME}-{who}"] = by_user(store.columns["network"])
        if donors is not None:
            kept = store.columns["kept"].sum() / store.columns["offered"].sum()
            values[f"{NAME}-{who}-kept"] = float(kept)
    return values | {
        f"{NAME}-over-{who}": values[f"{NAME}-similar"] - values[f"{NAME}-{who}"]
        for who in ("cloud", "local", "random")
    }
