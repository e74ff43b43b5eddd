"""The scenario: one TOML file with everything that a run needs, and nothing else.

Unknown keys and wrong types are refused at this border; past it, code trusts its types. Times are
in hours and seconds here, integers of microseconds inside.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

if TYPE_CHECKING:
    from droidloop.network.map import MapSpec

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Weights = dict[str, Annotated[float, Field(ge=0.0)]]


class Section(BaseModel):
    """A table of the file: no unknown keys, no silent conversions, no infinities."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Columns(Section):
    """The names of the columns of a CSV or Parquet file."""

    user: str = "user"
    item: str = "item"
    rating: str | None = None
    time: str | None = None


class DataSection(Section):
    """Where the interactions come from: a user's files, or the synthetic generator."""

    path: str | None = None
    format: Literal["ml-100k", "ml-1m", "csv", "parquet"] | None = None
    columns: Columns | None = None
    users: PositiveInt = 500
    items: PositiveInt = 600
    interactions: PositiveInt = 40
    """Mean number of interactions of a synthetic user."""


class RegionSection(Section):
    """A region of one's own, or other figures for a known one."""

    covered_share: Annotated[float, Field(gt=0.0, le=1.0)]
    gap_s: PositiveFloat
    fade_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    fade_s: PositiveFloat = 2.0
    rate_percent: PositiveInt = 100


class MapSection(Section):
    """A map of cells that phones move on: coverage as a share of places."""

    preset: Literal["optus"] = "optus"
    area_share: Share | None = None
    remote_share: Share | None = None
    remote_area: Share | None = None
    remote_phones: Share | None = None
    cells: PositiveInt | None = None
    cell_m: PositiveInt | None = None
    towns: PositiveInt | None = None

    def spec(self) -> "MapSpec":
        """Return the preset with what was given in its place."""
        from dataclasses import replace

        from droidloop.network.map import OPTUS

        given = self.model_dump(exclude={"preset"}, exclude_none=True)
        return replace(OPTUS, **given)


class CellsSection(Section):
    """Cells whose capacity the phones in them share."""

    phones: PositiveInt = 50
    """About how many a cell."""
    down_mbps: PositiveFloat = 30.0
    up_mbps: PositiveFloat = 8.0


class PopulationSection(Section):
    """Who takes part: what the phones are, where they are, how they come and go."""

    phones: PositiveInt | None = None
    """How many; one a user if not given. Fewer phones take a seeded choice of the users."""
    ideal: bool = False
    """Phone limits off: always on, idle, charging, at home, with RAM and storage to spare."""
    profiles: Weights | None = None
    profile_files: list[str] = []
    """Profiles of one's own, as `droidloop devices calibrate` writes them, to name above."""
    regions: Weights | None = None
    region: dict[str, RegionSection] = {}
    radios: Weights | None = None
    radio_year: Literal["2009", "2011", "2012", "2021"] = "2012"
    """The year in which the radios' powers were measured; years are never mixed."""
    loss: bool = False
    """Round trips by chance, and bursts of loss. The rates of radios are what losses leave in
    recordings, so this is an upper bound of the harm."""
    throttling: bool = False
    """Phones that compute for long slow down."""
    map: MapSection | None = None
    """Coverage from a map, and not from the regions' gaps."""
    cell: CellsSection | None = None
    """Shared capacity; `play = "exact"` alone."""
    wifi_share: Share = 0.85
    off_at_night_share: Share = 0.1
    battery_floor: Share = 0.15
    lifetime_days: PositiveFloat | None = None
    arrivals_days: Annotated[float, Field(ge=0.0)] = 0.0
    assignment: Literal["independent", "activity"] = "independent"
    """Which user has which phone: chance, or the more active user the faster phone."""
    rate_traces: str | None = None
    """A folder or file of recorded link rates to play back; four formats are known."""
    uplink_share: Annotated[float, Field(gt=0.0, le=10.0)] | Literal["recorded"] | None = None
    """Of the recorded downlink; that of the commonest radio's technology if not given."""
    charging_windows: str | None = None
    """A CSV ``device,start_s,end_s`` of recorded charging windows to play back."""


class ModelSection(Section):
    """The recommender and its table."""

    kind: Literal["mf"] = "mf"
    dim: PositiveInt = 32
    loss: Literal["log", "bpr"] = "log"


