"""The scenario: one TOML file with everything that a run needs, and nothing else.

Unknown keys and wrong types are refused at this border; past it, code trusts its types. Times are
in hours and seconds here, integers of microseconds inside.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from droidloop.platform.section import Section

from .learning_sections import FedMFSection, ModelSection, TrainingSection
from .population_section import PopulationSection
from .protocol_sections import ProtocolSection, RoundsSection

TAGS = {"training": ("rule", "fedmf"), "protocol": ("kind", "rounds")}
"""The sections of several kinds: the key that tells which, and the kind where it is not given."""


class Columns(Section):
    """The names of the columns of a CSV or Parquet file."""

    user: str = "user"
    item: str = "item"
    rating: str | None = None
    time: str | None = None


class DataSection(Section):
    """Where the interactions come from: a user's files, or the synthetic generator."""

    path: str | None = None
    format: Literal["ml-100k", "ml-1m", "csv", "parquet", "foursquare-nyc"] | None = None
    columns: Columns | None = None
    users: PositiveInt = 500
    items: PositiveInt = 600
    interactions: PositiveInt = 40
    """Mean number of interactions of a synthetic user."""
    places: bool = False
    """Synthetic items are places in a city, interactions check-ins; people come back."""


class DeliverySection(Section):
    """What ships to the phones after training, and the lists that they then compute."""

    variant: Literal["float32", "int8", "none"] = "int8"
    """``none``: nothing ships, as where every phone has learned a model of its own."""
    deadline_s: PositiveFloat = 10800.0
    run_within_s: PositiveFloat = 3600.0
    """How long a phone has for its list; it may be switched off at first."""
    lists: PositiveInt = 1
    """How many times each reached phone computes its list."""
    charging: bool = False
    unmetered: bool = False


class EvaluationSection(Section):
    """How quality is measured."""

    protocol: Literal["clean", "pfedrec"] = "clean"
    """Training negatives: what is not in training, or (leaky) what was never rated at all."""
    k: PositiveInt = 10
    candidates: PositiveInt = 99
    every: PositiveInt = 1
    """Rounds between two validations."""
    metrics: list[str | dict[str, Any]] | None = None
    """By name, or as a table with a name and keys, `{name = "ndcg", k = 5}`; `hr`, `ndcg` and
    `recall` at `k` if not given, `auc` for what ranks no items."""
    best_by: str | None = None
    """The metric by which the best round is chosen; the first one if not given."""
    baselines: list[Literal["popularity", "itemknn", "mf", "neumf", "lightgcn"]] = Field(
        default=["popularity", "itemknn", "mf"]
    )


class AndroidSection(Section):
    """A real device in the place of a phone of the population."""

    serial: Annotated[str, Field(min_length=1, max_length=256)]
    """As `droidloop devices list` shows it."""
    phone: Annotated[int, Field(ge=0)] | None = None
    """The row that it stands for; the first one that is free if not given."""


class DevicesSection(Section):
    """The real devices that take part."""

    android: list[AndroidSection] = Field(default_factory=list)
    impose: bool = False
    """Whether each shows link and battery of its row while it works; always taken back."""


class Scenario(Section):
    """A whole scenario."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: str
    seed: Annotated[int, Field(ge=0)] = 1
    play: Literal["cohort", "exact"] = "cohort"
    data: DataSection = DataSection()
    population: PopulationSection = PopulationSection()
    model: ModelSection = ModelSection()
    training: TrainingSection = FedMFSection()
    protocol: ProtocolSection = RoundsSection()
    delivery: DeliverySection = DeliverySection()
    evaluation: EvaluationSection = EvaluationSection()
    devices: DevicesSection = DevicesSection()

    @model_validator(mode="before")
    @classmethod
    def _kinds_have_defaults(cls, content: Any) -> Any:
        for name, (tag, kind) in TAGS.items():
            table = content.get(name) if isinstance(content, dict) else None
            if isinstance(table, dict) and tag not in table:
                content = {**content, name: {tag: kind, **table}}
        return content

    @model_validator(mode="after")
    def _names_exist(self) -> "Scenario":
        from droidloop.devices.population.population import REGIONS
        from droidloop.devices.population.profile_files import profile_table
        from droidloop.devices.population.radios import cellular_radios
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

    def resolved(self) -> dict[str, Any]:
        """Return everything that was given or defaulted, for the manifest."""
        return self.model_dump(mode="json")
