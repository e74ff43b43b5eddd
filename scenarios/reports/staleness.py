"""How old uploads were when the server folded them: versions made since their phones were asked."""

import numpy as np

from droidloop.platform.ledger import Rows, texts

_NAME = "uploads_of_age_"


def staleness_of(events: Rows) -> dict[str, float] | None:
    """Return mean, quantiles and greatest of the ages in versions; None where nothing ages."""
    rows = events[events["kind"] == b"staleness"]
    if not len(rows):
        return None
    ages = [int(name.removeprefix(_NAME)) for name in texts(rows["name"])]
    each = np.repeat(ages, rows["value"])
    p50, p95 = np.percentile(each, [50, 95], method="inverted_cdf")
    return {
        "mean": float(each.mean()),
        "p50": float(p50),
        "p95": float(p95),
        "most": float(each.max()),
    }


def in_words(staleness: dict[str, float]) -> str:
    """Return the line of the summary."""
    return (
        f"staleness of what was folded, versions: {staleness['mean']:.2f} in the mean, "
        f"{staleness['p50']:.0f} / {staleness['p95']:.0f} (p50 / p95), "
        f"{staleness['most']:.0f} at most"
    )
