"""The population: each phone is one row of traits and one of state, drawn by (phone, attribute)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from droidloop.devices.phone.cells import Cells, CellSpec, assign
from droidloop.devices.phone.charging import SLOT_H
from droidloop.devices.phone.thermal import SUSTAINED_US, THROTTLED_PERCENT
from droidloop.devices.phone.world import STATE_DTYPE, TRAITS_DTYPE, Keys, Table, World
from droidloop.network.coverage import REGION_DTYPE, Region
from droidloop.network.direct import DIRECT_DTYPE, DirectLink
from droidloop.network.loss import QUALITY_DTYPE
from droidloop.network.map import MapSpec, build_map
from droidloop.network.movement import MOVER_DTYPE, Map
from droidloop.network.trace import Series, pack
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.units import DAY_US, HOUR_US, NEVER_US

from .faulty import FaultSpec, Plan, plan_of
from .profiles import GIB, PROFILES, Profile
from .radios import BY_PHONE, RATES, RadioTable, quality_rows, radio_table, technology
from .radios import MBIT as MBIT
from .stays import STAY_DTYPE, ChurnSpec, Stays, first_of, last_deaths, stays_of

REGIONS = {
    "urban": Region(covered_share=0.985, gap_s=45.0, fade_share=0.01),
    "suburban": Region(covered_share=0.96, gap_s=86.0, fade_share=0.02, rate_percent=90),
    "rural": Region(covered_share=0.85, gap_s=300.0, fade_share=0.03, rate_percent=70),
    "remote": Region(covered_share=0.60, gap_s=900.0, fade_share=0.05, rate_percent=50),
}


@dataclass(frozen=True)
class PopulationSpec:
    """What a population is made of; shares are weights and need not sum to 1."""

    phones: int
    profiles: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PROFILES, 1.0))
    regions: dict[str, float] = field(
        default_factory=lambda: {"urban": 0.5, "suburban": 0.3, "rural": 0.15, "remote": 0.05}
    )
    radios: dict[str, float] | None = None
    """Those of the year if not given, ``radio_table``."""
    radio_year: str = BY_PHONE
    operator: str = "verizon"
    """Whose timers radios of 2021 keep to."""
    loss: bool = False
    slow_start: bool = False
    throttling: bool = False
    map: MapSpec | None = None
    cells: CellSpec | None = None
    direct: DirectLink | None = None
    wifi_share: float = 0.85
    off_at_night_share: float = 0.1
    battery_floor: float = 0.15
    churn: ChurnSpec = field(default_factory=ChurnSpec)
    faults: tuple[FaultSpec, ...] = ()
    start_hour: float = 0.0
    """Local time at which the run starts, in the middle of the population."""
    time_spread_h: float = 0.0
    """Between the earliest and the latest local time: time zones."""
    ideal: bool = False
    region_table: dict[str, Region] = field(default_factory=lambda: dict(REGIONS))
    profile_table: dict[str, Profile] = field(default_factory=lambda: dict(PROFILES))
    rate_series: list[Series] = field(default_factory=list)
    up_series: list[Series] = field(default_factory=list)
    """Uplinks, one for each of *rate_series*; none: the phone's own ratio to the downlink."""
    charge_series: list[Series] = field(default_factory=list)


@dataclass(frozen=True)
class Population:
    """A population: the *world* that laws read, and the names behind its numbers.

    *stays* say when its phones are there, *faults* what goes wrong. *of_class* returns traits and
    state of all phones as they would be in that class: of the same owners, with their habits,
    links and places.
    """

    world: World
    profiles: list[str]
    regions: list[str]
    radios: list[str]
    cells: Cells | None = None
    stays: Stays = field(default_factory=lambda: np.zeros(0, STAY_DTYPE))
    of_class: Callable[[int], tuple[Table, Table]] | None = None
    faults: Plan = field(default_factory=Plan)

    def __len__(self) -> int:
        return len(self.world.traits)

    @property
    def traits(self) -> Table:
        """What the phones are, one row each."""
        return self.world.traits

    @property
    def state(self) -> Table:
        """How the phones stand, one row each."""
        return self.world.state


