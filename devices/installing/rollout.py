"""A release to real devices, in stages: each stage has to be well before the next one begins."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from droidloop.models.packages.package import Package
from droidloop.models.updates.choice import Limits
from droidloop.models.updates.slots import NONE, Event
from droidloop.platform.errors import DroidloopError

from .installer import Change, Installer


@dataclass(frozen=True)
class Target:
    """A device that a release goes to: what it can, and who installs there."""

    serial: str
    installer: Installer
    limits: Limits


@dataclass
class Rollout:
    """What came of a release: the last change of each device, and why it stopped, if it did."""

    changes: dict[str, Change] = field(default_factory=dict)
    stopped: str = ""


def roll_out(
    targets: Sequence[Target],
    package: Package,
    *,
    stages: Sequence[float] = (1.0,),
    variants: Sequence[str] | None = None,
    max_failed: float = 0.0,
    tell: Callable[[str, Change], object] = lambda serial, change: None,
) -> Rollout:
    """Install *package* on *targets*, stage by stage; where one is not well, all return.

    A stage is not well if more than *max_failed* of its devices refused the version, were slower
    than their limits or went away. Then those that have it go back to what they had before.

    Args:
        targets: the devices; those of the first stage stand first.
        package: checked, every byte.
        stages: shares of the devices, rising to 1.
        variants: those that may be taken; the nearest to the model that a device can take if None.
        max_failed: a share.
        tell: is told the last change of each device.
    """
    rollout, done = Rollout(), 0
    for share in stages:
        until = min(len(targets), max(done + 1, math.ceil(share * len(targets))))
        mine, done = targets[done:until], until
        if not mine:
            break
        with ThreadPoolExecutor(len(mine), "droidloop-deliver") as pool:
            found = list(pool.map(lambda one: _install(one, package, variants), mine))
        for target, change in zip(mine, found, strict=True):
            rollout.changes[target.serial] = change
            tell(target.serial, change)
        failed = [one for one in found if one.event is not Event.SWITCHED]
        if len(failed) > max_failed * len(mine):
            rollout.stopped = f"{len(failed)} of {len(mine)} devices refused it: {failed[0].why}"
            _return(targets[:done], rollout, tell)
            break
    return rollout


def _install(target: Target, package: Package, variants: Sequence[str] | None) -> Change:
    try:
        return target.installer.install(package, target.limits, variants)
    except DroidloopError as error:
        return Change(Event.REFUSED, package.manifest.version, "", str(error))


def _return(
    targets: Sequence[Target], rollout: Rollout, tell: Callable[[str, Change], object]
) -> None:
    for target in targets:
        installer, change = target.installer, rollout.changes[target.serial]
        if change.event is not Event.SWITCHED or change.before == NONE:
            continue
        try:
            back = installer.come_back(rollout.stopped)
        except DroidloopError as error:
            back = Change(Event.REFUSED, change.version, change.variant, f"cannot return: {error}")
        rollout.changes[target.serial] = back
        tell(target.serial, back)
