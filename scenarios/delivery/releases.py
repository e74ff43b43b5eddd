"""Releases: which versions go out, and when; what each phone holds.

Learning publishes a version with every turn. A release makes a package of one of them and has it
delivered, while learning and earlier releases go on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from droidloop.models.learning.learning import Fit
from droidloop.models.packages.export import export
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.models.packages.shipped import Shipped
from droidloop.platform.arrays import Array, BoolArray, IntArray
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Jobs, Kind, Outcome
from droidloop.platform.state import Stateful, Tree, pack, unpack
from droidloop.platform.units import HOUR_US
from droidloop.scenarios.runtime.activities import Activities
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.schema.schema import DeliverySection

from .delivery import Delivery, Shipment
from .package_work import DeliveryWorks
from .shipment import shipment_of

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
        versions: IntArray,
        activities: Activities,
    ) -> None:
        """Release below *folder*, packages called *name*; *versions* is what phones hold."""
        self._section, self._name, self._folder = section, name, folder
        self._recorder, self._held, self._activities = recorder, versions, activities
        self.best: Callable[[], Version | None] = lambda: None
        self.items: Sequence[str] = ()
        self.works: Callable[[Package, Path, Array], DeliveryWorks | None] = lambda *_: None
        self.released: Callable[[Release], None] = lambda release: None
        self.made: list[Release] = []
        self._fitted, self._listed = np.full((2, len(versions)), -1)
        self._times = 0

    def process(self) -> Process:
        """Ship the best version so far at each of the times of ``at_h``."""
        for at_h in self._section.at_h[self._times :]:
            yield self._recorder.engine.until(round(at_h * HOUR_US))
            self._times += 1
            self._ship_new(self.best())

    def after_turn(self, version: Version | None, *, improved: bool) -> None:
        """Ship the *version* that a turn has left, if it is its time."""
        section = self._section
        if version is None:
            return
        if section.when == "every" and (version.round + 1) % section.every == 0:
            self._ship_new(version)
        last = self.made[-1].round if self.made else -section.every
        if section.when == "best" and improved and version.round - last >= section.every:
            self._ship_new(version)

    def ship(self, version: Version) -> Release:
        """Make a package of *version*, and begin to deliver it."""
        shipped, number = version.ship(), version.round + 1
        folder = self._folder_of(number)
        if folder.exists():  # whole, as it was renamed: made before the run was killed
            package = Package.load(folder)
        else:
            package = export(
                shipped.graph,
                name=self._name,
                version=number,
                variants=VARIANTS,
                items=self.items,
            )
            package.save(folder)
        sizes = {f"{v}_bytes": package.delivery_bytes(v) for v in VARIANTS}
        self._recorder.event("package", version.round, **sizes)
        shipment = shipment_of(package, self._section.variant, number, shipped.work)
        bare = np.flatnonzero([] if version.bare is None else version.bare)
        release = self._release(
            version.round, package, shipped.private, shipment, version.fit, bare
        )
        self.made.append(release)
        self.released(release)
        self._activities.begin(_name_of(release), release.delivery.process())
        return release

    def _ship_new(self, version: Version | None) -> None:
        if version is None:  # nothing that ships has been learned yet
            return
        if all(one.round != version.round for one in self.made):
            self.ship(version)

    def _release(
        self,
        round_: int,
        package: Package,
        users: Array,
        shipment: Shipment,
        fit: Fit | None,
        bare: IntArray,
    ) -> Release:
        delivery = Delivery(
            *(self._recorder, np.arange(len(self._held)), shipment, self._section),
            arrived=self.install,
            holders=self._holders,
            works=self.works(package, self._folder_of(round_ + 1), users),
            fit=fit,
            fitting=lambda: np.flatnonzero(self._unfitted() & (self._held == shipment.version)),
            ended=self._note,
        )
        return Release(round_, package, users, delivery, bare)

    def install(self, jobs: Jobs) -> None:
        """Note on every phone the newest version of which a delivery in *jobs* has ended by now."""
        arrived = (jobs["outcome"] == Outcome.DONE) & (jobs["finish_us"] <= self._now_us)
        phones = jobs["phone"][arrived]
        self._held[phones] = np.maximum(self._held[phones], jobs["version"][arrived])

    def _holders(self) -> tuple[IntArray, list[Shipment]]:
        """Return the phones that hold a version and expect none; see ``delivery.Holders``."""
        waits = np.zeros(len(self._held), np.bool_)
        for jobs in (release.delivery.deliveries for release in self.made):
            if jobs is not None:
                self.install(jobs)
                open_ = (jobs["outcome"] == Outcome.PLANNED) | (jobs["finish_us"] > self._now_us)
                waits[jobs["phone"][open_]] = True
        bare = self._holding((one.round, one.bare) for one in self.made)
        phones = np.flatnonzero((self._held >= 0) & ~(waits | bare | self._unfitted()))
        shipments = {one.delivery.shipment.version: one.delivery.shipment for one in self.made}
        return phones, [shipments[version] for version in self._held[phones].tolist()]

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
        noted = {Kind.FIT: self._fitted, Kind.INFER: self._listed}
        for kind, versions in noted.items():
            mine = done.take(done["kind"] == kind)
            versions[mine["phone"]] = mine["version"]

    def lists(self) -> tuple[IntArray, Array] | None:
        """Return the phones that have computed a list, and the scores of their last ones.

        Shape (phones, items); None where no phone has.
        """
        phones = np.flatnonzero(self._listed >= 0)
        if not len(phones):
            return None
        scores = np.empty((len(phones), self.made[0].package.n_items), np.float32)
        for release in self.made:
            mine = np.flatnonzero(self._listed[phones] == release.round + 1)
            if len(mine):
                model = LiteRT(release.package.model(self._section.variant))
                scores[mine] = model.scores(release.users[phones[mine]]).values
        return phones, scores

    def state(self) -> dict[str, Tree]:
        """Return the releases so far; their packages lie in the run directory."""
        made = [
            {
                "round": one.round,
                "users": one.users,
                "shipment": pack(one.delivery.shipment),
                "fit": pack(one.delivery.fit),
                "bare": one.bare,
                "delivery": one.delivery.state(),
            }
            for one in self.made
        ]
        noted = {"fitted": self._fitted, "listed": self._listed}
        return {"times": self._times, "made": made, **noted}

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Know the releases of *tree*; see ``Stateful``."""
        self._times = tree["times"]
        self._fitted[:], self._listed[:] = tree["fitted"], tree["listed"]
        for one in tree["made"]:
            package = Package.load(self._folder_of(one["round"] + 1))
            shipment, fit = unpack(one["shipment"]), unpack(one["fit"])
            users, bare = one["users"], one["bare"]
            self.made.append(self._release(one["round"], package, users, shipment, fit, bare))
            self.made[-1].delivery.restore(one["delivery"])

    def processes(self) -> dict[str, Callable[[], Process]]:
        """Return what goes on, by the names of the activities."""
        every = {_name_of(one): one.delivery.process for one in self.made}
        return {TIMES: self.process, **every}

    def _folder_of(self, number: int) -> Path:
        if self._section.when == "end":
            return self._folder / "package"
        return self._folder / VERSIONS / f"{number:06d}"

    @property
    def _now_us(self) -> int:
        return self._recorder.engine.now_us


def _name_of(release: Release) -> str:
    return f"release {release.round + 1}"