def build(spec: PopulationSpec, draws: Draws) -> Population:
    """Return the population of *spec*; phone *i* is the same whatever the number of phones."""
    phones = np.arange(spec.phones)
    profiles, regions = list(spec.profiles), list(spec.regions)
    table = radio_table(
        spec.radio_year,
        [spec.profile_table[name].year for name in profiles],
        spec.radios,
        operator=spec.operator,
        slow_start=spec.slow_start,
    )
    radios = table.names
    faults = plan_of(spec.faults, draws.child("faults"))
    deaths = last_deaths(spec.churn.empty_share, spec.phones, draws.child("last death"))

    def of_class(profile: IntArray | int) -> tuple[Table, Table]:
        traits = _traits(spec, table, phones, draws, profile)
        traits["faults"] = faults.masks(regions, traits["region"])
        traits["last_death"] = deaths
        return traits, _initial_state(traits, phones, draws.child("battery"))

    stays = stays_of(spec.churn, spec.phones, spec.profiles, draws.child("habit"))
    now = stays[first_of(stays)]
    drawn = _assign(spec.profiles, phones, draws.child("profile"))
    traits, state = of_class(np.where(now["profile"] < 0, drawn, now["profile"]))
    traits["join_us"], traits["leave_us"] = now["join_us"], now["leave_us"]
    world = World(
        traits,
        state,
        table.rows,
        np.concatenate([spec.region_table[name].row() for name in regions]).astype(REGION_DTYPE),
        *pack(spec.rate_series + spec.charge_series + spec.up_series),
        Keys(*(draws.child(name).key for name in Keys._fields)),
        quality_rows(table) if spec.loss else np.zeros(0, QUALITY_DTYPE),
        _map(spec, traits, draws.child("map")),
        np.zeros(0, DIRECT_DTYPE) if spec.direct is None else spec.direct.row(),
        faults.entries,
        faults.windows,
    )
    cells = assign(spec.cells, spec.phones, draws.child("cell")) if spec.cells else None
    return Population(world, profiles, regions, radios, cells, stays, of_class, faults)


def _traits(
    spec: PopulationSpec, table: RadioTable, phones: IntArray, draws: Draws, profile: IntArray | int
) -> Table:
    """Return what *phones* are if they are of the class *profile*, a number or one each."""
    profiles, radios = list(spec.profiles), table.names
    traits = np.zeros(len(phones), TRAITS_DTYPE)
    traits["profile"] = profile
    traits["region"] = _assign(spec.regions, phones, draws.child("region"))
    edges = np.cumsum(table.chances, axis=1)
    chance = draws.child("radio").uniform(phones, 0)
    passed = chance[:, None] >= (edges / edges[:, -1:])[traits["profile"]]
    traits["radio"] = passed.sum(axis=1)
    has_wifi = draws.child("wifi").uniform(phones, 0) < spec.wifi_share
    traits["wifi"] = np.where(has_wifi | spec.ideal, table.wifi[traits["profile"]], -1)
    traits["ideal"] = spec.ideal
    _hardware(traits, [spec.profile_table[name] for name in profiles], phones, draws)
    _links(traits, radios, phones, draws.child("rate"))
    _habits(traits, spec, phones, draws.child("habit"))
    _series(traits, spec, phones, draws.child("series"))
    traits["floor_uj"] = (traits["capacity_uj"] * spec.battery_floor).astype(np.int64)
    traits["throttle_us"] = SUSTAINED_US if spec.throttling and not spec.ideal else NEVER_US
    traits["throttle_percent"] = THROTTLED_PERCENT
    if spec.ideal:
        _unlimit(traits)
    return traits


def _map(spec: PopulationSpec, traits: Table, draws: Draws) -> Map:
    """Return the map of *spec* with its phones on it; without one, a map of nobody."""
    if spec.map is None:
        nothing = np.zeros((1, 1), np.bool_)
        return Map(nothing, nothing.copy(), 1, np.zeros(0, MOVER_DTYPE), draws.child("stops").key)
    made = build_map(spec.map, spec.phones, draws)
    made.movers["zone_us"] = traits["zone_us"]
    return made


def _assign(weights: dict[str, float], phones: IntArray, draws: Draws) -> IntArray:
    """Return for each phone the number of one of *weights*, drawn by weight."""
    edges = np.cumsum(list(weights.values()))
    return np.searchsorted(edges / edges[-1], draws.uniform(phones, 0), side="right")


def _hardware(traits: Table, profiles: list[Profile], phones: IntArray, draws: Draws) -> None:
    def column(values: list[Any]) -> Any:
        return np.asarray(values)[traits["profile"]]

    for name in ("ram_bytes", "capacity_uj", "idle_uw", "use_uw", "cpu_uw", "flops_per_s"):
        traits[name] = column([getattr(profile, name) for profile in profiles])
    traits["process_start_us"] = column([profile.process_start_us for profile in profiles])
    traits["operator_ns"] = column([profile.operator_ns for profile in profiles])
    traits["runtime"] = column([profile.runtime for profile in profiles])
    traits["system_ram_bytes"] = column([round(p.system_ram_gib * GIB) for p in profiles])
    traits["memory_bytes_per_s"] = column([round(p.memory_gb_per_s * 1e9) for p in profiles])
    traits["storage_bytes_per_s"] = column([p.storage_mb_per_s * 1_000_000 for p in profiles])
    traits["charge_uw"] = column([round(p.charger_w * 1e6) for p in profiles])
    # what apps take and what storage is left differ between owners: half to one and a half times
    spread = 0.5 + draws.child("apps").uniform(phones, 0)
    traits["apps_ram_bytes"] = column([p.apps_ram_gib * GIB for p in profiles]) * spread
    spread = 2.0 * draws.child("storage").uniform(phones, 0)
    traits["free_storage_bytes"] = column([p.free_storage_gib * GIB for p in profiles]) * spread
    # batteries age: 80 to 100 % of the new capacity
    health = 800 + draws.child("health").integers(phones, 0, 201)
    traits["capacity_uj"] = traits["capacity_uj"] // 1000 * health
    traits["boot_uj"] = traits["capacity_uj"] // 50


