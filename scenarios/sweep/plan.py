"""The file of a sweep: a base scenario, what is varied in it, seeds, and the runs that come of it.

A key is written as in a scenario: ``protocol.clients = [5, 10]`` in ``[grid]``. A table among the
values of a key stands for a whole section.
"""

import hashlib
import itertools
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.section import Count, Section, Seed
from droidloop.scenarios.schema.load import check, find, one_line, put, read
from droidloop.scenarios.schema.schema import Scenario

MAX_RUNS = 10_000
"""More are a slip: a grid grows with each key."""
_WAYS = ("grid", "points", "random")
_RANGE = {"low", "high"}


class RandomSection(Section):
    """Points that are drawn, one value a key."""

    count: Count
    """How many points."""
    seed: Seed = 1
    """Of the draws of points; that of a run is another."""
    keys: dict[str, Any]
    """For each key a list to choose from, or `{low = ..., high = ..., log = false}`: whole numbers
    if both are whole, both ends included."""


class SweepSection(Section):
    """The file of a sweep."""

    base: str
    """A scenario of the library, or a file beside this one."""
    seeds: list[Seed] = Field(default=[1], min_length=1)
    """Every point is run with each of them."""
    fixed: dict[str, Any] = Field(default_factory=dict)
    """Keys that are the same in all runs and not as in the base."""
    grid: dict[str, Any] = Field(default_factory=dict)
    """For each key a list of values: every combination is a point."""
    labels: dict[str, Any] = Field(default_factory=dict)
    """For keys of the grid a word for each value: what tables and charts call it."""
    points: list[dict[str, Any]] = Field(default_factory=list)
    """The points, each with its keys."""
    random: RandomSection | None = None
    """Points that are drawn."""

    @model_validator(mode="after")
    def _one_way(self) -> "SweepSection":
        given = [name for name in _WAYS if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                f"varies keys by {' and '.join(given) or 'nothing'}; give one of "
                "[grid], [[points]] and [random]"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds = {self.seeds}: give each once")
        return self


@dataclass(frozen=True)
class Planned:
    """A run of a sweep: the values of its varied keys, and its scenario, checked and resolved.

    ``label`` is what the file calls its point; empty: nothing.
    """

    changes: dict[str, Any]
    scenario: Scenario
    label: str = ""

    @property
    def folder(self) -> str:
        """The name of its directory: it tells the scenario, whatever else the sweep has."""
        content = {key: v for key, v in self.scenario.resolved().items() if key != "seed"}
        # the order of keys counts, as that of weights does
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        return f"{digest[:10]}-{self.scenario.seed}"


@dataclass(frozen=True)
class Plan:
    """A sweep: its name, the keys that it varies, and its runs, each once."""

    name: str
    keys: list[str]
    runs: list[Planned]


def plan_of(source: Path | Mapping[str, Any]) -> Plan:
    """Return the plan in the file *source*, or in the tables of one.

    Raises:
        ScenarioError: it, its base or one of its runs is not right; nothing has been run.
    """
    if isinstance(source, Path):
        content, place, name, beside = read(source), str(source), source.stem, source.parent
    else:
        content, place, name, beside = dict(source), "sweep", "sweep", Path()
    try:
        section = SweepSection.model_validate(content)
    except ValidationError as error:
        raise ScenarioError(f"{place}: {one_line(error, SweepSection)}") from error
    base = read(_base(section.base, beside, place))
    runs: dict[str, Planned] = {}
    keys: dict[str, None] = {}
    for point in _points(section, place):
        keys |= dict.fromkeys(point)
        changes = dict(_flat(section.fixed)) | point
        for seed in section.seeds:
            scenario = _scenario(base, changes | {"seed": seed}, point, place)
            planned = Planned(point, scenario, _label(point, section, place))
            runs.setdefault(planned.folder, planned)
    return Plan(name, list(keys), list(runs.values()))


def _label(point: dict[str, Any], section: SweepSection, place: str) -> str:
    """Return what ``[labels]`` calls *point*; empty where there are none."""
    words = dict(_flat(section.labels))
    axes = dict(_flat(section.grid))
    for key, given in words.items():
        fits = isinstance(given, list) and all(isinstance(one, str) for one in given)
        if key not in axes or not fits or not len(axes[key]) == len(given) == len(set(given)):
            raise ScenarioError(
                f"{place}: [labels] {key} = {given!r}: give a word for each value that [grid] has "
                "for that key, no two alike"
            )
    parts = [
        words[key][axes[key].index(value)] if key in words else f"{key} = {value}"
        for key, value in point.items()
    ]
    return ", ".join(parts) if words else ""


def _base(name: str, beside: Path, place: str) -> Path:
    try:
        path = beside / name
        return path if os.path.isfile(path) else find(name)
    except ScenarioError as error:
        raise ScenarioError(f"{place}: base = {name!r}: {error}") from error


def _scenario(
    base: dict[str, Any], changes: dict[str, Any], point: dict[str, Any], place: str
) -> Scenario:
    content = json.loads(json.dumps(base, default=str))  # a copy: `put` writes into it
    words = ", ".join(f"{key} = {value!r}" for key, value in point.items())
    where = f"{place}: with {words}" if words else place
    for key, value in changes.items():
        put(content, key, value, where)
    scenario = check(content, where)
    if scenario.devices.android:
        raise ScenarioError(
            f"{place}: [[devices.android]] names {scenario.devices.android[0].serial}, and real "
            "devices take part in one run at a time; leave them out of the base"
        )
    return scenario


def _points(section: SweepSection, place: str) -> Iterator[dict[str, Any]]:
    """Yield the points, each a value by dotted key."""
    made: Iterator[dict[str, Any]]
    if section.points:
        made, many = (dict(_flat(one)) for one in section.points), len(section.points)
    elif section.random is not None:
        made, many = _drawn(section.random, place), section.random.count
    else:
        axes = dict(_flat(section.grid))
        for key, values in axes.items():
            if not isinstance(values, list) or not values:
                raise ScenarioError(f"{place}: [grid] {key} = {values!r}: give a list of values")
        made = (dict(zip(axes, one, strict=True)) for one in itertools.product(*axes.values()))
        many = math.prod(map(len, axes.values()))
    if many * len(section.seeds) > MAX_RUNS:
        raise ScenarioError(
            f"{place}: {many} points with {len(section.seeds)} seeds are more than {MAX_RUNS} "
            "runs; give fewer values, or draw points with [random]"
        )
    return made


def _drawn(section: RandomSection, place: str) -> Iterator[dict[str, Any]]:
    """Yield the points of a random search."""
    axes = dict(_flat(section.keys, ranges=True))
    for key, values in axes.items():
        listed = isinstance(values, list) and values
        if not listed and not (isinstance(values, dict) and _is_range(values)):
            raise ScenarioError(
                f"{place}: [random.keys] {key} = {values!r}: give a list of values, or a range "
                "{low = 1, high = 10} with low below high (and above 0 with log = true)"
            )
    draws = {key: Draws(section.seed, f"sweep/{key}") for key in axes}
    for number in range(section.count):
        yield {
            key: _at(values, float(draws[key].uniform(number, 0))) for key, values in axes.items()
        }


def _is_range(values: dict[str, Any]) -> bool:
    log = values.get("log", False)
    if not _RANGE <= values.keys() <= _RANGE | {"log"} or not isinstance(log, bool):
        return False
    low, high = values["low"], values["high"]
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in (low, high)):
        return False
    return bool(math.isfinite(low) and math.isfinite(high) and low < high and (low > 0 or not log))


def _at(values: Any, share: float) -> Any:
    """Return the value that lies at *share* (of [0, 1)) of a list or a range."""
    if isinstance(values, list):
        return values[int(share * len(values))]
    low, high = values["low"], values["high"]
    whole = isinstance(low, int) and isinstance(high, int)
    top = high + 1 if whole else high
    if values.get("log", False):
        value = math.exp(math.log(low) + share * (math.log(top) - math.log(low)))
    else:
        value = low + share * (top - low)
    return min(int(value), high) if whole else float(value)


def _flat(
    tables: Mapping[str, Any], above: str = "", *, ranges: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield each key of *tables* with points between its parts; *ranges* are values too."""
    for name, value in tables.items():
        is_table = isinstance(value, dict) and bool(value)
        if is_table and not (ranges and value.keys() & _RANGE):
            yield from _flat(value, f"{above}{name}.", ranges=ranges)
        else:
            yield above + name, value
