"""Which variant a phone gets: the nearest to the model that it can hold, run, pay for and bear.

One rule for a population and for one real device: everything is an array of phones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from droidloop.models.packages.package import Package
from droidloop.models.packages.packing import PRECISION
from droidloop.platform.arrays import Array, IntArray

NO_LIMIT = np.iinfo(np.int64).max


class Refusal(IntEnum):
    """Why a phone gets no variant: what the last one that was left asked too much of."""

    NONE = 0
    RUNTIME = 1
    RAM = 2
    STORAGE = 3
    BUDGET = 4
    LATENCY = 5


WORDS = {
    Refusal.RUNTIME: "needs runtime {needed}, it has {has}; update the app's LiteRT",
    Refusal.RAM: "needs {needed} bytes of RAM, it has {has}; bring a smaller variant",
    Refusal.STORAGE: "needs {needed} bytes of storage, it has {has}; free some",
    Refusal.BUDGET: "takes {needed} bytes to fetch, {has} are left; wait or raise the budget",
    Refusal.LATENCY: "takes {needed} us, {has} are the most; bring a faster variant",
}


@dataclass(frozen=True)
class Offer:
    """A variant as phones weigh it; a figure is one number, or one a phone.

    Attributes:
        name: of the variant.
        runtime: the lowest that computes it rightly.
        ram_bytes: to load and run it.
        storage_bytes: that it takes, beside the version that is kept.
        fetch_bytes: over the link, as a patch where there is one.
        latency_us: of one answer, measured or by the law; 0: not known.
    """

    name: str
    runtime: int
    ram_bytes: int
    storage_bytes: int
    fetch_bytes: IntArray | int
    latency_us: IntArray | int = 0


@dataclass(frozen=True)
class Limits:
    """What each phone can: arrays of one length."""

    runtime: IntArray
    ram_bytes: IntArray
    storage_bytes: IntArray
    budget_bytes: IntArray
    latency_us: IntArray

    @classmethod
    def of_one(
        cls,
        *,
        runtime: int = NO_LIMIT,
        ram_bytes: int = NO_LIMIT,
        storage_bytes: int = NO_LIMIT,
        budget_bytes: int = NO_LIMIT,
        latency_us: int = NO_LIMIT,
    ) -> "Limits":
        """Return those of one device; what is not known does not limit it."""
        figures = (runtime, ram_bytes, storage_bytes, budget_bytes, latency_us)
        return cls(*(np.array([one], np.int64) for one in figures))


def ordered(package: Package) -> list[str]:
    """Return the variants of *package*, the nearest to the model first."""
    ranks = {name: k for k, name in enumerate(PRECISION)}
    return sorted(package.manifest.variants, key=lambda one: (ranks.get(one, -1), one))


def offer_of(package: Package, name: str) -> Offer:
    """Return variant *name* as it is fetched whole."""
    variant, size = package.variant(name), package.delivery_bytes(name)
    return Offer(name, variant.min_runtime, variant.ram_bytes, size, size)


def choose(offers: Sequence[Offer], limits: Limits) -> tuple[IntArray, IntArray]:
    """Return for each phone the first of *offers* that it can take, -1: none, and why not.

    The reason is that of the last offer: the one that asks least.
    """
    count = len(limits.runtime)
    taken, why = np.full(count, -1, np.int64), np.zeros(count, np.int64)
    for k, offer in enumerate(offers):
        refused = _refusals(offer, limits)
        why = np.where(taken < 0, refused, why)
        taken = np.where((taken < 0) & (refused == Refusal.NONE), k, taken)
    return taken, why


def explain(offer: Offer, limits: Limits, why: Refusal) -> str:
    """Return in words why the one phone of *limits* does not take *offer*."""
    pairs = {
        Refusal.RUNTIME: (offer.runtime, limits.runtime),
        Refusal.RAM: (offer.ram_bytes, limits.ram_bytes),
        Refusal.STORAGE: (offer.storage_bytes, limits.storage_bytes),
        Refusal.BUDGET: (offer.fetch_bytes, limits.budget_bytes),
        Refusal.LATENCY: (offer.latency_us, limits.latency_us),
    }
    needed, has = pairs[why]
    figures = {"needed": int(np.ravel(needed)[0]), "has": int(np.ravel(has)[0])}
    return f"{offer.name} {WORDS[why].format(**figures)}"


def _refusals(offer: Offer, limits: Limits) -> Array:
    refused = [
        (Refusal.RUNTIME, offer.runtime > limits.runtime),
        (Refusal.RAM, offer.ram_bytes > limits.ram_bytes),
        (Refusal.STORAGE, offer.storage_bytes > limits.storage_bytes),
        (Refusal.BUDGET, offer.fetch_bytes > limits.budget_bytes),
        (Refusal.LATENCY, offer.latency_us > limits.latency_us),
    ]
    codes, masks = zip(*refused, strict=True)
    return np.select(list(masks), [int(one) for one in codes], int(Refusal.NONE))
