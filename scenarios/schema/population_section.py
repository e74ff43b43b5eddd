"""The part of a scenario that says who takes part: phones, places, radios, habits."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from droidloop.platform.section import (
    Count,
    File,
    Mbps,
    People,
    Seconds,
    Section,
    Share,
    Weights,
    Word,
)

if TYPE_CHECKING:
    from droidloop.network.map import MapSpec


class RegionSection(Section):
    """A region of one's own, or other figures for a known one."""

    covered_share: Annotated[float, Field(ge=1e-6, le=1.0)]
    """Of the time that a phone has a signal."""
    gap_s: Seconds
    """The mean length of a time without a signal."""
    fade_share: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Of the covered time that a phone's signal is weak."""
    fade_s: Seconds = 2.0
    """The mean length of such a time."""
    rate_percent: Count = 100
    """Of its rates elsewhere that a radio has here."""


class MapSection(Section):
    """A map of cells that phones move on: coverage as a share of places."""

    preset: Literal["optus"] = "optus"
    """Whose figures hold where none are given: 3G of Optus in Australia."""
    area_share: Share | None = None
    """Of all places that are covered."""
    remote_share: Share | None = None
    """Of the remote places that are covered."""
    remote_area: Share | None = None
    """Of all places that are remote: those farthest from the towns."""
    remote_phones: Share | None = None
    """Of the phones that live in remote places."""
    cells: Count | None = None
    """Cells of the map along one side."""
    cell_m: Count | None = None
    """The side of a cell."""
    towns: Count | None = None
    """How many towns there are."""

    def spec(self) -> "MapSpec":
        """Return the preset with what was given in its place."""
        from dataclasses import replace

        from droidloop.network.map import OPTUS

        given = self.model_dump(exclude={"preset"}, exclude_none=True)
        return replace(OPTUS, **given)


class CellsSection(Section):
    """Cells whose capacity the phones in them share."""

    phones: People = 50
    """About how many a cell."""
    down_mbps: Mbps = 30.0
    """What the phones of a cell share downwards."""
    up_mbps: Mbps = 8.0
    """What they share upwards."""


class PopulationSection(Section):
    """Who takes part: what the phones are, where they are, how they live."""

    phones: People | None = None
    """How many; one a user if not given. Fewer phones take a seeded choice of the users."""
    ideal: bool = False
    """Phone limits off: always on, idle, charging, at home, with RAM and storage to spare."""
    profiles: Weights | None = None
    """Weights of the classes of phones; our mixture if not given."""
    profile_files: list[File] = Field(default_factory=list)
    """Profiles of one's own, as `droidloop devices calibrate` writes them, to name above."""
    regions: Weights | None = None
    """Weights of the regions; our mixture if not given."""
    region: dict[Word, RegionSection] = Field(default_factory=dict)
    """Regions of one's own, to name above."""
    radios: Weights | None = None
    """Weights of the cellular radios; our mixture if not given."""
    radio_year: Literal["phone", "2009", "2011", "2012", "2021"] = "phone"
    """When the radios' powers were measured: nearest to each phone's own year, or one for all."""
    operator: Literal["verizon", "t-mobile"] = "verizon"
    """Whose timers (tails) radios of 2021 keep to."""
    loss: bool = False
    """Round trips by chance, and bursts of loss. The rates of radios are what losses leave in
    recordings, so this is an upper bound of the harm."""
    overhead: bool = False
    """TLS, TCP/IP and handshakes around every message count; direct links have none."""
    slow_start: bool = False
    """TCP's windows open round trip by round trip in each new connection."""
    throttling: bool = False
    """Phones that compute for long slow down."""
    map: MapSection | None = None
    """Coverage from a map, and not from the regions' gaps."""
    direct: Literal["wifi-direct", "bluetooth", "bluetooth-le"] | None = None
    """The link from phone to phone that `protocol.transport = "direct"` goes over."""
    cell: CellsSection | None = None
    """Shared capacity; `play = "exact"` alone."""
    wifi_share: Share = 0.85
    """Of the phones that have WiFi at home."""
    off_at_night_share: Share = 0.1
    """Of the phones that are switched off at night."""
    battery_floor: Share = 0.15
    """The charge below which a phone refuses work."""
    start_hour: Annotated[float, Field(ge=0.0, lt=24.0)] = 0.0
    """Local time of day at which the run starts."""
    time_spread_h: Annotated[float, Field(ge=0.0, le=24.0)] = 0.0
    """Local times of the phones lie within so many hours, evenly: time zones."""
    assignment: Literal["independent", "activity"] = "independent"
    """Which user has which phone: chance, or the more active user the faster phone."""
    rate_traces: File | None = None
    """A folder or file of recorded link rates to play back; four formats are known."""
    uplink_share: Annotated[float, Field(ge=1e-6, le=10.0)] | Literal["recorded"] | None = None
    """Of the recorded downlink; that of the commonest radio's technology if not given."""
    charging_windows: File | None = None
    """A CSV ``device,start_s,end_s`` of recorded charging windows to play back."""
