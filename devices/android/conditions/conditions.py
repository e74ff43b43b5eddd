"""The virtual link and battery of a node, imposed on its real device, and always taken back.

Where there is a console (emulators) it shapes link and battery. Elsewhere the battery is set by
``cmd battery`` and a gap in coverage by ``svc``, where the device permits that; a rate cannot be
imposed there.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from droidloop.devices.android.adb.adb import Adb, emulator_port
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.emulator.console import Console
from droidloop.devices.android.errors import (
    AndroidError,
    CommandError,
    ConditionError,
    ConsoleError,
    ParseError,
    RestoreError,
)
from droidloop.devices.android.parsers.battery import parse_battery

from .journal import Journal, pending_serials
from .undo import (
    ResetBattery,
    SetLink,
    SetModem,
    SetPower,
    SetRadio,
    Undo,
    battery_command,
    is_frozen,
    perform,
    radio_is_on,
    switch_radio,
    wait_for,
)

_NOT_PERMITTED = (ConditionError, ConsoleError, CommandError, ParseError)


@dataclass(frozen=True)
class LinkCondition:
    """A node's link now; a rate of 0 bits per second is unlimited."""

    covered: bool = True
    up_bps: int = 0
    down_bps: int = 0
    min_delay_ms: int = 0
    max_delay_ms: int = 0


@dataclass(frozen=True)
class BatteryCondition:
    """A node's battery now."""

    level_percent: int
    charging: bool

    def __post_init__(self) -> None:
        if not 0 <= self.level_percent <= 100:
            raise ValueError(f"a level of {self.level_percent} %")


@dataclass
class Imposed:
    """What holds on the device; the rest is modelled only, for the *reasons* given by its name.

    Attributes:
        battery: while True the device shows a battery that is not its own: no energy can be
            measured from it.
    """

    rate: bool = False
    coverage: bool = False
    battery: bool = False
    reasons: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def impose(
    connection: Connection,
    *,
    link: LinkCondition | None = None,
    battery: BatteryCondition | None = None,
    console: Console | None = None,
) -> Iterator[Imposed]:
    """Hold *link* and *battery* on a device during the block, and take them back after it.

    What has to be taken back is on disk before the first change; if this process is killed,
    ``restore_pending`` does it. What an earlier run left behind is taken back first.

    Raises:
        ConditionError: another run uses the device.
        RestoreError: something could not be taken back; it stays written down.
        AndroidError: the device failed meanwhile.
    """
    with Journal(connection.serial) as journal:
        _restore(journal, connection, console)
        changes = _Changes(journal, connection, console)
        failed: BaseException | None = None
        try:
            if link is not None:
                changes.impose_link(link)
            if battery is not None:
                changes.impose_battery(battery)
            yield changes.imposed
        except BaseException as error:
            failed = error
            raise
        finally:
            try:
                _restore(journal, connection, console)
            except RestoreError as error:
                if failed is None:
                    raise
                # The first error says what happened; the journal keeps what is to be done.
                failed.add_note(str(error))


@dataclass(frozen=True)
class Restored:
    """A device that an earlier run left changed, and why it could not be restored, if so."""

    serial: str
    error: AndroidError | None


def restore_pending(adb: Adb, *, token_file: Path | None = None) -> tuple[Restored, ...]:
    """Take back what crashed runs have left on devices; those of live runs are left alone.

    Args:
        adb: the server; devices with an address are attached to it.
        token_file: the secret of emulators' consoles, as for ``Console``.
    """
    done = []
    for serial in pending_serials():
        try:
            journal = Journal(serial)
        except ConditionError:
            continue  # a live run's; it restores it itself
        with journal:
            done.append(Restored(serial, _restore_one(adb, journal, token_file)))
    return tuple(done)


