"""The one door by which comes in what devices give: numbers are bounded and checked, words cleaned.

A phone can say anything. What cannot be of any phone is refused here, so that one that lies costs
its own job and nothing else; what is left can be wrong, and is compared with what is known: golden
outputs, and the host's own training.
"""

from dataclasses import replace

from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Result
from droidloop.platform.errors import printable
from droidloop.platform.jobs import Outcome
from droidloop.platform.units import SECOND_US

MOST_UW = 100_000_000
"""Of a battery: twice what the fastest chargers of phones put in, and ten times what a phone
draws at most (docs/physics.md); what is told beyond, or below 0, is not believed."""
START_US = 5 * SECOND_US
"""Processor time that a runner may take before its own clock starts: Python with numpy and LiteRT
takes a second here, and some on an emulated processor."""
LATE_US = 60 * SECOND_US
"""After its limit a job is ended; that may take so long where the link is slow."""
MOST_BYTES = 1 << 40
"""Of memory and of what is moved: more than a phone has."""
MOST_LOG = 1 << 20


def vetted(result: Result, order: ModelJob) -> Result:
    """Return *result* of *order* as it may be booked, or the failure that it is instead."""
    if isinstance(result, Failed):
        return replace(result, message=printable(result.message, 300), log=cleaned(result.log))
    reason = _wrong(result, order)
    if reason is None:
        return result
    return Failed(Outcome.FAILED_OUTPUT, f"the device cannot have measured that: {reason}")


def believed(power_uw: int | None) -> int | None:
    """Return what a battery tells of its power, None where that cannot be."""
    return power_uw if power_uw is not None and 0 <= power_uw <= MOST_UW else None


def cleaned(log: str) -> str:
    """Return the end of a device's *log* with its lines, and without other controls."""
    return "\n".join(printable(line, 2000) for line in log[-MOST_LOG:].split("\n"))


def _wrong(ran: Ran, order: ModelJob) -> str | None:
    """Return which number of *ran* cannot be, in words."""
    longest = order.timeout_s * SECOND_US + LATE_US
    steps_us = int(ran.invoke_us.sum()) if len(ran.invoke_us) < 1 << 20 else -1
    bounds = (
        ("wall_us", ran.wall_us, 0, longest),
        ("load_us", ran.load_us, 0, longest),
        ("sent_us", ran.sent_us, 0, longest * 10),
        ("received_us", ran.received_us, 0, longest * 10),
        ("the least step", int(ran.invoke_us.min(initial=0)), 0, longest),
        ("all steps", steps_us, 0, longest),
        # all that compute are the threads asked for, and the one that reads and writes
        ("cpu_us", ran.cpu_us, 0, (order.threads + 1) * ran.wall_us + START_US),
        ("peak_rss_bytes", ran.peak_rss_bytes, 0, MOST_BYTES),
        ("sent_bytes", ran.sent_bytes, 0, MOST_BYTES),
        ("received_bytes", ran.received_bytes, 0, MOST_BYTES),
    )
    for name, value, low, high in bounds:
        if not low <= value <= high:
            return f"{name} = {value}, of {low} to {high}"
    return None
