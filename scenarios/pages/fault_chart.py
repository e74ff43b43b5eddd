"""The chart of what went wrong and when."""

from droidloop.platform.ledger import Rows
from droidloop.platform.units import HOUR_US
from droidloop.scenarios.reports.fault_facts import windows_of

from .chart import Axis, Chart, Row, ranges


def fault_chart(events: Rows, end_us: int) -> Chart | None:
    """Return when each kind of fault was on, until *end_us*; None: nothing ever was."""
    windows = windows_of(events, end_us)
    if not windows:
        return None
    rows: list[Row] = [
        {
            "kind": name,
            "middle": (since_us + until_us) / 2 / HOUR_US,
            "low": since_us / HOUR_US,
            "high": until_us / HOUR_US,
        }
        for name, since_us, until_us in windows
    ]
    heads = {"kind": "fault", "low": "from hour", "high": "until hour", "middle": "middle"}
    kinds = len({row["kind"] for row in rows})
    return Chart(
        "faults",
        "Faults",
        f"{len(rows)} times something went wrong, in {kinds} ways.",
        rows,
        heads,
        ranges(rows, Axis("middle", "hours of virtual time"), Axis("kind", "fault"), heads),
        every=-(-len(rows) // 600),
    )