@final
class _Changes:
    """Makes changes, each written down before it is made."""

    def __init__(self, journal: Journal, connection: Connection, console: Console | None) -> None:
        self.imposed = Imposed()
        self._journal = journal
        self._connection = connection
        self._console = console

    def impose_link(self, link: LinkCondition) -> None:
        console = self._console
        if console is not None:
            done = self._try("rate", lambda: self._shape(link, console))
            self.imposed.rate = self.imposed.coverage = done
        elif link.covered:
            self.imposed.coverage = True
            self.imposed.reasons["rate"] = "a rate needs the console of an emulator"
        elif self._connection.wireless:
            self.imposed.reasons["coverage"] = "adb reaches it over the link that would be cut"
        else:
            self.imposed.coverage = self._try("coverage", self._cut)

    def impose_battery(self, battery: BatteryCondition) -> None:
        console = self._console
        if console is not None:
            self.imposed.battery = self._try("battery", lambda: self._set_power(battery, console))
        else:
            self.imposed.battery = self._try("battery", lambda: self._freeze(battery))

    def _try(self, what: str, change: Callable[[], None]) -> bool:
        """Return whether the device permits *change*; what it has done so far is taken back."""
        before = self._journal.read()
        try:
            change()
        except _NOT_PERMITTED as error:
            self.imposed.reasons[what] = str(error)
            made = len(self._journal.read()) - len(before)
            _restore(self._journal, self._connection, self._console, most=made)
            return False
        return True

    def _note(self, undo: Undo) -> None:
        self._journal.write((undo, *self._journal.read()))

    def _shape(self, link: LinkCondition, console: Console) -> None:
        # WiFi is not shaped: only what goes over the modem is.
        if radio_is_on(self._connection, "wifi"):
            self._note(SetRadio("wifi", on=True))
            switch_radio(self._connection, "wifi", on=False)
        now = console.network_status()
        self._note(
            SetLink(now.upload_bps, now.download_bps, now.min_latency_ms, now.max_latency_ms)
        )
        console.set_network_speed(up_kbps=link.up_bps / 1000, down_kbps=link.down_bps / 1000)
        console.set_network_delay(min_ms=link.min_delay_ms, max_ms=link.max_delay_ms)
        if not link.covered:
            self._note(SetModem(console.gsm_data()))
            console.set_gsm_data("off")

    def _cut(self) -> None:
        for radio in ("wifi", "data"):
            if radio_is_on(self._connection, radio):
                self._note(SetRadio(radio, on=True))
                switch_radio(self._connection, radio, on=False)

    def _set_power(self, battery: BatteryCondition, console: Console) -> None:
        now = console.power()
        self._note(SetPower(now.capacity_percent, now.ac, now.status))
        console.set_power(
            capacity_percent=battery.level_percent,
            ac=battery.charging,
            status="charging" if battery.charging else "discharging",
        )

    def _freeze(self, battery: BatteryCondition) -> None:
        connection = self._connection
        if is_frozen(connection):
            what = "somebody else has frozen its battery"
            raise ConditionError(connection.serial, what, "`cmd battery reset` in `adb shell`")
        self._note(ResetBattery())
        battery_command(connection, "unplug")
        battery_command(connection, "set", "level", str(battery.level_percent))
        battery_command(connection, "set", "ac", "1" if battery.charging else "0")
        battery_command(connection, "set", "status", "2" if battery.charging else "3")
        wait_for(connection, "its battery to be as set", lambda: self._shows(battery))

    def _shows(self, battery: BatteryCondition) -> bool:
        shown = parse_battery(self._connection.run(["dumpsys", "battery"]))
        return (
            shown.updates_stopped
            and shown.level * 100 == battery.level_percent * shown.scale
            and shown.plugged is battery.charging
        )


def _restore(
    journal: Journal, connection: Connection, console: Console | None, most: int | None = None
) -> None:
    """Take back the *most* recent changes (all by default) and strike them out one by one.

    Raises:
        RestoreError: some could not be; they stay in the journal.
    """
    undos = journal.read()
    now, later = (undos, ()) if most is None else (undos[:most], undos[most:])
    kept: list[Undo] = []
    errors: list[AndroidError] = []
    for number, undo in enumerate(now):
        try:
            perform(undo, connection, console)
        except AndroidError as error:
            errors.append(error)
            kept.append(undo)
        journal.write((*kept, *now[number + 1 :], *later))
    if errors:
        what = f"it still has {len(kept)} imposed conditions: {errors[0].what}"
        raise RestoreError(connection.serial, what) from errors[0]


def _restore_one(adb: Adb, journal: Journal, token_file: Path | None) -> AndroidError | None:
    """Return why the device of *journal* could not be restored, None if it was."""
    serial = journal.serial
    try:
        adb.attach(serial)
        connection = Connection(adb, serial)
        with contextlib.ExitStack() as stack:
            port = emulator_port(serial)
            console = None
            if port is not None:
                console = stack.enter_context(Console(port, token_file=token_file))
            _restore(journal, connection, console)
    except AndroidError as error:
        return error
    return None
