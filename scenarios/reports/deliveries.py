"""What releases took, from the ledger alone: bytes and joules as fetched, and of whole packages."""

from typing import Any

import numpy as np

from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import Rows
from droidloop.platform.units import joules

_PARTS = ("promotion_uj", "radio_uj", "tail_uj", "cpu_uj")


def releases_of(jobs: Rows, installs: Rows) -> dict[str, dict[str, float]] | None:
    """Return by version (``v24``) what its release took; None where nothing was installed.

    ``phones`` switched to it, ``refused`` it after it had arrived, ``returned`` from it. ``mb`` and
    ``joules`` are what all its deliveries took, lost ones included and each phone's own life left
    out; ``whole_mb`` and ``whole_joules`` what they would have taken as whole packages: the energy
    of each phone's transfer in proportion to its bytes (the same radio at the same rates), all
    else as it was.
    """
    found = {}
    for version in np.unique(installs["version"][installs["event"] == b"switched"]).tolist():
        mine = installs[installs["version"] == version]
        tried = mine[mine["whole_bytes"] > 0]
        deliver = jobs[(jobs["kind"] == Kind.DELIVER) & (jobs["version"] == version)]
        more_bytes, more_uj = _if_whole(tried, deliver)
        spent_uj = sum(int(deliver[part].sum()) for part in _PARTS)
        fetched = int(deliver["downloaded_bytes"].sum())
        back = (installs["event"] == b"returned") & (installs["before"] == version)
        found[f"v{version}"] = {
            "phones": _count(mine["phone"][mine["event"] == b"switched"]),
            "refused": _count(tried["phone"][tried["event"] == b"refused"]),
            "returned": _count(installs["phone"][back]),
            "mb": fetched / 1e6,
            "whole_mb": (fetched + more_bytes) / 1e6,
            "joules": joules(spent_uj),
            "whole_joules": joules(spent_uj + more_uj),
        }
    return found or None


def _if_whole(tried: Rows, deliver: Rows) -> tuple[int, int]:
    """Return how many bytes and microjoules more it is if those that *tried* fetch it whole."""
    count = int(tried["phone"].max(initial=0)) + 1
    got, radio_uj = (
        np.bincount(deliver["phone"], deliver[name], minlength=count)
        for name in ("downloaded_bytes", "radio_uj")
    )
    more_bytes = tried["whole_bytes"] - tried["fetched_bytes"]
    share = more_bytes / np.maximum(got[tried["phone"]], 1)
    return int(more_bytes.sum()), round(float((share * radio_uj[tried["phone"]]).sum()))


def _count(phones: Any) -> int:
    return len(np.unique(phones))


def in_words(version: str, one: dict[str, float]) -> str:
    """Return the line of the summary about a release."""
    ways = [f"{one['phones']:,.0f} phones"]
    ways += [f"{one[name]:,.0f} {name}" for name in ("refused", "returned") if one[name]]
    text = f"release {version}: {', '.join(ways)}; {one['mb']:.2f} MB, {one['joules']:,.1f} J"
    if one["whole_mb"] > one["mb"]:
        text += f" (as whole packages {one['whole_mb']:.2f} MB, {one['whole_joules']:,.1f} J)"
    return text
