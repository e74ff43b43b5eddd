"""From the sections of a scenario to data and a population; nothing is written here."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.phone.cells import CellSpec
from droidloop.devices.population.population import REGIONS, Population, PopulationSpec, build
from droidloop.devices.population.profile_files import profile_table
from droidloop.devices.population.radios import BY_PHONE, DEFAULT_RADIOS, radios_of, technology
from droidloop.devices.population.recorded import charging_windows, rate_traces
from droidloop.devices.population.stays import ChurnSpec
from droidloop.models.data import foursquare as check_ins
from droidloop.models.data import readers, synthetic
from droidloop.models.data import synthetic_check_ins as synthetic_places
from droidloop.models.data.facts import without_repeats
from droidloop.models.data.interactions import Interactions
from droidloop.models.data.places import Places
from droidloop.network.coverage import Region
from droidloop.network.direct import DIRECT
from droidloop.network.gaps import FITTED
from droidloop.network.trace import Series
from droidloop.network.uplink import UPLINK_SHARE
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError, ScenarioError
from droidloop.platform.section import Section
from droidloop.scenarios.schema.chosen import method_of
from droidloop.scenarios.schema.churn_section import ChurnSection
from droidloop.scenarios.schema.population_section import PopulationSection
from droidloop.scenarios.schema.schema import DataSection


@dataclass(frozen=True)
class People:
    """The interactions and the phones: user *k* owns phone *k*; items that are places lie there.

    ``dropped`` is how many repeats were left out; None: they are kept.
    """

    interactions: Interactions
    population: Population
    places: Places | None = None
    dropped: int | None = None


def people(
    data: DataSection,
    section: PopulationSection,
    seed: int,
    churn: ChurnSection | None = None,
    faults: Sequence[Section] = (),
) -> People:
    """Return the data and the population of a scenario, users numbered as their phones are.

    Raises:
        DataError: the data cannot be read, or have fewer users than there are phones.
        ScenarioError: the population asks for what does not exist.
    """
    interactions, places, dropped = _interactions(data, section, Draws(seed, "data"))
    draws = Draws(seed, "population")
    spec = _spec(section, (churn or ChurnSection()).spec, interactions.n_users, draws)
    ills = tuple(method_of("fault", one).build(one) for one in faults)
    population = build(replace(spec, faults=ills), draws)
    if section.assignment == "activity":
        interactions = _by_speed(interactions, population)
    return People(interactions, population, places, dropped)


def _interactions(
    data: DataSection, section: PopulationSection, draws: Draws
) -> tuple[Interactions, Places | None, int | None]:
    interactions, places = _made_or_read(data, section, draws)
    dropped = None
    if data.repeats == "drop" or (data.repeats is None and places is None):
        interactions, dropped = without_repeats(interactions)
    if data.path is None:
        return interactions, places, dropped
    if section.phones is None or section.phones == interactions.n_users:
        return interactions, places, dropped
    if section.phones > interactions.n_users:
        raise DataError(
            f"{data.path}: {interactions.n_users} users for population.phones = "
            f"{section.phones}; leave population.phones out or lower it"
        )
    kept = draws.choose(np.arange(interactions.n_users), section.phones, 0)
    interactions = interactions.keep(np.isin(interactions.users, kept))
    return interactions, places and places.of(interactions.item_labels), dropped


def _made_or_read(
    data: DataSection, section: PopulationSection, draws: Draws
) -> tuple[Interactions, Places | None]:
    if data.path is None:
        _require_room(data, section.phones or data.users)
        size = (section.phones or data.users, data.items, data.interactions, draws)
        if data.places:
            return synthetic_places.generate_check_ins(*size)
        return synthetic.generate(*size), None
    if not data.path:
        raise ScenarioError("[data] path = '': give the data with --set data.path=PATH")
    return _read(data, Path(data.path))


def _require_room(data: DataSection, users: int) -> None:
    """Raise ScenarioError where made-up data alone would not fit into the memory of this machine.

    An event takes 64 bytes while it is made and sorted, a user or an item 256.
    """
    needed = 64 * users * data.interactions + 256 * (users + data.items)
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise ScenarioError(
            f"[data] users = {users}, items = {data.items}, interactions = {data.interactions}: "
            f"take {needed >> 30} GiB, this machine has {there >> 30}; lower one of them"
        )


def _read(data: DataSection, path: Path) -> tuple[Interactions, Places | None]:
    if data.format == "foursquare-nyc" or (data.format is None and check_ins.is_check_ins(path)):
        return check_ins.load_check_ins(path)
    columns = None if data.columns is None else readers.Columns(**data.columns.model_dump())
    return readers.load(path, data.format, columns), None


def _by_speed(interactions: Interactions, population: Population) -> Interactions:
    """Renumber users so that the more active one has the faster phone; ties by number."""
    activity = np.bincount(interactions.users, minlength=interactions.n_users)
    active = np.argsort(-activity, kind="stable")
    fast = np.argsort(-population.traits["flops_per_s"], kind="stable")
    phone_of = np.empty(interactions.n_users, np.int64)
    phone_of[active] = fast
    labels = np.empty_like(interactions.user_labels)
    labels[phone_of] = interactions.user_labels
    return Interactions(
        phone_of[interactions.users],
        interactions.items,
        interactions.ratings,
        interactions.times_s,
        labels,
        interactions.item_labels,
    )


def _spec(
    section: PopulationSection, churn: ChurnSpec, phones: int, draws: Draws
) -> PopulationSpec:
    given: dict[str, Any] = {
        name: weights
        for name in ("profiles", "regions", "radios")
        if (weights := getattr(section, name)) is not None
    }
    regions = {**REGIONS, **FITTED}
    for name, region in section.region.items():
        regions[name] = Region(**region.model_dump())
    downs, ups = _traces(section)
    return PopulationSpec(
        phones=phones,
        radio_year=section.radio_year,
        operator=section.operator,
        wifi_share=section.wifi_share,
        off_at_night_share=section.off_at_night_share,
        battery_floor=section.battery_floor,
        churn=churn,
        start_hour=section.start_hour,
        time_spread_h=section.time_spread_h,
        ideal=section.ideal,
        region_table=regions,
        profile_table=profile_table(section.profile_files),
        loss=section.loss,
        slow_start=section.slow_start,
        throttling=section.throttling,
        map=section.map.spec() if section.map else None,
        direct=DIRECT[section.direct] if section.direct else None,
        cells=CellSpec(**section.cell.model_dump()) if section.cell else None,
        rate_series=downs,
        up_series=ups,
        charge_series=(
            charging_windows(Path(section.charging_windows), draws.child("charging windows"))
            if section.charging_windows
            else []
        ),
        **given,
    )


def _traces(section: PopulationSection) -> tuple[list[Series], list[Series]]:
    """Return recorded down- and uplinks, none where the section names none."""
    if not section.rate_traces:
        return [], []
    share = section.uplink_share
    if share is None:
        year = section.radio_year
        radios = section.radios or (radios_of(2021) if year == BY_PHONE else DEFAULT_RADIOS[year])
        share = UPLINK_SHARE[technology(max(radios, key=lambda name: radios[name]))]
    return rate_traces(Path(section.rate_traces), None if share == "recorded" else float(share))
