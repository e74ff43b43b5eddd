"""What a plan of faults does to real devices."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from droidloop.devices.android.errors import DisconnectedError
from droidloop.devices.android.fleet.fleet import Attachment
from droidloop.devices.android.fleet.harms import FILLER, Harm, harms_of
from droidloop.devices.android.runners.bundle import ROOT
from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec, plan_of
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine
from droidloop.scenarios.run.faults import Faults


@dataclass
class Server:
    """An adb server that is ours, or not."""

    port: int = 1
    server_pid: int | None = None


@dataclass
class Commands:
    """A device that keeps what it was told."""

    adb: Server = field(default_factory=Server)
    gone: bool = False
    told: list[list[str]] = field(default_factory=list)

    def shell(self, argv: list[str], timeout_s: float) -> None:
        self.told.append(argv)
        if self.gone:
            raise DisconnectedError("a", "gone")


@pytest.mark.parametrize("gone", [False, True])
def test_a_device_is_told_to_reboot_and_its_storage_is_filled_and_emptied(*, gone: bool) -> None:
    device = Commands(gone=gone)
    harms = harms_of(device)  # type: ignore[arg-type]
    harms["device-reboots"].begin()
    harms["device-reboots"].end()
    harms["storage-full"].begin()
    harms["storage-full"].end()
    assert device.told[0] == ["reboot"]
    assert device.told[1][-3:-1] == [ROOT, FILLER]
    assert device.told[2] == ["rm", "-f", FILLER]
    assert FILLER.startswith(f"{ROOT}/")


def test_a_server_that_is_not_ours_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    place = "droidloop.devices.android.fleet.harms.notify"
    monkeypatch.setattr(place, lambda port, text, timeout_s: ended.append(port))
    for pid in (None, 7):
        harms_of(Commands(Server(3, pid)))["adb-server-gone"].begin()  # type: ignore[arg-type]
    assert ended == [3]


class Notes:
    """A recorder that keeps what is noted."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.noted: list[tuple[int, str, int]] = []

    def event(self, kind: str, round_: int, **values: int) -> None:
        self.noted += [(self.engine.now_us, name, value) for name, value in values.items()]


def test_harm_is_done_to_the_devices_that_are_hit_and_taken_back() -> None:
    deeds: list[tuple[int, str]] = []

    def device(phone: int) -> Attachment:
        harm = Harm(lambda: deeds.append((phone, "begin")), lambda: deeds.append((phone, "end")))
        return Attachment(f"d{phone}", phone, None, harms={"storage-full": harm})  # type: ignore[arg-type]

    spec = FaultSpec("storage-full", Ill.FULL, at_us=(5, 20), lasts_us=10, phones=(1, 2, 3))
    plan = plan_of([spec], Draws(1, "faults"))
    recorder = Notes()
    faults = Faults(recorder, plan, [device(0), device(1), device(3)])  # type: ignore[arg-type]
    recorder.engine.run(recorder.engine.process(faults.process()))
    once = [(1, "begin"), (3, "begin"), (1, "end"), (3, "end")]
    assert deeds == once * 2
    assert recorder.noted == [
        (t_us, "storage-full", on) for t_us, on in ((5, 1), (15, 0), (20, 1), (30, 0))
    ]


@pytest.mark.parametrize(("until_us", "deeds"), [(4, []), (6, ["begin"]), (16, [])])
def test_who_goes_on_in_a_fault_that_lasts_does_the_harm_again(
    until_us: int, deeds: list[str]
) -> None:
    again: list[str] = []
    lasts = Harm(lambda: again.append("begin"), lambda: again.append("end"))
    once = Harm(lambda: again.append("once"))
    assert (lasts.lasts, once.lasts) == (True, False)
    harms = {"storage-full": lasts, "device-reboots": once}
    device = Attachment("d", 1, None, harms=harms)  # type: ignore[arg-type]
    specs = [
        FaultSpec("storage-full", Ill.FULL, at_us=(5,), lasts_us=10),
        FaultSpec("device-reboots", Ill.OFF, at_us=(5,), lasts_us=10),
    ]
    plan = plan_of(specs, Draws(1, "faults"))
    recorder = Notes()
    first = Faults(recorder, plan, [device])  # type: ignore[arg-type]
    recorder.engine.process(first.process())
    recorder.engine.run(until_us)
    again.clear()
    second = Faults(Notes(), plan, [device])  # type: ignore[arg-type]
    second.restore(first.state())
    assert again == deeds


def test_the_phones_that_are_hit_are_those_of_the_law() -> None:
    from droidloop.devices.phone.faults import fault_at
    from tests.contracts.worlds import mixed

    spec = FaultSpec("phones-die", Ill.OFF, at_us=(5, 100), lasts_us=10, share=0.4)
    plan = plan_of([spec], Draws(1, "faults"))
    population = mixed(40)
    population.traits["faults"] = plan.masks(population.regions, population.traits["region"])
    world = population.world._replace(faults=plan.entries, windows=plan.windows)

    def off_at(phone: int, t_us: int) -> tuple[int, int]:
        mask = int(world.traits["faults"][phone])
        return fault_at(world.faults, world.windows, mask, phone, int(Ill.OFF), t_us)

    for t_us in (7, 105):
        by_law = [p for p in range(40) if off_at(p, t_us)[0]]
        assert plan.hit(0, t_us, range(40)) == by_law
        assert 5 < len(by_law) < 35
    assert [off_at(p, 20) for p in range(3)] == [(0, 100)] * 3
    assert np.array_equal(plan.of(0), [[5, 15], [100, 110]])
