"""Classes of phones from real figures: RAM, processor, storage, battery and power.

Battery sizes and currents are those of the phone's own ``power_profile.xml`` (named as source);
power is current x 3.8 V, Android's own model of a phone. Rates of arithmetic are of one big core,
by its kind. Kryo, A73 and A75 are fitted to published one-thread times of MobileNets on Pixel 1, 2,
3 and 3a (XNNPACK and TensorFlow; ``tests/devices/phone/latencies.py`` has all of them). The others
follow from ratios: A76 is 1.95 of A75 (Paddle-Lite's one-thread times on Snapdragon 855 and 845),
A53 takes XNNPACK's four-thread time on a Raspberry Pi 3+, of which threads keep 80 %; A77 is taken
as A76, and X4, with twice its vector pipes, as twice A76: neither is measured. Memory, storage and
start-up rates are those of the memory and flash generation (LPDDR, eMMC, UFS), sustained.
"""

from dataclasses import dataclass

from droidloop.platform.units import MILLISECOND_US

GIB = 2**30
OPERATOR_CYCLES = 16_000
"""Of a core, to dispatch one operator of a network: see ``tests/devices/phone/latencies.py``."""
FLOPS_PER_CYCLE = {"A53": 2.2, "Kryo": 6.5, "A73": 5.4, "A75": 7.3, "A76": 14.2, "X4": 28.4}
"""Sustained single-precision operations a cycle of one core, by kind."""
_VOLT = 3.8


@dataclass(frozen=True)
class Profile:
    """One class of phones, named after its year and RAM."""

    name: str
    model: str
    source: str
    ram_gib: float
    system_ram_gib: float
    apps_ram_gib: float
    free_storage_gib: float
    battery_mah: int
    idle_ma: float
    screen_ma: float
    core_ma: float
    core_ghz: float
    flops_per_cycle: float
    memory_gb_per_s: float
    storage_mb_per_s: int
    process_start_ms: int
    charger_w: float
    runtime: int
    step_us: float = 0.0
    """What a step of training costs a real device in LiteRT whatever its size, and ..."""
    cell_ns: float = 0.0
    """... for each pair of a touched row and an example: ``devices calibrate`` measures both."""

    @property
    def year(self) -> int:
        """The year in the name; a phone of one's own without one is taken as new."""
        year = self.name[:4]
        return int(year) if year.isdigit() else 2021

    @property
    def ram_bytes(self) -> int:
        """All RAM of the phone."""
        return round(self.ram_gib * GIB)

    @property
    def capacity_uj(self) -> int:
        """The energy of the full battery: mAh x 3.6 x V joules."""
        return round(self.battery_mah * 3.6 * _VOLT * 1e6)

    @property
    def idle_uw(self) -> int:
        """Screen off, radios camped, synchronising now and then (12 mA more than deep sleep)."""
        return round((self.idle_ma + 12.0) * _VOLT * 1000)

    @property
    def use_uw(self) -> int:
        """Screen at half brightness and half a big core busy."""
        return round((0.5 * self.screen_ma + 0.5 * self.core_ma + self.idle_ma) * _VOLT * 1000)

    @property
    def cpu_uw(self) -> int:
        """One big core at its top clock, on top of what the phone draws anyway."""
        return round(self.core_ma * _VOLT * 1000)

    @property
    def flops_per_s(self) -> int:
        """Sustained single-precision operations per second of one big core."""
        return round(self.core_ghz * self.flops_per_cycle * 1e9)

    @property
    def operator_ns(self) -> int:
        """From one operator of a network to the next."""
        return round(OPERATOR_CYCLES / self.core_ghz)

    @property
    def process_start_us(self) -> int:
        """From the start of a process until it can load a model."""
        return self.process_start_ms * MILLISECOND_US


_TREBLE = "power_profile.xml in TrebleDroid/vendor_hardware_overlay ea7d816"

# ram: all, system, apps (GiB); currents: idle, full screen, one big core at top clock (mA);
# core: GHz, operations a cycle; rates: memory GB/s, storage MB/s, process start ms;
# last: charger W, and the runtime it carries (LiteRT X.Y: 100 X + Y, tflite-runtime 2.N: N).
PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            "2017-2gb",
            "bq Aquaris C (Snapdragon 425, Cortex-A53)",
            f"{_TREBLE}, bq/jeice",
            *(2.0, 1.10, 0.55),
            4.0,
            3000,
            *(2.8, 314.0, 126.8),
            *(1.4, FLOPS_PER_CYCLE["A53"]),
            3.0,
            200,
            450,
            5.0,
            14,
        ),
        Profile(
            "2018-3gb",
            "Xiaomi Redmi S2 (Snapdragon 625, Cortex-A53)",
            f"{_TREBLE}, ysl",
            *(3.0, 1.40, 0.90),
            9.0,
            3080,
            *(3.0, 255.0, 76.0),
            *(2.0, FLOPS_PER_CYCLE["A53"]),
            4.0,
            250,
            380,
            10.0,
            14,
        ),
        Profile(
            "2018-4gb",
            "Xiaomi Redmi Note 5 (Snapdragon 636, Cortex-A73 class)",
            "power_profile.xml in 11-whyred-new/device_xiaomi_whyred 04f17474",
            *(4.0, 1.70, 1.40),
            20.0,
            4100,
            *(5.6, 288.0, 222.0),
            *(1.8, FLOPS_PER_CYCLE["A73"]),
            6.0,
            280,
            300,
            10.0,
            200,
        ),
        Profile(
            "2020-6gb",
            "Xiaomi POCO X3 NFC (Snapdragon 732G, Cortex-A76 class)",
            "power_profile.xml in AOSPK-Devices/device_xiaomi_surya c487430a",
            *(6.0, 2.20, 2.00),
            45.0,
            5160,
            *(11.1, 421.6, 347.2),
            *(2.3, FLOPS_PER_CYCLE["A76"]),
            9.0,
            700,
            220,
            18.0,
            200,
        ),
        Profile(
            "2020-8gb",
            "OnePlus 8 (Snapdragon 865, Cortex-A77)",
            "power_profile.xml in AICP/device_oneplus_instantnoodle 9933d541",
            *(8.0, 2.60, 2.60),
            70.0,
            4300,
            *(7.7, 430.0, 366.0),
            *(2.84, FLOPS_PER_CYCLE["A76"]),
            16.0,
            1200,
            160,
            18.0,
            200,
        ),
        Profile(
            "2021-8gb",
            "Xiaomi POCO F3 (Snapdragon 870, Cortex-A77)",
            "power_profile.xml in ALIOTH-DEV-SPACE/device_xiaomi_alioth a1031368",
            *(8.0, 2.60, 2.60),
            80.0,
            4520,
            *(12.9, 503.7, 493.3),
            *(3.2, FLOPS_PER_CYCLE["A76"]),
            18.0,
            1300,
            150,
            18.0,
            200,
        ),
        Profile(
            "2024-12gb",
            "Xiaomi 14 Pro (Snapdragon 8 Gen 3, Cortex-X4)",
            f"{_TREBLE}, shennong",
            *(12.0, 3.40, 3.60),
            150.0,
            4880,
            *(7.1, 504.5, 1333.2),
            *(3.3, FLOPS_PER_CYCLE["X4"]),
            30.0,
            2500,
            110,
            30.0,
            200,
        ),
    )
}
