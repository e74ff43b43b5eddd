"""What a delivery carries to real devices: a package, a list."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from droidloop.devices.fleets.model_job import ModelJob
from droidloop.devices.fleets.work import WrongOutputError
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.models.packages.packing import FLOAT, RELATIVE_TOLERANCE
from droidloop.platform.arrays import Array, IntArray


@dataclass(frozen=True)
class PackageWork:
    """The delivery of a package: the model goes there, and has to answer the golden inputs."""

    package: Package
    folder: Path
    variant: str

    def order(self, k: int) -> ModelJob:
        """Return the golden inputs as one job; see ``Work.order``."""
        inputs = self.package.golden_inputs()
        outputs = list(self.package.golden_outputs(self.variant))
        return ModelJob(
            self.folder / self.package.variant(self.variant).model,
            inputs,
            outputs,
            every=frozenset(outputs),
            by_step=frozenset(inputs),
            signature=self.package.manifest.signature,
            steps=len(next(iter(inputs.values()))),
        )

    def accept(self, k: int, outputs: Mapping[str, Array]) -> None:
        """Compare with the golden outputs; see ``Work.accept``."""
        reason = self.package.judge(self.variant, outputs)
        if reason is not None:
            raise WrongOutputError(reason)


@dataclass
class ListWork:
    """A list of recommendations for each phone: the device's scores have to be the host's.

    Attributes:
        package: already on the devices that took it.
        folder: of its files here.
        variant: the one that was delivered.
        phones: of the jobs.
        users: the vectors of all users.
        same_instructions: phones that compute as this host does, so that int8 is equal to the bit.
    """

    package: Package
    folder: Path
    variant: str
    phones: IntArray
    users: Array
    same_instructions: Collection[int]
    _host: list[LiteRT] = field(default_factory=list)

    def order(self, k: int) -> ModelJob:
        """Return the scoring of all items for the user of phone *k*; see ``Work.order``."""
        manifest = self.package.manifest
        return ModelJob(
            self.folder / self.package.variant(self.variant).model,
            {manifest.inputs[0].name: self._user(k)},
            [manifest.outputs[0].name],
            signature=manifest.signature,
        )

    def accept(self, k: int, outputs: Mapping[str, Array]) -> None:
        """Compare with what LiteRT gives here; see ``Work.accept``."""
        if not self._host:
            self._host.append(LiteRT(self.package.model(self.variant)))
        expected = self._host[0].scores(self._user(k)).values
        tolerance = RELATIVE_TOLERANCE * max(1.0, float(np.abs(expected).max()))
        if self.variant != FLOAT and int(self.phones[k]) in self.same_instructions:
            tolerance = 0.0
        name = self.package.manifest.outputs[0].name
        _compare(name, outputs[name], expected, tolerance)

    def _user(self, k: int) -> Array:
        return np.ascontiguousarray(self.users[self.phones[k]][None, :], np.float32)


@dataclass(frozen=True)
class DeliveryWorks:
    """Makes the work of a delivery; see ``PackageWork`` and ``ListWork`` for the attributes."""

    package: Package
    folder: Path
    variant: str
    users: Array
    same_instructions: Collection[int]

    def check(self) -> PackageWork:
        """Return the work of delivering to any phones."""
        return PackageWork(self.package, self.folder, self.variant)

    def lists(self, phones: IntArray) -> ListWork:
        """Return the work of computing a list on each of *phones*."""
        return ListWork(
            self.package, self.folder, self.variant, phones, self.users, self.same_instructions
        )


def _compare(name: str, found: Array, expected: Array, tolerance: float) -> None:
    if found.shape != expected.shape:
        raise WrongOutputError(f"{name} is {found.shape}, not {expected.shape}")
    error = np.abs(found.astype(np.float64) - expected)
    if not (error <= tolerance).all():
        raise WrongOutputError(f"{name} differs by {error.max():.3g}, {tolerance:.3g} is allowed")