def _links(traits: Table, radios: list[str], phones: IntArray, draws: Draws) -> None:
    laws = [RATES[technology(name)] for name in radios]
    cell, wifi = draws.normal(phones, 0), draws.normal(phones, 1)
    radio = traits["radio"]
    for way in ("down", "up"):
        median = np.array([getattr(law, f"{way}_mbps") for law in laws])[radio]
        sigma = np.array([law.sigma for law in laws])[radio]
        traits[f"cell_{way}_rate"] = np.maximum(median * np.exp(sigma * cell) * MBIT, 1000)
        law = RATES["wifi"]
        rate = getattr(law, f"{way}_mbps") * np.exp(law.sigma * wifi) * MBIT
        traits[f"wifi_{way}_rate"] = np.maximum(rate, 10_000)


def _habits(traits: Table, spec: PopulationSpec, phones: IntArray, draws: Draws) -> None:
    def around(hours: float, spread_h: float, counter: int) -> Any:
        # a sum of two uniforms: bell-shaped, and bounded as the laws need it
        bell = draws.uniform(phones, 2 * counter) + draws.uniform(phones, 2 * counter + 1) - 1.0
        return ((hours + spread_h * bell) * HOUR_US).astype(np.int64)

    traits["bed_us"] = around(23.0, 2.0, 0)
    traits["sleep_us"] = around(7.25, 1.0, 1)
    traits["away_us"] = around(8.0, 1.5, 2)
    traits["home_us"] = around(17.5, 2.0, 3)
    spread_h = spec.time_spread_h * (draws.uniform(phones, 11) - 0.5)
    traits["zone_us"] = ((spec.start_hour + spread_h) * HOUR_US).astype(np.int64)
    # hours of use and slots of charging begin at another minute on each phone
    traits["use_shift_us"] = (draws.uniform(phones, 12) * HOUR_US).astype(np.int64)
    traits["charge_shift_us"] = (draws.uniform(phones, 13) * SLOT_H * HOUR_US).astype(np.int64)
    traits["off_at_night"] = draws.uniform(phones, 8) < spec.off_at_night_share
    traits["leave_us"] = NEVER_US


def _series(traits: Table, spec: PopulationSpec, phones: IntArray, draws: Draws) -> None:
    traits["rate_series"] = traits["charge_series"] = traits["up_series"] = -1
    if spec.up_series and len(spec.up_series) != len(spec.rate_series):
        raise ValueError("up_series must be as many as rate_series, or none")
    for name, offset, first, series in (
        ("rate_series", "offset_us", 0, spec.rate_series),
        ("charge_series", "charge_offset_us", len(spec.rate_series), spec.charge_series),
    ):
        if not series:
            continue
        which = draws.integers(phones, first, len(series))
        traits[name] = first + which
        if name == "charge_series":
            # local time, on any day of the recording
            days = np.array([one.span_us for one in series])[which] // DAY_US
            day = (draws.uniform(phones, first + 2_000_000) * days).astype(np.int64)
            traits[offset] = traits["zone_us"] + day * DAY_US
        else:
            # whole seconds, so that playback is exact to the byte
            spans_s = np.array([one.span_us for one in series])[which] // 1_000_000
            shift = draws.uniform(phones, first + 1_000_000) * spans_s
            traits[offset] = shift.astype(np.int64) * 1_000_000
            if spec.up_series:
                traits["up_series"] = len(spec.rate_series) + len(spec.charge_series) + which


def _unlimit(traits: Table) -> None:
    """Lift every limit but time and energy: what remains is what learning alone takes."""
    traits["charge_uw"] = 100_000_000
    traits["ram_bytes"] = 2**50
    traits["free_storage_bytes"] = 2**50
    traits["runtime"] = np.iinfo(np.int32).max
    traits["floor_uj"] = 0


def _initial_state(traits: Table, phones: IntArray, draws: Draws) -> Table:
    state = np.zeros(len(phones), STATE_DTYPE)
    level = 250 + draws.integers(phones, 0, 701)
    state["battery_uj"] = np.where(
        traits["ideal"], traits["capacity_uj"], traits["capacity_uj"] // 1000 * level
    )
    state["cell_end_us"] = state["wifi_end_us"] = -1
    state["version"] = -1
    return state
