"""Which fleet plays a run: simulated, with real devices among the phones, or a recorded one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from droidloop.devices.android.fleet.booking import StepLaw
from droidloop.devices.android.fleet.fleet import AndroidFleet, Attachment
from droidloop.devices.fleets.device_outputs import NOT_IMPOSED, PLUGGED, Evidence
from droidloop.devices.fleets.fleet import CohortFleet, ExactFleet, Fleet, Lasting
from droidloop.devices.fleets.mixed import MixedFleet, put_on_cable
from droidloop.devices.fleets.remote_play import Play
from droidloop.devices.fleets.replay import ReplayFleet
from droidloop.devices.population.population import Population
from droidloop.devices.population.profile_files import profile_table
from droidloop.models.packages.step_export import TrainingModels
from droidloop.platform.engine import Engine
from droidloop.platform.errors import LedgerError, UsageError
from droidloop.platform.ledger import Ledger, columns_of, read
from droidloop.platform.places import cache_folder
from droidloop.platform.rundir import MANIFEST, RunDirectory
from droidloop.scenarios.schema.schema import AndroidSection, DevicesSection, Scenario

_NOTE, _SEATS = "devices", "seats"
_WAYS = ("up", "down")


@dataclass(frozen=True)
class Attached:
    """The real devices of a run, present or recorded.

    Attributes:
        serials: of the devices by the phone that each stands for.
        devices: those that are present; none in a replay.
        replay: the run that is replayed, if any.
    """

    serials: dict[int, str]
    devices: tuple[Attachment, ...] = ()
    replay: Path | None = None

    @property
    def phones(self) -> frozenset[int]:
        """The rows that devices stand for."""
        return frozenset(self.serials)

    @property
    def same_instructions(self) -> frozenset[int]:
        """The rows whose device computes as this host does."""
        return frozenset(one.phone for one in self.devices if one.same_instructions)

    def note_recorded(self, ledger: Ledger) -> None:
        """Write what the recorded run, if there is one, says that happened to its devices."""
        if self.replay is not None:
            events = read(self.replay, "events")
            mine = events["kind"] == NOT_IMPOSED.encode()
            mine |= (events["kind"] == b"churn") & np.isin(events["name"], np.array(PLUGGED, "S"))
            ledger.note("events", **columns_of("events", events[mine]))

    def noted(self) -> dict[str, object]:
        """Return what the manifest says: which phones are real, and whose jobs are recorded."""
        found: dict[str, object] = {}
        if self.serials:
            setups = {one.phone: one.setup.label for one in self.devices}
            labels = {phone: label for phone, label in setups.items() if label is not None}
            found[_NOTE] = {
                str(phone): f"{labels[phone]} ({serial})" if phone in labels else serial
                for phone, serial in self.serials.items()
            }
        if self.devices:
            found[_SEATS] = [section_of(one).model_dump() for one in self.devices]
        if self.replay is not None:
            found["replay"] = str(self.replay)
        return found


def section_of(device: Attachment) -> AndroidSection:
    """Return what a scenario says of *device*, with which it can be attached again."""
    setup = device.setup
    told: dict[str, Any] = {"label": setup.label, "threads": setup.threads}
    if setup.link is not None:
        told |= {"covered": setup.link.covered}
        told |= {f"{way}_mbps": getattr(setup.link, f"{way}_bps") / 1e6 or None for way in _WAYS}
    if setup.battery is not None:
        told |= {"level_percent": setup.battery.level_percent, "charging": setup.battery.charging}
    return AndroidSection(serial=device.serial, phone=device.phone, cores=list(setup.cores), **told)


def noted_devices(directory: RunDirectory) -> list[AndroidSection]:
    """Return the real devices that the run in *directory* was begun with; none in a replay.

    Raises:
        LedgerError: the manifest says of devices what no run writes.
    """
    content = directory.manifest()
    if "replay" in content or _NOTE not in content:
        return []
    try:
        return DevicesSection(android=content[_SEATS]).android
    except (KeyError, ValidationError) as error:
        raise LedgerError(
            f"{directory.path / MANIFEST}: {_SEATS} does not say which devices took part, so they "
            "cannot be attached again; restore the file from a copy, or run again"
        ) from error


def require_same_devices(directory: RunDirectory, devices: Sequence[Attachment]) -> None:
    """Raise UsageError unless *devices* are those that the run in *directory* was begun with."""
    wanted = {one.phone: one.serial for one in noted_devices(directory)}
    if {one.phone: one.serial for one in devices} != wanted:
        names = ", ".join(f"{serial} as phone {phone}" for phone, serial in wanted.items())
        raise UsageError(
            f"{directory.path}: the run goes on with the real devices that it was begun with "
            f"alone: {names or 'none'}"
        )


def take_seats(
    population: Population, devices: Sequence[Attachment], replay: Path | None
) -> Attached:
    """Put *devices*, or those of the run *replay*, in the place of their phones.

    Raises:
        UsageError: there are devices in a replay, two for one phone, or one for no phone.
        LedgerError: the manifest of *replay* names phones that do not exist.
    """
    if replay is not None:
        if devices:
            raise UsageError(f"--replay {replay}: needs no devices; leave --attach out")
        attached = Attached(_recorded(replay, len(population)), replay=replay)
    else:
        attached = Attached({one.phone: one.serial for one in devices}, tuple(devices))
        for one in devices:
            if attached.serials[one.phone] != one.serial:
                raise UsageError(f"{one.serial}: phone {one.phone} is another device's already")
            if not 0 <= one.phone < len(population):
                raise UsageError(
                    f"{one.serial}: there is no phone {one.phone}; "
                    f"choose one of 0 to {len(population) - 1}"
                )
    if attached.serials:
        put_on_cable(population, attached.serials)
    return attached


def _recorded(replay: Path, phones: int) -> dict[int, str]:
    run = RunDirectory.open_whole(replay)
    with run.understood():
        noted = run.manifest().get(_NOTE, {})
        serials = {int(phone): str(serial) for phone, serial in noted.items()}
    if not all(0 <= phone < phones for phone in serials):
        raise LedgerError(f"{replay}: has devices for phones that this scenario does not have")
    return serials


def fleet_of(
    scenario: Scenario,
    engine: Engine,
    population: Population,
    attached: Attached,
    folder: Path,
    ledger: Ledger,
    play: Play | None = None,
) -> Fleet:
    """Return the fleet of a run; what its devices give is kept in the run directory *folder*.

    *play* says where cohorts are played, if not here.
    """

    def note(t_us: int, phone: int, kind: str, name: str) -> None:
        ledger.note("events", t_us=t_us, kind=kind, phone=phone, round=-1, name=name, value=1)

    evidence = Evidence(folder, lambda row: ledger.note("measures", **row), note)
    if attached.replay is not None:
        return ReplayFleet(engine, population, attached.replay, evidence)
    simulated: Lasting
    if scenario.play == "exact":
        simulated = ExactFleet(engine, population)
    else:
        simulated = CohortFleet(engine, population, play=play)
    if not attached.devices:
        return simulated
    devices = [_with_law(scenario, population, one) for one in attached.devices]
    real = AndroidFleet(engine, population, devices, evidence)
    return MixedFleet(engine, simulated, real, attached.phones)


def _with_law(scenario: Scenario, population: Population, device: Attachment) -> Attachment:
    """Return *device* with the law of training that the profile of its phone was calibrated to."""
    name = population.profiles[population.traits["profile"][device.phone]]
    profile = profile_table(scenario.population.profile_files)[name]
    if profile.step_us == profile.cell_ns == 0.0:
        return device
    return replace(device, law=StepLaw(profile.step_us, profile.cell_ns))


def training_models() -> TrainingModels:
    """Return the training steps, kept in ``$XDG_CACHE_HOME/droidloop/steps`` (or ``~/.cache``)."""
    return TrainingModels(cache_folder("steps"))
