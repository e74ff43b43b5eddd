"""A release to a million phones in three stages within a day, as patches, with all that it takes.

All phones have version 1. Version 2 goes to 1 %, 10 % and all of them: what each fetches is the
patch from what it has, phones prove it and switch, their lists are timed before and after, and
the ledger has every job and every change of a version. The packages have 64 KiB of weights.

The baseline is row `million`: the same phones for the same day with rounds and a package to all.
What is asked for is at most 1.5 times its wall time, a ratio of 0.67.
"""

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.row_million import CLIENTS, HOURS, PHONES, day_of

if TYPE_CHECKING:
    from droidloop.devices.population.population import Population
    from droidloop.models.updates.stock import Stock
    from droidloop.platform.arrays import Array, IntArray
    from droidloop.scenarios.delivery.delivery import Delivery
    from droidloop.scenarios.delivery.shipment import Held, Shipment
    from droidloop.scenarios.runtime.recorder import Recorder

WHAT = "1,000,000 phones, 24 h, a release to 1, 10 and 100 % as patches, lists, a ledger"
UNIT = "phone-hours/s"
BASELINE = "row million"

WEIGHTS = 65_536
FLOPS = 10**9


def release_of(phones: int) -> float:
    """Return the wall seconds of a day of *phones*, from their making to the closed ledger."""
    from droidloop.devices.fleets.fleet import CohortFleet
    from droidloop.devices.phone.battery import settle
    from droidloop.devices.population.population import PopulationSpec, build
    from droidloop.platform.draws import Draws
    from droidloop.platform.engine import Engine
    from droidloop.platform.ledger import Ledger
    from droidloop.scenarios.runtime.recorder import Recorder

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        population = build(PopulationSpec(phones), Draws(1, "population"))
        engine, ledger = Engine(), Ledger(Path(folder))
        recorder = Recorder(engine, CohortFleet(engine, population), ledger)
        delivery = _delivery(recorder, population)
        engine.run(engine.process(delivery.process()))
        assert engine.now_us <= HOURS * 3_600_000_000
        settle(population.world, engine.now_us)
        ledger.close()
        took_s = time.perf_counter() - start
    on_it = (delivery.installed.slots["version"] == 2).mean()
    assert on_it > 0.9, f"{on_it:.1%} have it"
    assert 0 < delivery._bytes < 0.5 * delivery._whole_bytes
    return took_s


def _delivery(recorder: "Recorder", population: "Population") -> "Delivery":
    """Return the delivery of version 2 to *population*, which has version 1."""
    from droidloop.models.updates.slots import Step
    from droidloop.models.updates.stock import Stock
    from droidloop.platform.draws import Draws
    from droidloop.scenarios.delivery.delivery import Delivery
    from droidloop.scenarios.delivery.installed import Installed
    from droidloop.scenarios.delivery.offering import Offering, list_us
    from droidloop.scenarios.delivery.shipment import Held
    from droidloop.scenarios.delivery.stages import Stages
    from droidloop.scenarios.schema.delivery_section import DeliverySection

    section = DeliverySection(
        stages=[0.01, 0.1, 1.0], enough=0.9, retries=1, deadline_s=14400.0, run_within_s=1800.0
    )
    stock, installed = Stock(), Installed(recorder, population, ["int8"])
    ships = [_shipment(number, stock) for number in (1, 2)]
    installed.slots["version"], installed.slots["variant"] = 1, 0
    slots, everybody = installed.slots, np.arange(len(population))

    def holders() -> "tuple[IntArray, Held]":
        delivery.settle()
        phones = np.flatnonzero(slots["step"] == Step.IDLE)
        return phones, Held(ships, slots["version"][phones] - 1)

    def compared(phones: "IntArray") -> "tuple[Array, Array]":
        before, after = (list_us(population, one, phones) for one in ships)
        return after / np.maximum(before, 1), np.zeros(len(phones))

    delivery = Delivery(
        recorder=recorder,
        round=1,
        stages=Stages(Draws(1, "stages").order(everybody, 0), section),
        offering=Offering([ships[1]], stock, section, installed, population),
        section=section,
        installed=installed,
        holders=holders,
        compared=compared,
    )
    return delivery


def _shipment(version: int, stock: "Stock") -> "Shipment":
    """Return version 1 or 2 of a package as it ships, and put it on *stock*."""
    from droidloop.models.interfaces.learning import Cost
    from droidloop.scenarios.delivery.shipment import Shipment
    from tests.models.updates.conftest import versioned

    package = versioned(version, size=WEIGHTS)
    stock.add(package)
    cost = Cost(FLOPS, WEIGHTS, 2**24, 4)
    sizes = package.delivery_bytes("int8"), len(package.model("int8"))
    return Shipment(version, "int8", *sizes, 14, cost, cost)


def prepare() -> None:
    """Compile what is measured, and what it is measured by."""
    release_of(1000)
    day_of(1000, 10)


def measure() -> float:
    """Return phone-hours per wall second."""
    return PHONES * HOURS / release_of(PHONES)


def baseline() -> float:
    """Return those of row `million`."""
    return PHONES * HOURS / day_of(PHONES, CLIENTS)
