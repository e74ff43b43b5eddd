"""ODUpdate on ml-1m in time: how much of what full retraining gains an update of few bytes keeps.

Events are the ratings of 4 and 5, whose times are all known. The first model has seen the oldest 5
% of them, the retrained one the oldest half; both are iALS of 64 numbers, the second begins where
the first ended. Phones have the first one's codes (8 codebooks of 32 codewords). Judged are users
with events after that half: of each user's last tenth (test) or the tenth before (validation),
what came after it, among all items, NDCG@10. A phone fits its user's vector to all that its user
had before, by whichever items' vectors it has, so the old model knows as much of users as the new
one.

``whole`` are new codes for the retrained model, sent whole; ``dense`` its vectors in float32. An
update has 1/60 of the bytes of the dense table (``60``), 1/30 of them, or 1/60 of what
the codes take (``codes-60``). Settings were chosen on validation with seed 11.
"""

from typing import TYPE_CHECKING, Any

from tests.reference.movielens import folder
from tests.reference.row import Bar, Line, Values, at_least

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.models.data.split import Part, Split
    from droidloop.platform.arrays import Float32Array, FloatArray

DATA = "ml-1m"
FIRST, THEN = 0.05, 0.5
"""The shares of the events, in time, that the two models have seen."""
DIM, ALPHA, L2, SWEEPS = 64, 4.0, 0.01, 8
BOOKS, WORDS = 8, 32
STRENGTH = 0.8
KEEPS = 0.95
UPDATES = ("60", "30", "codes-60")
_PLAY = "in time, all items"
LINES = {
    f"od-update-{name}-ml-1m": Line(_PLAY, "NDCG@10")
    for name in ("old", "dense", "whole", *UPDATES)
}
LINES |= {"od-update-gain-ml-1m": Line(f"{_PLAY}, whole less old", "NDCG@10", at_least(0.0))}
LINES |= {
    f"od-update-{name}-kept-ml-1m": Line(
        f"{_PLAY}, gain less 0.95 of the whole's",
        "NDCG@10",
        at_least(0.0),
        because="three quarters of the codewords stay those of vectors that have all moved",
    )
    for name in UPDATES
}
LINES |= {f"od-update-{name}-bytes-ml-1m": Line("of the update", "bytes") for name in UPDATES}
LINES |= {"od-update-bits-ml-1m": Line("phone's and server's", "bytes that differ", Bar(0, 0))}


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    found, sizes, differ = one_seed(seed, "test")
    gain = found["whole"] - found["old"]
    kept = [found[name] - found["old"] - KEEPS * gain for name in UPDATES]
    values: list[Any] = [
        *found.values(),
        gain,
        *kept,
        *(float(sizes[name]) for name in UPDATES),
        differ,
    ]
    return dict(zip(LINES, values, strict=True))


