"""The tables of the ledger. A new column is one line with ``since`` and ``default``.

``docs/ledger.md`` is made of this file; a test says when it is not.
"""

import numpy as np

from .columns import Column, Table
from .jobs import JOB_COLUMNS

_TIME = Column("t_us", np.int64, "virtual time of the row, microseconds")

_EVENTS = (
    _TIME,
    Column("kind", str, "round, valid, package, learned, grouped, churn, map, ..."),
    Column("phone", np.int32, "-1: the server"),
    Column("round", np.int32, "the round or turn; -1: none"),
    Column("name", str, "what the value is"),
    Column("value", np.int64, "the value, in the unit at the end of its name"),
)

_METRICS = (
    _TIME,
    Column("round", np.int32, "of the model that is judged"),
    Column("phone", np.int32, "the user's phone; -1: a value of many users together"),
    Column("model", str, "trained, float32, int8, popularity, ..."),
    Column(
        "ranking",
        str,
        "sampled: among candidates; full: among all items; returns, first: full, of users who went "
        "back to an item or not; new: first, among items never had; rated: no ranking",
    ),
    Column("part", str, "valid or test: the events that are predicted"),
    Column("name", str, "of the metric: hr_at_10, ..."),
    Column("value", np.float64, "of the metric"),
    Column("users", str, "whose a value of many users is: a class of phone; empty: all", 2, ""),
)

_DEVICES = (
    Column("t_us", np.int64, "the end of the run, microseconds"),
    Column("phone", np.int32, "its number"),
    Column("profile", str, "the class of phone"),
    Column("region", str, "where it lives"),
    Column("radio", str, "its cellular radio"),
    Column("capacity_uj", np.int64, "what the battery holds when it is full"),
    Column(
        "battery_before_uj",
        np.int64,
        "at the start, and what another phone brought",
    ),
    Column("battery_after_uj", np.int64, "and when it ended"),
    Column("accepted_uj", np.int64, "from chargers"),
    Column("promotion_uj", np.int64, "spent on waking the radio"),
    Column("radio_uj", np.int64, "spent on transfers"),
    Column("tail_uj", np.int64, "spent on the radio's tails"),
    Column("cpu_uj", np.int64, "spent on computation"),
    Column("own_uj", np.int64, "spent on the phone's own life: screen, sleep, background"),
    Column("downloaded_bytes", np.int64, "by all jobs"),
    Column("uploaded_bytes", np.int64, "by all jobs"),
    Column("deaths", np.int32, "how often the battery was empty"),
    Column("version", np.int32, "of the model that it holds"),
    Column("measured", np.bool_, "a real device took its place"),
    Column("took_part", np.bool_, "it had learned when the best version was made", 2, False),
    Column("user", str, "its user's name in the data that were read; empty: made up", 2, ""),
    Column("events", np.int32, "that it learns from; of who was forgotten: 0", 3),
    Column("given_up_us", np.int64, "when it was gone for good, its battery empty; 0: never", 4),
)

_MEASURES = (
    Column("t_us", np.int64, "the end of the job; -1 in any column: it did not get that far"),
    Column("job", np.int64, "number of the job"),
    Column("phone", np.int32, "the phone whose place the device took"),
    Column("kind", np.int8, "of the job, as in jobs"),
    Column("sent_bytes", np.int64, "to the device"),
    Column("sent_us", np.int64, "what that took"),
    Column("load_us", np.int64, "loading the model"),
    Column("invoke_us", np.int64, "all steps together"),
    Column("wall_us", np.int64, "of the process"),
    Column("cpu_us", np.int64, "of the process"),
    Column("peak_rss_bytes", np.int64, "of the process"),
    Column("received_bytes", np.int64, "from the device"),
    Column("received_us", np.int64, "what that took"),
    Column("energy_uj", np.int64, "of the whole device, as its battery told; -1: it did not"),
    Column("energy_source", str, "power_supply, or modelled: power profile x measured CPU time"),
    Column("modelled_outcome", np.int8, "what the laws say of the same job on the same phone"),
    Column("modelled_down_us", np.int64, "likewise"),
    Column("modelled_compute_us", np.int64, "likewise"),
    Column("modelled_up_us", np.int64, "likewise"),
    Column("modelled_energy_uj", np.int64, "likewise"),
)

_SPLIT = (
    Column("t_us", np.int64, "0: it is made before the clock starts"),
    Column("phone", np.int32, "the user's phone"),
    Column("item", np.int32, "its number"),
    Column("part", np.int8, "0 training, 1 validation, 2 test"),
    Column("time_s", np.int64, "of the event, as the data have it; -1: unknown"),
)

_LISTS = (
    _TIME,
    Column("round", np.int32, "of the model"),
    Column("phone", np.int32, "the user's phone"),
    Column("model", str, "as in metrics"),
    Column("place", np.int16, "from 1, the best one; items that the user is known to have: none"),
    Column("item", np.int32, "its number"),
)

_RANKS = (
    _TIME,
    Column("round", np.int32, "of the model"),
    Column("phone", np.int32, "the user's phone"),
    Column("model", str, "as in metrics"),
    Column("ranking", str, "as in metrics"),
    Column("part", str, "as in metrics"),
    Column("rank", np.int32, "of one of the items that were held out, from 1"),
)

_INSTALLS = (
    _TIME,
    Column("done_us", np.int64, "when it happened on the phone; t_us: when that was known"),
    Column("phone", np.int32, "whose versions changed"),
    Column("round", np.int32, "the turn that the release is of; -1: none"),
    Column("event", str, "switched: works now; refused: did not pass; returned: works again; ..."),
    Column("version", np.int32, "that it happened to"),
    Column("before", np.int32, "the version that had worked until then; -1: none"),
    Column("variant", str, "of that version"),
    Column("why", str, "it was refused or left; empty: nothing was wrong"),
    Column("fetched_bytes", np.int64, "for it, as far as they came"),
    Column("whole_bytes", np.int64, "of the whole package, of what was tried; else 0", since=2),
)

TABLES: dict[str, Table] = {
    "jobs": Table(
        "A job of a phone: plan and outcome.",
        JOB_COLUMNS,
        "finish_us",
        ("finish_us", "kind", "phone", "job"),
    ),
    "events": Table(
        "Something that happened, and one number about it.",
        _EVENTS,
        "t_us",
        ("t_us", "kind", "phone", "round", "name", "value"),
    ),
    "metrics": Table(
        "How good a model is, for one user or for many together.",
        _METRICS,
        "t_us",
        ("t_us", "model", "ranking", "part", "name", "phone", "round", "value", "users"),
    ),
    "devices": Table(
        "A phone's accounts at the end of the run.", _DEVICES, "t_us", ("t_us", "phone")
    ),
    "measures": Table(
        "What a real device took for a job, beside what the laws say.",
        _MEASURES,
        "t_us",
        ("t_us", "phone", "job"),
    ),
    "installs": Table(
        "A change of the versions that are installed on a phone.",
        _INSTALLS,
        "t_us",
        ("t_us", "phone", "version", "event", "variant", "why"),
    ),
    "split": Table(
        "An event of a user, and what it was used for.",
        _SPLIT,
        "t_us",
        ("t_us", "phone", "part", "time_s", "item"),
    ),
    "lists": Table(
        "An item of the list that a model gives a user.",
        _LISTS,
        "t_us",
        ("t_us", "model", "phone", "place", "round", "item"),
    ),
    "ranks": Table(
        "Where a model ranks an item that it was to find.",
        _RANKS,
        "t_us",
        ("t_us", "model", "ranking", "part", "phone", "rank", "round"),
    ),
}
