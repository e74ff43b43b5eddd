"""Heat, clocks and charge are read where they are told, and have a reason where they are not."""

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.probing.condition import SHELL_UID, condition_of
from tests.devices.android.fake_adb import Answer, FakeDevice

THERMAL = """Thermal Status: {status}
Cached temperatures:
	Temperature{{mValue=35.8, mType=3, mName=SKIN, mStatus=0}}
	Temperature{{mValue=41.5, mType=0, mName=CPU0, mStatus=0}}
"""
BATTERY = """Current Battery Service state:
  AC powered: false
  USB powered: false
  Charge counter: {charge}
  status: 3
  health: 2
  present: true
  level: 80
  scale: 100
  voltage: 4000
  temperature: 300
  technology: Li-ion
"""
CHECKIN = f"9,0,l,pws,3000,20,0,0\n9,{SHELL_UID},l,pwi,uid,1.25,0,0,0\n"


def phone(
    device: FakeDevice, *, status: int = 0, charge: int = 2_000_000, clocks: str = ""
) -> None:
    """Have *device* answer as a phone that tells everything."""

    def handler(argv: list[str]) -> Answer | None:
        if argv[:2] == ["sh", "-c"]:
            return (clocks if "cpufreq" in argv[2] else ""), "", 0
        return None

    device.handler = handler
    device.answers |= {
        "dumpsys thermalservice": (THERMAL.format(status=status), "", 0),
        "dumpsys battery": (BATTERY.format(charge=charge), "", 0),
        "dumpsys batterystats --checkin": (CHECKIN, "", 0),
    }


def test_a_phone_tells_its_heat_and_its_charge(connection: Connection, device: FakeDevice) -> None:
    phone(device, clocks="2400000 2400000\n1800000 1800000\n")
    found = condition_of(connection)
    assert (found.celsius, found.throttled) == (41.5, False)
    assert (found.charge_uah, found.plugged, found.shell_mah) == (2_000_000, False, 1.25)
    assert found.unknown == {}


def test_throttling_is_androids_word_or_a_clock_held_back(
    connection: Connection, device: FakeDevice
) -> None:
    phone(device, status=2, clocks="2400000 2400000\n")
    assert condition_of(connection).throttled
    phone(device, clocks="2400000 2400000\n1200000 1800000\n")
    assert condition_of(connection).throttled


def test_a_kernel_without_a_service_tells_its_zones(
    connection: Connection, device: FakeDevice
) -> None:
    def handler(argv: list[str]) -> Answer | None:
        if argv[:2] == ["sh", "-c"]:
            return ("38500\n-40000\nno\n44100\n" if "thermal" in argv[2] else ""), "", 0
        return None

    device.handler = handler
    found = condition_of(connection)
    assert found.celsius == 44.1
    assert found.throttled is None
    assert "kernel's clocks" in found.unknown["throttled"]


def test_what_is_not_told_has_a_reason(connection: Connection, device: FakeDevice) -> None:
    found = condition_of(connection)
    values = {name: value for name, value in vars(found).items() if name != "unknown"}
    assert set(values.values()) == {None}
    assert found.unknown.keys() == values.keys()


def test_a_charge_of_zero_is_none(connection: Connection, device: FakeDevice) -> None:
    phone(device, charge=0)
    assert condition_of(connection).unknown["charge_uah"].startswith("its battery has no charge")
