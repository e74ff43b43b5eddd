"""The population as two tables: what a phone is (traits) and how it stands (state).

One structured array each: a phone's law reads one row, and numba unpacks one array instead of
forty. ``population.traits["ram_bytes"]`` is still a column.
"""

from typing import Any, NamedTuple

import numpy as np

from droidloop.network.movement import Map
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Key

Table = np.ndarray[Any, np.dtype[np.void]]

TRAITS_DTYPE = np.dtype(
    [
        ("profile", np.int16),
        ("region", np.int16),
        ("radio", np.int16),  # row of the cellular radio
        ("wifi", np.int16),  # row of the WiFi radio, or -1: no WiFi at home
        ("runtime", np.int32),
        ("ideal", np.bool_),  # always on, idle, charging and at home: phone limits off
        ("off_at_night", np.bool_),
        ("ram_bytes", np.int64),
        ("system_ram_bytes", np.int64),  # taken by Android and resident services
        ("apps_ram_bytes", np.int64),  # taken on top while somebody uses the phone
        ("free_storage_bytes", np.int64),
        ("flops_per_s", np.int64),
        ("memory_bytes_per_s", np.int64),
        ("storage_bytes_per_s", np.int64),
        ("process_start_us", np.int64),
        ("operator_ns", np.int64),  # to dispatch one operator of a network
        ("capacity_uj", np.int64),
        ("boot_uj", np.int64),  # an empty phone on a charger starts again at this level
        ("floor_uj", np.int64),  # below this level the phone refuses work
        ("idle_uw", np.int64),
        ("use_uw", np.int64),
        ("cpu_uw", np.int64),  # of the computation, on top
        ("charge_uw", np.int64),
        ("cell_down_rate", np.int64),  # bytes per second
        ("cell_up_rate", np.int64),
        ("wifi_down_rate", np.int64),
        ("wifi_up_rate", np.int64),
        ("zone_us", np.int64),  # local time = virtual time + zone
        ("bed_us", np.int64),  # local time of day, may pass 24 h
        ("sleep_us", np.int64),
        ("use_shift_us", np.int64),  # at which hours of use begin
        ("charge_shift_us", np.int64),  # at which slots of charging begin
        ("away_us", np.int64),  # local time of day at which the phone leaves home
        ("home_us", np.int64),
        ("join_us", np.int64),
        ("leave_us", np.int64),
        ("last_death", np.int64),  # number of that after which the phone is gone; 0: none is
        ("rate_series", np.int32),  # recorded cellular rate, or -1
        ("up_series", np.int32),  # recorded uplink rate, or -1: in proportion to the downlink
        ("charge_series", np.int32),  # recorded charging windows, or -1
        ("offset_us", np.int64),  # into the rate series
        ("charge_offset_us", np.int64),
        ("throttle_us", np.int64),  # of computing at full speed; NEVER_US: for ever
        ("throttle_percent", np.int64),  # of full speed after that
        ("faults", np.int64),  # a bit for each entry of the plan of faults that may hit it
    ]
)

STATE_DTYPE = np.dtype(
    [
        ("t_us", np.int64),  # the accounts below are complete up to here
        ("busy_until_us", np.int64),
        ("battery_uj", np.int64),
        ("cell_end_us", np.int64),  # last use of each radio; -1: none, or under way
        ("wifi_end_us", np.int64),
        ("promotion_uj", np.int64),
        ("radio_uj", np.int64),
        ("tail_uj", np.int64),
        ("cpu_uj", np.int64),
        ("own_uj", np.int64),
        ("accepted_uj", np.int64),
        ("booked_tail_uj", np.int64),  # the part of tail_uj that jobs have paid for
        ("downloaded_bytes", np.int64),
        ("uploaded_bytes", np.int64),
        ("process_until_us", np.int64),  # the process of the last job is kept until then
        ("heat_us", np.int64),  # of computing, at heat_at_us, not yet cooled down from
        ("heat_at_us", np.int64),
        ("deaths", np.int32),
        ("given_up_us", np.int64),  # when the last death was, and the phone gone; 0: not yet
        ("version", np.int32),  # of the installed model; -1: none
        ("dead", np.bool_),
    ]
)


class Keys(NamedTuple):
    """The keys of the draws that the functions of time make."""

    presence: Key
    home: Key
    charging: Key
    coverage: Key
    fading: Key
    trips: Key
    losses: Key


class World(NamedTuple):
    """Everything that a law about one phone reads or writes; numba takes it apart by itself."""

    traits: Table
    state: Table
    radios: Table
    regions: Table
    series: Table
    knots_us: IntArray
    knots: IntArray
    keys: Keys
    quality: Table  # parallel to radios; empty: constant round trips, no losses
    map: Map  # of cells and phones; without phones: coverage by region
    direct: Table  # the link from phone to phone; empty: there is none
    faults: Table  # entries of the plan of faults; empty: there are none
    windows: IntArray  # of these, start and end, shape (windows, 2)