class TrainingSection(Section):
    """What a phone does with its data, and the server with the answers."""

    rule: Literal["fedmf"] = "fedmf"
    upload: Literal["part", "full"] = "part"
    learning_rate: PositiveFloat = 0.05
    l2: Annotated[float, Field(ge=0.0)] = 0.0
    epochs: PositiveInt = 1
    batch: PositiveInt = 256
    negatives: PositiveInt = 4
    server: Literal["rowmean", "fedavg", "mean", "sum"] = "rowmean"
    server_step: PositiveFloat = 2.0


class RoundsSection(Section):
    """Synchronous rounds: who is asked, when, and until when the server waits."""

    kind: Literal["rounds"] = "rounds"
    rounds: PositiveInt = 20
    every_s: PositiveFloat = 1800.0
    deadline_s: PositiveFloat = 1200.0
    clients: PositiveInt | None = None
    """How many phones a round; all that are eligible if not given."""
    min_battery: Share = 0.3
    idle: bool = False
    charging: bool = False
    unmetered: bool = False


class DeliverySection(Section):
    """What ships to the phones after training, and the lists that they then compute."""

    variant: Literal["float32", "int8"] = "int8"
    deadline_s: PositiveFloat = 10800.0
    run_within_s: PositiveFloat = 3600.0
    """How long a phone has for its list; it may be switched off at first."""
    lists: PositiveInt = 1
    """How many times each reached phone computes its list."""
    charging: bool = False
    unmetered: bool = False


class EvaluationSection(Section):
    """How quality is measured; all of it per user."""

    protocol: Literal["clean", "pfedrec"] = "clean"
    """Training negatives: what is not in training, or (leaky) what was never rated at all."""
    k: PositiveInt = 10
    candidates: PositiveInt = 99
    every: PositiveInt = 1
    """Rounds between two validations."""
    baselines: list[Literal["popularity", "itemknn", "mf"]] = ["popularity", "itemknn", "mf"]


class AndroidSection(Section):
    """A real device in the place of a phone of the population."""

    serial: Annotated[str, Field(min_length=1, max_length=256)]
    """As `droidloop devices list` shows it."""
    phone: Annotated[int, Field(ge=0)] | None = None
    """The row that it stands for; the first one that is free if not given."""


class DevicesSection(Section):
    """The real devices that take part."""

    android: list[AndroidSection] = []


class Scenario(Section):
    """A whole scenario."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    seed: Annotated[int, Field(ge=0)] = 1
    play: Literal["cohort", "exact"] = "cohort"
    data: DataSection = DataSection()
    population: PopulationSection = PopulationSection()
    model: ModelSection = ModelSection()
    training: TrainingSection = TrainingSection()
    protocol: RoundsSection = RoundsSection()
    delivery: DeliverySection = DeliverySection()
    evaluation: EvaluationSection = EvaluationSection()
    devices: DevicesSection = DevicesSection()

    @model_validator(mode="after")
    def _names_exist(self) -> "Scenario":
        from droidloop.devices.population import REGIONS
        from droidloop.devices.profile_files import profile_table
        from droidloop.devices.radios import cellular_radios
        from droidloop.network.gaps import FITTED

        population = self.population
        known = {
            "profiles": list(profile_table(population.profile_files)),
            "regions": [*REGIONS, *FITTED, *population.region],
            "radios": cellular_radios(population.radio_year),
        }
        for key, names in known.items():
            weights = getattr(population, key)
            if weights is None:
                continue
            for name in weights:
                if name not in names:
                    raise ValueError(
                        f"[population.{key}] has no {name!r}; choose from {', '.join(names)}"
                    )
            if not sum(weights.values()) > 0:
                raise ValueError(f"[population.{key}] weights sum to 0; give one that is positive")
        return self

    @model_validator(mode="after")
    def _shared_cells_are_exact(self) -> "Scenario":
        if self.population.cell is not None and self.play != "exact":
            raise ValueError(
                f"play = {self.play!r} cannot share a cell's capacity; "
                'set play = "exact" or leave [population.cell] out'
            )
        return self

    @model_validator(mode="after")
    def _map_can_be_made(self) -> "Scenario":
        if self.population.map is not None:
            try:
                self.population.map.spec()
            except ValueError as error:
                raise ValueError(f"[population.map] {error}") from error
        return self

    @model_validator(mode="after")
    def _deadline_within_round(self) -> "Scenario":
        if self.protocol.deadline_s > self.protocol.every_s:
            raise ValueError(
                f"protocol.deadline_s = {self.protocol.deadline_s} is longer than "
                f"protocol.every_s = {self.protocol.every_s}; a round must end before the next"
            )
        return self

    def resolved(self) -> dict[str, Any]:
        """Return everything that was given or defaulted, for the manifest."""
        return self.model_dump(mode="json")
