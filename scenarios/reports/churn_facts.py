"""Who came and went, and what it took to forget those who asked: from the ledger alone."""

from collections import Counter
from typing import Any

import numpy as np

from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import Rows, texts
from droidloop.platform.units import HOUR_US, joules

LEFT_EMPTY = "left-empty"


def comings_and_goings(events: Rows, devices: Rows) -> dict[str, int] | None:
    """Return how often phones came, went or said something, by name; None: nobody ever did.

    Who was gone when its battery ran empty had said nothing, so that *devices* alone have it.
    """
    names = Counter(texts(events["name"][events["kind"] == b"churn"]))
    names[LEFT_EMPTY] = int(np.count_nonzero(devices["given_up_us"]))
    return dict(sorted((+names).items())) or None


def unlearned(kind: str, events: Rows, jobs: Rows) -> dict[str, Any] | None:
    """Return what unlearning by *kind* has taken: phones, turns, jobs, bytes, joules, hours.

    None: nobody asked to be forgotten. Hours are those from the first wish to the last one granted.
    """
    mine = events[events["kind"] == b"forgotten"]
    asked = (events["kind"] == b"churn") & (events["name"] == b"asks-to-be-forgotten")
    if not asked.any():
        return None
    turns = events[events["kind"] == b"unlearning"]
    work = jobs[jobs["kind"] == Kind.UNLEARN]
    logs = mine["value"][mine["name"] == b"log_bytes"]
    found: dict[str, Any] = {
        "kind": kind,
        "phones": int(mine["value"][mine["name"] == b"phones"].sum()),
        "turns": int(np.count_nonzero(turns["name"] == b"length_us")),
        "jobs": len(work),
        "down_bytes": int(work["downloaded_bytes"].sum()),
        "up_bytes": int(work["uploaded_bytes"].sum()),
        "energy_j": joules(int(work["energy_uj"].sum())),
        "hours": float((mine["t_us"].max() - events["t_us"][asked].min()) / HOUR_US)
        if len(mine)
        else None,
    }
    waits = int(np.count_nonzero(asked)) - found["phones"]
    if waits:
        found["not_forgotten"] = waits
    return found | ({"log_bytes": int(logs.max())} if len(logs) else {})


def churn_lines(answer: dict[str, Any]) -> list[str]:
    """Return both in words, as far as the summary *answer* has them."""
    lines = []
    if (churn := answer.get("churn")) is not None:
        words = ", ".join(f"{count} {name}" for name, count in churn.items())
        lines.append(f"comings and goings: {words}")
    if (one := answer.get("unlearning")) is not None:
        more = f"; {one['not_forgotten']} asked too late" if "not_forgotten" in one else ""
        log = f", logs of up to {one['log_bytes']:,} bytes a phone" if "log_bytes" in one else ""
        lines.append(
            f"unlearning ({one['kind']}): {one['phones']} phones forgotten in {one['turns']} "
            f"turns, {one['jobs']} jobs, {one['down_bytes'] / 1e6:,.1f} MB down, "
            f"{one['up_bytes'] / 1e6:,.1f} MB up, {one['energy_j']:,.1f} J, "
            f"{one['hours'] or 0.0:.1f} h after the first wish{log}{more}"
        )
    return lines
