"""Installs versions of one package on one device, by the steps of ``models/updates/slots.py``.

The device's own runtime answers the golden inputs. Which version works is one small file that is
replaced at once, so that a device that dies in the middle has the old version or the new one.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from droidloop.devices.fleets.model_job import Failed, ModelJob, Runner
from droidloop.models.packages.manifest import MANIFEST
from droidloop.models.packages.package import Package
from droidloop.models.updates.choice import Limits, Refusal, choose, explain, offer_of, ordered
from droidloop.models.updates.slots import NONE, Event, Slots, Step, advance, empty
from droidloop.platform.errors import PackageError

from .place import Place

STATE = "installed.json"
_ROW = np.array([0])


@dataclass(frozen=True)
class Change:
    """Something that happened to a device's versions; ``why`` is empty where nothing was wrong."""

    event: Event
    version: int
    variant: str
    why: str = ""
    sent_bytes: int = 0
    invoke_us: int = 0
    before: int = NONE
    whole_bytes: int = 0

    def line(self, name: str) -> str:
        """Return it for people."""
        words = {
            Event.SWITCHED: "works now",
            Event.REFUSED: "refused",
            Event.RETURNED: "works again",
            Event.PROVEN: "gave the golden outputs",
        }
        what = words.get(self.event, self.event.name.lower())
        return f"{name} {self.version} {self.variant}: {what}" + (f": {self.why}" * bool(self.why))


