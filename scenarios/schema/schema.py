"""The scenario: one TOML file with everything that a run needs, and nothing else.

Unknown keys and wrong types are refused at this border; past it, code trusts its types. Times are
in hours and seconds here, integers of microseconds inside.
"""

from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from droidloop.devices.phone.faults import MOST
from droidloop.platform.registry import Method
from droidloop.platform.section import (
    PEOPLE,
    Count,
    CountOrNone,
    File,
    ListLength,
    Mbps,
    Name,
    Number,
    People,
    SecondsOrNone,
    Section,
    Seed,
    Text,
)

from .chosen import chosen, list_of, method_of, section_of
from .churn_section import ChurnSection
from .delivery_section import DeliverySection
from .population_section import PopulationSection
from .turns import Turns


class Columns(Section):
    """The names of the columns of a CSV or Parquet file."""

    user: Name = "user"
    """Whose event it is."""
    item: Name = "item"
    """What it was about."""
    rating: Name | None = None
    """How it was liked; every event counts as 1 if not given."""
    time: Name | None = None
    """When, in seconds; unknown if not given."""


class DataSection(Section):
    """Where the interactions come from: a user's files, or the synthetic generator."""

    path: File | None = None
    """A file or a folder of one's own; synthetic data if not given."""
    format: Literal["ml-100k", "ml-1m", "csv", "parquet", "foursquare-nyc"] | None = None
    """Of the file; its name says if not given."""
    columns: Columns | None = None
    """The names of its columns; the usual ones are looked for if not given."""
    repeats: Literal["keep", "drop"] | None = None
    """Whether an item that a user had before counts again: `drop` leaves each user's first event of
    it. Not given: kept where items are places, to which people come back, and dropped elsewhere, so
    that nothing is asked for that is known from training."""
    users: People = 500
    """How many synthetic users."""
    items: Annotated[int, Field(ge=10, le=PEOPLE)] = 600
    """How many synthetic items."""
    interactions: Annotated[int, Field(ge=5, le=100_000)] = 40
    """Mean number of interactions of a synthetic user."""
    places: bool = False
    """Synthetic items are places in a city, interactions check-ins; people come back."""
    clock_starts_s: SecondsOrNone | None = None
    """The time of the data, in their own seconds, at which the run begins: what happens later than
    the clock is not yet learned from, weighed or paid for. All is known if not given."""


class EvaluationSection(Section):
    """How quality is measured."""

    protocol: Literal["clean", "pfedrec"] = "clean"
    """Training negatives: what is not in training, or (leaky) what was never rated at all."""
    k: ListLength = 10
    """How many items a list has."""
    candidates: People = 99
    """Items that the user never had, among which the held-out one is ranked."""
    every: Count = 1
    """Rounds between two validations."""
    metrics: list[str | dict[str, Any]] | None = None
    """By name, or as a table with a name and keys, `{name = "ndcg", k = 5}`; `hr`, `ndcg` and
    `recall` at `k` if not given, `auc` for what ranks no items."""
    best_by: Name | None = None
    """The metric by which the best round is chosen; the first one if not given."""
    baselines: list[Name] = Field(default=["popularity", "itemknn", "ease", "ials", "mf"])
    """What the trained model is printed beside: popularity, itemknn, ease, ials, or a recommender
    that one place can train; on check-ins also visits, visits-by-hour, visits-by-age,
    visits-then-near, popular-near, popular-near-home and next-place, trained in one place.
    Regularisers, neighbourhoods and laws of places are chosen on validation."""


