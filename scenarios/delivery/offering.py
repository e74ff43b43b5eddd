"""What a release offers to each phone: the variant that it can take, by the cheapest way."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from droidloop.devices.phone.latency import computing_us
from droidloop.devices.population.population import Population
from droidloop.models.updates.choice import Offer, Refusal, choose
from droidloop.models.updates.slots import NONE
from droidloop.models.updates.stock import Stock
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.schema.delivery_section import DeliverySection

from .installed import Installed
from .shipment import Held, Shipment


@dataclass(frozen=True)
class Offering:
    """The variants of one version, the nearest to the model first.

    Attributes:
        shipments: of each variant.
        stock: of the server.
        section: which limits there are.
        installed: what phones have.
        population: the phones.
    """

    shipments: Sequence[Shipment]
    stock: Stock
    section: DeliverySection
    installed: Installed
    population: Population

    @property
    def version(self) -> int:
        """The number of the version."""
        return self.shipments[0].version

    @cached_property
    def codes(self) -> IntArray:
        """The number of each shipment's variant in slots."""
        names = self.installed.variants
        return np.array([names.index(one.variant) for one in self.shipments], np.int64)

    @cached_property
    def wrong(self) -> BoolArray:
        """By the number of a variant in slots: whether it fails its golden outputs."""
        marks = np.zeros(len(self.installed.variants), np.bool_)
        marks[self.codes] = [bool(one.wrong) for one in self.shipments]
        return marks

    @property
    def reason(self) -> str:
        """Why variants are wrong, if one is."""
        return next((f"golden outputs: {one.wrong}" for one in self.shipments if one.wrong), "")

    @property
    def order_bytes(self) -> int:
        """What telling a phone to return takes: signed metadata."""
        return self.stock.signed_bytes(self.version)

    def offer(self, phones: IntArray, got: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Return those of *phones* that are offered something, which shipment, and its bytes.

        *got* is what each phone of the population has fetched of it already. A phone whose memory,
        storage or runtime rules out every variant is offered the last one, and turns it down
        itself; one whose budget is spent is left out.
        """
        section = self.section
        fetch = [self._fetch_bytes(one, phones) for one in self.shipments]
        fetch = [np.maximum(one - got[phones], 0) for one in fetch]
        budget = None if section.budget_mb is None else round(1e6 * section.budget_mb)
        latency = None if section.max_list_s is None else round(section.max_list_s * SECOND_US)
        limits = self.installed.limits(phones, budget, latency)
        offers = [
            Offer(
                one.variant,
                one.runtime,
                int(one.run.ram_bytes),
                one.package_bytes,
                bytes_,
                0 if latency is None else list_us(self.population, one, phones),
            )
            for one, bytes_ in zip(self.shipments, fetch, strict=True)
        ]
        taken, why = choose(offers, limits)
        last = len(offers) - 1
        taken = np.where((taken < 0) & (why != Refusal.BUDGET), last, taken)
        kept = taken >= 0
        # what a phone turns down for its memory may be beyond its budget as well
        kept &= np.choose(np.maximum(taken, 0), fetch) <= limits.budget_bytes
        bytes_ = np.choose(np.maximum(taken, 0), fetch)[kept]
        return phones[kept], taken[kept], bytes_

    def held_by(self, phones: IntArray) -> Held:
        """Return the shipment that each of *phones*, which are on the version, holds."""
        places = np.zeros(len(self.installed.variants), np.int64)
        places[self.codes] = np.arange(len(self.codes))
        return Held(self.shipments, places[self.installed.slots["variant"][phones]])

    def whole_bytes(self, phones: IntArray) -> IntArray:
        """Return what the candidate of each of *phones* takes as a whole package."""
        held = self.installed.slots["candidate_variant"][phones]
        sizes = np.zeros(len(self.installed.variants), np.int64)
        sizes[self.codes] = [
            self.stock.whole_bytes(one.variant, self.version) for one in self.shipments
        ]
        return np.asarray(sizes[held])

    def _fetch_bytes(self, shipment: Shipment, phones: IntArray) -> IntArray:
        slots = self.installed.slots[phones]
        pairs, mine = np.unique(slots[["version", "variant"]], return_inverse=True)
        names = self.installed.variants
        sizes = [
            self.stock.way(
                shipment.variant, (version, names[kind] if kind != NONE else ""), self.version
            )[0]
            for version, kind in pairs.tolist()
        ]
        return np.array(sizes, np.int64)[mine] if len(phones) else np.zeros(0, np.int64)


def list_us(population: Population, shipment: Shipment, phones: IntArray) -> IntArray:
    """Return how long a list takes on each of *phones*, once loaded, by the law of computing."""
    jobs = Jobs.plan(
        phones,
        kind=Kind.INFER,
        plan_us=0,
        first=0,
        flops=shipment.run.flops,
        moved_bytes=shipment.run.moved_bytes,
        operators=shipment.run.operators,
        load_bytes=-1,
    )
    return computing_us(population.world, jobs.rows)
