"""Tiny scenarios in which phones come, go, come back as others, and ask to be forgotten."""

from pathlib import Path
from typing import Any

from droidloop.platform.ledger import Rows, read
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.schema import Scenario

PHONES = 16
GONE = 3
"""The phone that asks to be forgotten."""
LEAVES_H = 4.5
EVENTS: list[dict[str, Any]] = [
    {"leaves_h": LEAVES_H, "phones": [GONE], "how": "forget"},
    {"leaves_h": 1.3, "phones": [5], "how": "announced", "returns_h": 3.1},
    {"leaves_h": 1.7, "phones": [6, 7], "returns_h": 2.6, "profile": "2024-12gb"},
    {"leaves_h": 2.2, "share": 0.1},
]
WAYS: dict[str, tuple[dict[str, Any], str]] = {
    "rounds": ({"kind": "rounds", "every_s": 3600.0, "deadline_s": 3000.0}, "fedmf"),
    "ego graphs": ({"kind": "rounds", "every_s": 3600.0, "deadline_s": 3000.0}, "fedgcn"),
    "over-selecting": (
        {
            "kind": "rounds",
            "every_s": 3600.0,
            "clients": 6,
            "over_select": 1.5,
            "deadline_s": 3600.0,
        },
        "fedmf",
    ),
    "buffered": (
        {"kind": "buffered", "every_s": 3600.0, "clients": 6, "buffer": 4, "deadline_s": 3000.0},
        "fedmf",
    ),
    "gossip": ({"kind": "gossip", "every_s": 3600.0, "mode": "push-pull"}, "gossip-mf"),
    "groups": (
        {"kind": "groups", "every_s": 3600.0, "groups": 3, "regroup_rounds": 2},
        "semidfegl",
    ),
    "local": ({"kind": "local", "every_s": 3600.0}, "tune"),
}


def scenario(
    way: str = "rounds", unlearning: dict[str, Any] | None = None, **tables: Any
) -> Scenario:
    """Return a scenario of six turns."""
    protocol, rule = WAYS[way]
    return Scenario.of(
        {
            "name": "churning",
            "title": "Sixteen phones, six turns",
            "data": {"items": 30, "interactions": 10},
            "population": {"phones": PHONES, "off_at_night_share": 0.3, "start_hour": 9.0},
            "churn": {"events": EVENTS},
            "unlearning": unlearning or {"kind": "none"},
            "model": {"dim": 4},
            "training": {"rule": rule},
            "protocol": {"rounds": 6, "min_battery": 0.0, **protocol},
            "delivery": {"variant": "none"},
            "evaluation": {"baselines": [], "candidates": 10},
            **tables,
        }
    )


def played(one: Scenario, folder: Path) -> dict[str, Any]:
    """Play *one* into *folder*; return its summary."""
    return execute(one, folder, replay=None, progress=lambda *_: None)


def happened(folder: Path, kind: str) -> list[tuple[float, int, str]]:
    """Return the hour, the phone and the name of each event of that *kind*."""
    rows: Rows = read(folder, "events")
    rows = rows[rows["kind"] == kind.encode()]
    return [(row["t_us"] / 3.6e9, int(row["phone"]), row["name"].decode()) for row in rows]