class AndroidSection(Section):
    """A real device in the place of a phone of the population; rates and charge are imposed."""

    serial: Annotated[str, Field(min_length=1, max_length=256)]
    """As `droidloop devices list` shows it."""
    phone: Number | None = None
    """The row that it stands for; the first one that is free if not given."""
    label: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")] | None = None
    """What people call it, to tell phones of one model apart."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """How many threads compute a job."""
    cores: list[Annotated[int, Field(ge=0, le=1023)]] = Field(default_factory=list)
    """The cores that its jobs keep to; all if none is given."""
    up_mbps: Mbps | None = None
    """What its uplink is slowed to; as it is if not given."""
    down_mbps: Mbps | None = None
    """What its downlink is slowed to; as it is if not given."""
    covered: bool = True
    """Whether it has a network at all."""
    level_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """The charge that it shows; its own if not given."""
    charging: bool = True
    """Whether it shows a charger, where a charge is imposed."""


class DevicesSection(Section):
    """The real devices that take part."""

    android: list[AndroidSection] = Field(default_factory=list)
    """Which, each a table."""
    impose: bool = False
    """Whether each shows link and battery of its row while it works; always taken back."""


class Scenario(Section):
    """A whole scenario."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    """Of the scenario: small letters, digits and hyphens."""
    title: Text
    """What it shows, in a line."""
    seed: Seed = 1
    """Of all chance in a run."""
    play: Literal["cohort", "exact"] = "cohort"
    """Cohorts in one call, or a process for each phone: slower, with an equal ledger."""
    checkpoint_every: CountOrNone = 1
    """Turns between two checkpoints, from which a killed run goes on; 0: there are none. One that
    would take more than a hundredth of the time is put off. Runs over shared cells have none, nor
    those of a protocol or server that keeps no state."""
    data: DataSection = DataSection()
    """What users had."""
    population: PopulationSection = PopulationSection()
    """The phones."""
    churn: ChurnSection = ChurnSection()
    """Who comes and goes."""
    faults: list[Section] = Field(default_factory=list, max_length=MOST)
    """What goes wrong, each a table with its `kind`."""
    unlearning: Section
    """What is done about those who ask to be forgotten."""
    model: Section
    """The recommender."""
    training: Section
    """The rule of learning."""
    protocol: Turns
    """Who talks to whom when."""
    delivery: DeliverySection = DeliverySection()
    """What ships after training."""
    evaluation: EvaluationSection = EvaluationSection()
    """How quality is measured."""
    devices: DevicesSection = DevicesSection()
    """Real devices among the phones."""

    @classmethod
    def of(cls, content: dict[str, Any]) -> "Scenario":
        """Return the scenario that *content* says, checked.

        Raises:
            ScenarioError: it chooses what there is not, or what does not go together.
            pydantic.ValidationError: a key is unknown, or a value is not what it must be.
        """
        made, content = cls.typed(content)
        return made.checked(content)

    @classmethod
    def typed(cls, content: dict[str, Any]) -> tuple[type["Scenario"], dict[str, Any]]:
        """Return the type that fits what *content* chooses, and *content* as it is read.

        Raises:
            ScenarioError: it chooses what there is not.
        """
        rule = chosen(content.get("training"), "rule", "fedmf")
        usual = {"recommender": "mf", "protocol": "rounds", **rule.usual}
        methods = {
            "training": rule,
            "model": chosen(content.get("model"), "recommender", usual["recommender"]),
            "protocol": chosen(content.get("protocol"), "protocol", usual["protocol"]),
            "unlearning": chosen(content.get("unlearning"), "unlearning", "none"),
        }
        kinds: dict[str, Any] = {}
        for key, method in methods.items():
            kinds[key], read = section_of(method, content.get(key))
            if key in content:
                content = {**content, key: read}
        kinds["faults"], read = list_of("fault", content.get("faults"))
        if "faults" in content:
            content = {**content, "faults": read}
        return _typed(cls, tuple(kinds.items())), content

    @classmethod
    def checked(cls, content: dict[str, Any]) -> "Scenario":
        """Return *content* as a scenario of this type whose choices go together.

        Raises:
            ScenarioError: they do not.
            pydantic.ValidationError: a key is unknown, or a value is not what it must be.
        """
        from .fit import require_fit

        scenario = cls.model_validate(content)
        require_fit(scenario)
        return scenario

    @property
    def rule(self) -> Method:
        """The rule of learning."""
        return method_of("rule", self.training)

    @property
    def recommender(self) -> Method:
        """The recommender."""
        return method_of("recommender", self.model)

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


@lru_cache(maxsize=256)  # making a type takes pydantic 10 ms
def _typed(base: type[Scenario], kinds: tuple[tuple[str, Any], ...]) -> type[Scenario]:
    """Return *base* with sections of those *kinds*."""
    fields: dict[str, Any] = {key: (kind, Field(default_factory=kind)) for key, kind in kinds}
    fields["faults"] = (dict(kinds)["faults"], Field(default_factory=list, max_length=MOST))
    return create_model(base.__name__, __base__=base, **fields)
