"""What the row of a phone says of its link and battery now, held on its device while it works."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from droidloop.devices.android.adb.adb import emulator_port
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.emulator.console import Console
from droidloop.devices.android.errors import ConsoleError, one_line
from droidloop.devices.phone.charging import charger_at
from droidloop.devices.phone.link import link_at
from droidloop.devices.population.population import Population
from droidloop.network.radio import NO_RADIO

from .conditions import BatteryCondition, Imposed, LinkCondition, impose

Hold = Callable[[LinkCondition | None, BatteryCondition | None], AbstractContextManager[Imposed]]
"""Holds conditions on a device during a block; None leaves its own."""


def conditions_of(
    population: Population, phone: int, t_us: int
) -> tuple[LinkCondition, BatteryCondition]:
    """Return link and battery of the row *phone* at *t_us*; its charge is that of its last job.

    Rows of attached devices are always on and at home, on their chargers: see ``put_on_cable``.
    """
    world = population.world
    radio, down_rate, up_rate, _ = link_at(world, phone, t_us, False)
    charger_uw, _ = charger_at(world, phone, t_us)
    battery_uj = int(population.state["battery_uj"][phone])
    level = 100 * battery_uj // max(1, int(population.traits["capacity_uj"][phone]))
    link = LinkCondition(radio != NO_RADIO, up_bps=8 * int(up_rate), down_bps=8 * int(down_rate))
    return link, BatteryCondition(min(100, max(0, level)), charging=int(charger_uw) > 0)


def holder_of(connection: Connection, say: Callable[[str], object] = lambda _: None) -> Hold:
    """Return what holds conditions on the device of *connection*: by its console if it has one.

    *say* is told once what cannot be held there, and why.
    """
    said: set[str] = set()

    @contextlib.contextmanager
    def hold(link: LinkCondition | None, battery: BatteryCondition | None) -> Iterator[Imposed]:
        with contextlib.ExitStack() as stack:
            console = None
            port = emulator_port(connection.serial)
            if port is not None:
                # an emulator of another user keeps its secret: it is treated as a phone then
                with contextlib.suppress(ConsoleError):
                    console = stack.enter_context(Console(port))
            held = impose(connection, link=link, battery=battery, console=console)
            imposed = stack.enter_context(held)
            for what, reason in imposed.reasons.items():
                if reason not in said:
                    said.add(reason)
                    say(f"{one_line(connection.serial)}: its {what} is not imposed: {reason}")
            yield imposed

    return hold