@dataclass
class Installer:
    """The versions of package *name* at *place*, proved with *runner*.

    Attributes:
        place: where they are kept.
        runner: of that very device.
        name: of the package.
        tell: is told of every change, as it happens.
        timeout_s: for the golden inputs.
    """

    place: Place
    runner: Runner
    name: str
    tell: Callable[[Change], object] = lambda change: None
    timeout_s: int = 120
    _slots: Slots = field(default_factory=lambda: empty(1))
    _variants: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        data = self.place.read(f"{self.name}.{STATE}")
        if data is not None:
            self._known(data)
        if self._slots["step"][0] != Step.IDLE:  # it had died in the middle
            self._happen(Event.REFUSED, "the device went away before it was proved")
            self._write()

    @property
    def installed(self) -> tuple[int, str] | None:
        """The version that works, and its variant."""
        return self._pair("version", "variant")

    @property
    def previous(self) -> tuple[int, str] | None:
        """The one to which the device can return."""
        return self._pair("previous", "previous_variant")

    def install(
        self, package: Package, limits: Limits, variants: Sequence[str] | None = None
    ) -> Change:
        """Install the first of *variants* that the device can take and that is right there.

        *package* has been checked: every byte of it was signed for. Without *variants*: all that
        it has here, the nearest to the model first.

        Raises:
            PackageError: the package is another one, or not newer than what works.
        """
        self._require_newer(package)
        here = [
            one for one in ordered(package) if one in (package.only or package.manifest.variants)
        ]
        refused = Change(Event.REFUSED, package.manifest.version, "", "has no variant for it")
        for name in variants or here:
            offer = offer_of(package, name)
            taken, why = choose([offer], limits)
            if taken[0] < 0:
                reason = explain(offer, limits, Refusal(int(why[0])))
                refused = Change(Event.REFUSED, package.manifest.version, name, reason)
                self.tell(refused)
                continue
            change = self._try(package, name, int(limits.latency_us[0]))
            if change.event is Event.SWITCHED:
                return change
            refused = change
        return refused

    def come_back(self, why: str) -> Change:
        """Return to the version before, which was proved here; *why* is told.

        Raises:
            PackageError: there is none.
        """
        left = self.installed
        if self.previous is None or left is None:
            raise PackageError(f"{self.name}: no version before the one that works is kept here")
        advance(self._slots, _ROW, Event.RETURNED)
        self._write()
        version, variant = self.installed or left
        reason = f"{why} ({left[0]} {left[1]} left)"
        change = Change(Event.RETURNED, version, variant, reason, before=left[0])
        self.tell(change)
        self._sweep()
        return change

    def _try(self, package: Package, name: str, most_us: int) -> Change:
        version, code = package.manifest.version, self._code(name)
        advance(self._slots, _ROW, Event.OFFERED, version, code)
        self._write()
        part = package.part(name)
        folder = folder_of(self.name, version, name)
        files = {**part.files, MANIFEST: part.manifest.encode()}
        sent, whole = self.place.put(folder, files), sum(map(len, files.values()))
        advance(self._slots, _ROW, Event.FETCHED)
        advance(self._slots, _ROW, Event.SIGNED)  # see ``install``
        reason, invoke_us = self._prove(part, name, folder)
        if reason is None and invoke_us > most_us:
            reason = f"takes {invoke_us} us an answer where {most_us} are the most"
        if reason is not None:
            change = self._happen(Event.REFUSED, reason, sent, invoke_us, whole)
            self._write()
            self._sweep()
            return change
        self._happen(Event.PROVEN, "", sent, invoke_us, whole)
        change = self._happen(Event.SWITCHED, "", sent, invoke_us, whole)
        self._sweep()
        return change

    def _prove(self, part: Package, name: str, folder: str) -> tuple[str | None, int]:
        """Return what is wrong with the answers to the golden inputs, and the time of one."""
        inputs, outputs = part.golden_inputs(), list(part.golden_outputs(name))
        steps = len(next(iter(inputs.values())))
        job = ModelJob(
            self.place.model(folder, part.variant(name).model),
            inputs,
            outputs,
            every=frozenset(outputs),
            by_step=frozenset(inputs),
            signature=part.manifest.signature,
            steps=steps,
            timeout_s=self.timeout_s,
        )
        ran = self.runner.run(job)
        if isinstance(ran, Failed):
            return f"does not run: {ran.message}", 0
        return part.judge(name, ran.outputs), int(np.median(ran.invoke_us))

    def _happen(
        self, event: Event, why: str, sent: int = 0, invoke_us: int = 0, whole: int = 0
    ) -> Change:
        """Have *event* happen to the candidate, and tell; a switch is written before it is told."""
        version, variant = self._pair("candidate", "candidate_variant") or (NONE, "")
        before = int(self._slots["version"][0])
        advance(self._slots, _ROW, event)
        if event is Event.SWITCHED:
            self._write()
        change = Change(event, version, variant, why, sent, invoke_us, before, whole)
        self.tell(change)
        return change

    def _require_newer(self, package: Package) -> None:
        if package.manifest.name != self.name:
            raise PackageError(f"{package}: is not {self.name}; name that one's file")
        if self.installed is not None and package.manifest.version < self.installed[0]:
            raise PackageError(
                f"{package}: {self.name} {self.installed[0]} works here; older ones come back by "
                "returning alone"
            )

    def _sweep(self) -> None:
        kept = [one for one in (self.installed, self.previous) if one is not None]
        self.place.keep({folder_of(self.name, *one) for one in kept})

    def _pair(self, version: str, variant: str) -> tuple[int, str] | None:
        row = self._slots[0]
        return None if row[version] < 0 else (int(row[version]), self._variants[row[variant]])

    def _code(self, variant: str) -> int:
        if variant not in self._variants:
            self._variants.append(variant)
        return self._variants.index(variant)

    def _write(self) -> None:
        row = {name: int(self._slots[0][name]) for name in self._slots.dtype.names or ()}
        text = json.dumps({"format": 1, "variants": self._variants, **row}, sort_keys=True)
        self.place.write(f"{self.name}.{STATE}", text.encode())

    def _known(self, data: bytes) -> None:
        """Take what the device keeps.

        Raises:
            PackageError: that is nothing of ours.
        """
        try:
            text: dict[str, Any] = json.loads(data)
            if text.pop("format") != 1:
                raise ValueError("of another format")
            self._variants = [str(one) for one in text.pop("variants")]
            for name in self._slots.dtype.names or ():
                self._slots[name][0] = int(text[name])
            pairs = ("variant", "previous_variant", "candidate_variant")
            if any(not NONE <= int(self._slots[p][0]) < len(self._variants) for p in pairs):
                raise ValueError("it names a variant that it does not list")
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise PackageError(
                f"{self.name}.{STATE}: not what was kept ({error}); remove what is installed"
            ) from error


def folder_of(name: str, version: int, variant: str) -> str:
    """Return the name of the folder of a version."""
    return f"{name}-{version}-{variant}"
