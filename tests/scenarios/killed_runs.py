"""Ways of running that a killed run is resumed in, and what two runs have in common."""

import hashlib
from pathlib import Path

COMMON = ["evaluation.baselines=['popularity']"]
NO_PACKAGE = ["delivery.variant=none"]
WAYS = {
    "rounds": NO_PACKAGE,
    "over-selecting rounds": [
        *(*NO_PACKAGE, "protocol.clients=8", "protocol.over_select=1.5", "protocol.every_s=0"),
    ],
    "buffered": [
        *(*NO_PACKAGE, "protocol.kind=buffered", "protocol.every_s=60", "protocol.buffer=4"),
    ],
    "gossip": [
        *(*NO_PACKAGE, "protocol.kind=gossip", "training.rule=gossip-mf"),
        "protocol.mode=push-pull",
    ],
    "direct gossip": [
        *(*NO_PACKAGE, "protocol.kind=gossip", "training.rule=gossip-mf"),
        *("protocol.mode=push-pull", "protocol.transport=direct"),
        *("population.direct=wifi-direct", "population.map={}"),
    ],
    "groups": [
        *(*NO_PACKAGE, "protocol.kind=groups", "training.rule=semidfegl"),
        "protocol.regroup_rounds=3",
    ],
    "local": [*NO_PACKAGE, "protocol.kind=local", "training.rule=tune"],
    "releases": ["delivery.when=every", "delivery.every=2"],
}
PLAYS = ("cohort", "exact")


def digest(folder: Path) -> dict[str, str]:
    """Return the hash of every segment of the ledger in *folder*."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/*.parquet"))
    }
