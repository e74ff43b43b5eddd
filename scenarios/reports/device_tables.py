"""Real devices in the summary: what each took beside what the laws say of the same jobs."""

from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from droidloop.devices.fleets.device_outputs import FAILED
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import Rows, read
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import joules, seconds

BATTERY = b"power_supply"
_NOTE = "devices"
_PHASES = (
    ("receive", "sent_us", "modelled_down_us"),
    ("compute", "wall_us", "modelled_compute_us"),
    ("send", "received_us", "modelled_up_us"),
)


def devices_of(run: RunDirectory, jobs: Rows) -> dict[str, dict[str, Any]]:
    """Return by serial what each real device of *run* took of each kind of job, and the laws'.

    Each pair has the medians and the median error of the jobs one by one; those are of jobs that
    the device ended and the laws end, too.
    """
    measures = read(run.path, "measures")
    serials = run.manifest().get(_NOTE, {})
    return {
        str(serials.get(str(phone), f"phone {phone}")): {
            "phone": int(phone),
            "failed": int(np.count_nonzero(_failed(jobs, phone))),
            "logs": _logs(run, jobs["job"][_failed(jobs, phone)]),
            "kinds": {
                Kind(kind).name.lower(): _kind(measures, jobs, phone, kind)
                for kind in np.unique(measures["kind"][measures["phone"] == phone])
            },
        }
        for phone in np.unique(measures["phone"])
    }


def _logs(run: RunDirectory, failed: Any) -> list[str]:
    """Return what is kept of the logs of *failed* jobs, below the run directory."""
    paths = [path for job in failed for path in sorted((run.path / FAILED).glob(f"{job}-*.log"))]
    return [path.relative_to(run.path).as_posix() for path in paths]


def _failed(jobs: Rows, phone: int) -> Any:
    return (jobs["phone"] == phone) & (jobs["outcome"] >= Outcome.FAILED_LINK)


def _kind(measures: Rows, jobs: Rows, phone: int, kind: int) -> dict[str, Any]:
    rows = measures[(measures["phone"] == phone) & (measures["kind"] == kind)]
    done = rows[(rows["wall_us"] >= 0) & (rows["modelled_outcome"] == Outcome.DONE)]
    planned = jobs[np.isin(jobs["job"], done["job"])]
    told = done[done["energy_source"] == BATTERY]
    uploads = bool((planned["up_bytes"] > 0).any())
    return {
        "jobs": len(rows),
        "compared": len(done),
        **{
            f"{name}_s": _pair(done[took], done[law], seconds)
            for name, took, law in _PHASES
            if name != "send" or uploads
        },
        "memory_bytes": _pair(done["peak_rss_bytes"], _in_order(planned, done)["ram_bytes"], float),
        "energy_j": _pair(told["energy_uj"], told["modelled_energy_uj"], joules),
    }


def _in_order(planned: Rows, done: Rows) -> Rows:
    """Return the rows of *planned* jobs in the order of *done*."""
    return planned[np.argsort(planned["job"])][np.argsort(np.argsort(done["job"]))]


def _pair(took: Any, law: Any, unit: Any) -> dict[str, float | None]:
    """Return both medians and the median relative error of the laws; None where nothing is told."""
    both = (took > 0) & (law > 0)
    if not both.any():
        return {"measured": None, "modelled": None, "error": None}
    took, law = took[both].astype(float), law[both].astype(float)
    return {
        "measured": unit(float(np.median(took))),
        "modelled": unit(float(np.median(law))),
        "error": float(np.median(np.abs(law / took - 1.0))),
    }


def show_devices(devices: dict[str, dict[str, Any]], console: Console) -> None:
    """Print for each device what was measured against what is modelled of the same jobs."""
    table = Table(title="real devices: measured / modelled (median error), medians of jobs")
    table.add_column("")
    for name in ("jobs", "receive s", "compute s", "send s", "memory MB", "energy J"):
        table.add_column(name, justify="right")
    for serial, facts in devices.items():
        failed = f", {facts['failed']} failed" if facts["failed"] else ""
        table.add_row(f"{serial} as phone {facts['phone']}{failed}")
        for kind, found in facts["kinds"].items():
            cells = [_cell(found.get(f"{name}_s")) for name, _, _ in _PHASES]
            memory, energy = _cell(found["memory_bytes"], 1e6), _cell(found["energy_j"])
            table.add_row(f"  {kind}", str(found["jobs"]), *cells, memory, energy)
    console.print(table)
    for serial, facts in devices.items():
        if facts["logs"]:
            console.print(
                f"{serial}: logs of failed jobs: {', '.join(facts['logs'])}", markup=False
            )
    console.print(
        "measured: by the device and this host's clock, energy by its battery's driver where it "
        "tells it (-: it does not); modelled: by the laws of its row's profile.",
        highlight=False,
    )


def _cell(pair: dict[str, float | None] | None, unit: float = 1.0) -> str:
    if pair is None or pair["measured"] is None or pair["modelled"] is None:
        return "-"
    measured, modelled, error = pair["measured"] / unit, pair["modelled"] / unit, pair["error"]
    return f"{measured:.3g} / {modelled:.3g} ({error:.0%})"
