"""Releases: which versions go out, and when; what each phone holds.

Learning publishes a version with every turn. A release makes a package of one of them and has it
delivered, while learning and earlier releases go on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from droidloop.devices.population.population import Population
from droidloop.models.learning.learning import Fit
from droidloop.models.packages.export import export
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.models.packages.shipped import Shipped
from droidloop.models.patches.od_update import followed
from droidloop.models.updates.frontier import by_value, read_frontier
from droidloop.models.updates.slots import Step
from droidloop.models.updates.stock import Stock
from droidloop.platform.arrays import Array, BoolArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.state import Stateful, Tree, pack, unpack
from droidloop.platform.units import HOUR_US
from droidloop.scenarios.runtime.activities import Activities
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.schema.delivery_section import DeliverySection

from .delivery import Delivery
from .installed import Installed
from .offering import Offering, list_us
from .package_work import DeliveryWorks
from .planted import slowed, spoiled, turned_round
from .shipment import Held, Shipment, shipment_of
from .stages import Stages

VARIANTS = ("float32", "int8")
VERSIONS = "versions"
"""The folder of the packages where there are several."""
TIMES = "releases"
"""The name of the activity that waits for the times of releases."""


@dataclass(frozen=True)
class Version:
    """What a turn has left: its number, and what makes the trained model that ships.

    ``fit`` is what phones do that took no part, ``bare`` marks those that can make no list of it.
    """

    round: int
    ship: Callable[[], Shipped]
    fit: Fit | None = None
    bare: BoolArray | None = None


def variants_of(section: DeliverySection) -> tuple[str, ...]:
    """Return those that ship: as measured, the best first, or else the nearest to the model.

    Raises:
        UsageError: the frontier file does not measure them.
    """
    if section.variant != "auto":
        return (section.variant,)
    if section.frontier is None:
        return VARIANTS
    path = Path(section.frontier)
    return by_value(VARIANTS, read_frontier(path), path)


@dataclass
class Release:
    """A version that went out: its package, every phone's private input to it, its delivery.

    ``bare`` are the phones that can make no list of it.
    """

    round: int
    package: Package
    users: Array
    delivery: Delivery
    bare: IntArray


class Releases(Stateful):
    """The releases of a run."""

    def __init__(
        self,
        section: DeliverySection,
        name: str,
        folder: Path,
        recorder: Recorder,
        population: Population,
        activities: Activities,
        draws: Draws,
    ) -> None:
        """Release below *folder*, packages called *name*; *draws* say who is in a first stage."""
        self._section, self._name, self._folder = section, name, folder
        self._recorder, self._population, self._activities = recorder, population, activities
        self._draws, self._stock = draws, Stock(patches=section.patches)
        self._installed = Installed(recorder, population, VARIANTS)
        self.variants = variants_of(section)
        self.best: Callable[[], Version | None] = lambda: None
        self.items: Sequence[str] = ()
        self.works: Callable[[Package, Path, Array], DeliveryWorks | None] = lambda *_: None
        self.released: Callable[[Release], None] = lambda release: None
        self.quality: Callable[[Array], Array] = lambda scores: np.full(len(scores), np.nan)
        self.made: list[Release] = []
        self._fitted, self._listed, self._listed_as = np.full((3, len(population)), -1)
        self._times = 0
        self._codes: dict[str, Array] = {}

    def wiped(self, phones: IntArray) -> None:
        """Know that *phones* are others now, which hold no version yet.

        What had come to its end on those that they were is theirs, and goes with them.
        """
        for release in self.made:
            release.delivery.settle()
        self._installed.wiped(phones)

    def forget(self, phones: IntArray) -> None:
        """Keep nothing that is private to *phones*, in any release so far."""
        for release in self.made:
            release.users = np.array(release.users)
            release.users[phones] = 0

    def process(self) -> Process:
        """Ship the best version so far at each of the times of ``at_h``."""
        for at_h in self._section.at_h[self._times :]:
            yield self._recorder.engine.until(round(at_h * HOUR_US))
            self._times += 1
            self._ship_new(self.best())

    def after_turn(
        self, turn: int, present: Callable[[int], Version | None], *, improved: bool
    ) -> None:
        """Ship what *turn* has left, which *present* makes, if it is its time."""
        section = self._section
        gap = section.every or 1
        last = self.made[-1].round if self.made else -gap
        every = section.when == "every" and (turn + 1) % gap == 0
        best = section.when == "best" and improved and turn - last >= gap
        if every or best:
            self._ship_new(present(turn))

    def ship(self, version: Version) -> Release:
        """Make a package of *version*, and begin to deliver it."""
        shipped, number = version.ship(), version.round + 1
        faults = self._faults(len(self.made) + 1)
        folder, graph = self._folder_of(number), shipped.graph
        if self._section.codes_share:
            graph, self._codes = followed(graph, self._codes, self._section.codes_share)
        if folder.exists():  # whole, as it was renamed: made before the run was killed
            package = Package.load(folder)
        else:
            graph = turned_round(graph) if "worse" in faults else graph
            package = export(
                graph, name=self._name, version=number, variants=VARIANTS, items=self.items
            )
            package = spoiled(package) if "wrong" in faults else package
            package.save(folder)
        sizes = {f"{v}_bytes": package.delivery_bytes(v) for v in VARIANTS}
        self._recorder.event("package", version.round, **sizes)
        ships = [shipment_of(package, one, number, shipped.work) for one in self.variants]
        ships = [slowed(one) for one in ships] if "slow" in faults else ships
        bare = np.flatnonzero([] if version.bare is None else version.bare)
        release = self._release(version.round, package, shipped.private, ships, version.fit, bare)
        self.made.append(release)
        self.released(release)
        self._activities.begin(_name_of(release), release.delivery.process())
        return release

    def _ship_new(self, version: Version | None) -> None:
        if version is None:  # nothing that ships has been learned yet
            return
        if all(one.round != version.round for one in self.made):
            self.ship(version)

    def _faults(self, number: int) -> set[str]:
        """Return what is planted in release *number*."""
        plan, now_us = self._population.faults, self._recorder.engine.now_us
        by_plan = {plan.specs[k].how for k in plan.on("bad-release", now_us)}
        return by_plan | {one.fault for one in self._section.planted if one.release == number}

    def _release(
        self,
        round_: int,
        package: Package,
        users: Array,
        ships: Sequence[Shipment],
        fit: Fit | None,
        bare: IntArray,
    ) -> Release:
        self._stock.add(package)
        everybody, number = np.arange(len(self._population)), len(self.made) + 1
        offering = Offering(ships, self._stock, self._section, self._installed, self._population)
        delivery = Delivery(
            recorder=self._recorder,
            round=round_,
            stages=Stages(self._draws.order(everybody, round_), self._section),
            offering=offering,
            section=self._section,
            installed=self._installed,
            holders=self._holders,
            compared=self._compared,
            held=number in self._section.hold,
            works=self.works(package, self._folder_of(round_ + 1), users),
            fit=fit,
            fitting=lambda: np.flatnonzero(self._unfitted() & (self._held == offering.version)),
            ended=self._note,
        )
        return Release(round_, package, users, delivery, bare)

    def _holders(self) -> tuple[IntArray, Held]:
        """Return the phones that hold a version and expect none; see ``delivery.Holders``."""
        for release in self.made:
            release.delivery.settle()
        slots = self._installed.slots
        left_out = self._unfitted() | self._holding((one.round, one.bare) for one in self.made)
        phones = np.flatnonzero((slots["version"] >= 0) & (slots["step"] == Step.IDLE) & ~left_out)
        names = self._installed.variants
        shipments = self._shipments()
        pairs, which = np.unique(slots[["version", "variant"]][phones], return_inverse=True)
        held = [shipments[version, names[variant]] for version, variant in pairs.tolist()]
        return phones, Held(held, which)

    def _shipments(self) -> dict[tuple[int, str], Shipment]:
        """Return every shipment so far by its version and variant."""
        return {
            (one.version, one.variant): one
            for release in self.made
            for one in release.delivery.offering.shipments
        }

    @property
    def _held(self) -> IntArray:
        """The version that each phone holds; -1: none."""
        return np.asarray(self._installed.slots["version"])

    def _unfitted(self) -> BoolArray:
        """Return which phones hold a version to which they have yet to fit what is private."""
        fits = [(one.round, one.delivery.fit) for one in self.made]
        waits = self._holding((number, fit.phones) for number, fit in fits if fit is not None)
        return np.asarray(waits & (self._fitted != self._held))

    def _holding(self, phones: Iterable[tuple[int, IntArray]]) -> BoolArray:
        """Return which phones are among those of the round whose version they hold."""
        marked = np.zeros(len(self._held), np.bool_)
        for number, some in phones:
            marked[some] |= self._held[some] == number + 1
        return marked

    def _note(self, jobs: Jobs) -> None:
        """Note which phones have fitted what is private, or have computed a list."""
        done = jobs.take(jobs.done)
        fits, lists = done["kind"] == Kind.FIT, done["kind"] == Kind.INFER
        self._fitted[done["phone"][fits]] = done["version"][fits]
        phones, versions = done["phone"][lists], done["version"][lists]
        slots = self._installed.slots[phones]
        self._listed[phones] = versions
        self._listed_as[phones] = np.where(
            slots["version"] == versions, slots["variant"], slots["previous_variant"]
        )

    def lists(self) -> tuple[IntArray, Array] | None:
        """Return the phones that have computed a list, and the scores of their last ones.

        Shape (phones, items); None where no phone has.
        """
        phones = np.flatnonzero(self._listed >= 0)
        if not len(phones):
            return None
        return phones, self._scores(self._listed, self._listed_as)[phones]

    def _scores(self, versions: IntArray, variants: IntArray) -> Array:
        """Return the scores of each phone's list by a version and variant of its own."""
        shape = (len(self._population), self.made[0].package.n_items)
        scores: Array = np.full(shape, np.nan, np.float32)
        for release in self.made:
            for code, name in enumerate(self._installed.variants):
                mine = np.flatnonzero((versions == release.round + 1) & (variants == code))
                if len(mine):
                    model = LiteRT(release.package.model(name))
                    scores[mine] = model.scores(release.users[mine]).values
        return scores

    def _compared(self, phones: IntArray) -> tuple[Array, Array]:
        """Return how many times as long lists take as with the version before, and their gain.

        Of those of *phones* that had a version before.
        """
        slots = self._installed.slots
        had = phones[slots["previous"][phones] >= 0]
        if not len(had):
            return np.zeros(0), np.zeros(0)
        times, values = [], []
        for version, variant in (("version", "variant"), ("previous", "previous_variant")):
            versions, variants = np.full((2, len(slots)), -1)
            versions[had], variants[had] = slots[version][had], slots[variant][had]
            values.append(self.quality(np.nan_to_num(self._scores(versions, variants)))[had])
            times.append(self._list_us(versions, variants)[had])
        gained = values[0] - values[1]
        return times[0] / np.maximum(times[1], 1), gained[~np.isnan(gained)]

    def _list_us(self, versions: IntArray, variants: IntArray) -> IntArray:
        """Return how long each phone's list takes by a version and variant of its own; 0: none."""
        times = np.zeros(len(versions), np.int64)
        for (version, name), shipment in self._shipments().items():
            code = self._installed.variants.index(name)
            mine = np.flatnonzero((versions == version) & (variants == code))
            times[mine] = list_us(self._population, shipment, mine)
        return times

    def state(self) -> dict[str, Tree]:
        """Return the releases so far; their packages lie in the run directory."""
        made = [
            {
                "round": one.round,
                "users": one.users,
                "shipments": [pack(ship) for ship in one.delivery.offering.shipments],
                "fit": pack(one.delivery.fit),
                "bare": one.bare,
                "delivery": one.delivery.state(),
            }
            for one in self.made
        ]
        noted = {
            "codes": {**self._codes},
            "fitted": self._fitted,
            "listed": self._listed,
            "listed_as": self._listed_as,
        }
        return {"times": self._times, "installed": self._installed.state(), "made": made, **noted}

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Know the releases of *tree*; see ``Stateful``."""
        self._times, self._codes = tree["times"], dict(tree["codes"])
        self._installed.restore(tree["installed"])
        self._fitted[:], self._listed[:] = tree["fitted"], tree["listed"]
        self._listed_as[:] = tree["listed_as"]
        for one in tree["made"]:
            package = Package.load(self._folder_of(one["round"] + 1))
            ships, fit = [unpack(ship) for ship in one["shipments"]], unpack(one["fit"])
            users, bare = one["users"], one["bare"]
            self.made.append(self._release(one["round"], package, users, ships, fit, bare))
            self.made[-1].delivery.restore(one["delivery"])

    def processes(self) -> dict[str, Callable[[], Process]]:
        """Return what goes on, by the names of the activities."""
        every = {_name_of(one): one.delivery.process for one in self.made}
        return {TIMES: self.process, **every}

    def _folder_of(self, number: int) -> Path:
        if self._section.when == "end":
            return self._folder / "package"
        return self._folder / VERSIONS / f"{number:06d}"


def _name_of(release: Release) -> str:
    return f"release {release.round + 1}"