def one_seed(
    seed: int, part: "Part", first: float = FIRST, strength: float = STRENGTH
) -> "tuple[dict[str, FloatArray], dict[str, int], float]":
    """Return NDCG@10 of each user by model, the bytes of updates, and how many bytes differ."""
    import numpy as np

    from droidloop.models.patches.od_update import od_update, plain_bytes
    from droidloop.models.tables.coding import Coded, learn_codes, rounded
    from droidloop.models.updates.delta import restored
    from droidloop.platform.draws import Draws

    events, n_items = _likes()
    times_s = np.sort(events.times_s)
    moments = [int(times_s[int(share * len(times_s))]) for share in (first, THEN)]
    early, late = (events.by(moment - 1) for moment in moments)
    split, draws = _judged(events, n_items, moments[1]), Draws(seed, "od")
    old = _items(early, n_items, draws)
    new = _items(late, n_items, draws, start=old)
    codes, whole = (
        learn_codes(*(one, BOOKS, WORDS, draws.child("codes")), weights=_counts(seen, n_items))
        for one, seen in ((old, early), (new, late))
    )
    held = Coded(codes.codes, rounded(codes.words))
    found = {
        name: _ndcg(split, np.asarray(vectors, np.float32), part)
        for name, vectors in (("old", held.vectors), ("dense", new), ("whole", whole.vectors))
    }
    coded_bytes = 4 * held.words.size + -(-held.codes.size * 5 // 8)
    budgets = {name: new.nbytes // int(name) for name in UPDATES[:-1]}
    sizes, differ = {}, 0
    for name, budget_bytes in {**budgets, UPDATES[-1]: coded_bytes // 60}.items():
        update = od_update(
            *(held, new),
            budget_bytes=budget_bytes,
            strength=strength,
            replaced=1 if name == UPDATES[-1] else None,
            weights=_counts(late, n_items),
        )
        before, after = plain_bytes(held), plain_bytes(update.coded)
        got = restored(*update.delta, before, len(after), "phone")
        differ += sum(a != b for a, b in zip(got, after, strict=True))
        sizes[name] = len(update.delta.data)
        found[name] = _ndcg(split, np.asarray(update.coded.vectors, np.float32), part)
    return found, sizes, float(differ)


def _counts(events: "UserItems", n_items: int) -> "FloatArray":
    """Return what an item's error counts: one more than the events that it has."""
    import numpy as np

    return np.asarray(1.0 + np.bincount(events.items, minlength=n_items), np.float64)


def _likes() -> "tuple[UserItems, int]":
    from droidloop.models.data.interactions import by_user
    from droidloop.models.data.readers import Columns, load, load_flags

    file = folder("ml-1m") / "interactions.parquet"
    every = load(file, columns=Columns("user", "item", None, "timestamp"))
    likes = every.keep(load_flags(file, "ge4"))
    return by_user(likes), likes.n_items


def _judged(events: "UserItems", n_items: int, moment_s: int) -> "Split":
    """Return the last tenths of users with events after *moment_s*, as far as these are later."""
    import numpy as np

    from droidloop.models.data.split import Split

    owners = np.repeat(np.arange(events.n_users), events.counts)
    place = np.arange(len(events.items)) - events.offsets[:-1][owners]
    count = events.counts[owners]
    tenth = np.maximum(1, count // 10)
    asked = (events.times_s >= moment_s) & (count >= 10)
    test = asked & (place >= count - tenth)
    valid = asked & (place >= count - 2 * tenth) & ~test
    return Split(events.keep(~(test | valid)), events.keep(valid), events.keep(test), n_items)


def _items(
    events: "UserItems", n_items: int, draws: Any, start: "Float32Array | None" = None
) -> "Float32Array":
    """Return items' vectors after some sweeps of iALS, from *start* if that is given."""
    import numpy as np

    from droidloop.models.data.interactions import union
    from droidloop.models.recommenders.ials import by_item, sweep
    from droidloop.models.tables.float_rows import normal_rows

    had = union(events)
    has = by_item(had, n_items)
    chance = draws.child("item")
    items = normal_rows(chance, np.arange(n_items), DIM, 0.1 / DIM**0.5) if start is None else start
    for _ in range(SWEEPS):
        items = sweep(has, sweep(had, items, ALPHA, L2), ALPHA, L2)
    return items


def _ndcg(split: "Split", items: "Float32Array", part: "Part") -> "FloatArray":
    """Return NDCG@10 of each user, whose vector is fitted to what is known before *part*."""
    import numpy as np

    from droidloop.models.data.interactions import union
    from droidloop.models.evaluation.evaluate import evaluate
    from droidloop.models.recommenders.ials import sweep

    users = sweep(union(split.history(part)), items, ALPHA, L2).astype(np.float64)
    wide = items.astype(np.float64)

    def score(some: Any) -> Any:
        return (users[some] @ wide.T).astype(np.float32)

    return evaluate(score, split, part=part).values["ndcg_at_10"]
