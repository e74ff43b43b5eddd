"""The answer of a run, from its ledger alone: how good, how fast, how many joules and bytes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.platform.jobs import ENERGY_PARTS, LEARNING, Kind, Outcome
from droidloop.platform.ledger import Rows, read
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import joules, seconds

from .provenance import synthetic_parts

COMPONENTS = tuple(name.removesuffix("_uj") for name in ENERGY_PARTS)


@dataclass(frozen=True)
class _Tables:
    """The rows of a run that belong to some of its phones."""

    jobs: Rows
    metrics: Rows
    devices: Rows

    def of(self, phones: Any) -> "_Tables":
        return _Tables(
            self.jobs[np.isin(self.jobs["phone"], phones)],
            self.metrics[np.isin(self.metrics["phone"], phones)],
            self.devices[np.isin(self.devices["phone"], phones)],
        )


def summarise(run: RunDirectory) -> dict[str, Any]:
    """Return the summary of *run* as plain numbers, the same for ``--json`` and for the table."""
    manifest = run.manifest()
    tables = _Tables(*(read(run.path, name) for name in ("jobs", "metrics", "devices")))
    events = read(run.path, "events")
    devices = tables.devices
    answer = {
        "scenario": manifest["scenario"]["name"],
        "seed": manifest["seed"],
        "state": manifest["state"],
        **_facts(tables),
        "participation": _participation(events, len(devices)),
        "rounds": int(np.count_nonzero(_values(events, "round", "version"))),
        "classes": {
            name: _facts(tables.of(devices["phone"][devices["profile"] == name.encode()]))
            for name in sorted(np.unique(devices["profile"]).astype(str))
        },
        "synthetic": synthetic_parts(manifest["scenario"]),
        "wall_s": manifest.get("wall_s"),
    }
    if (shares := _shares(events)) is not None:
        answer["coverage"] = shares
    if (links := _links(events)) is not None:
        answer["link_bytes"] = links
    answer["latency_s"]["round"] = _spread(_values(events, "round", "length_us"))
    return answer


def _links(events: Rows) -> dict[str, int] | None:
    """Return the bytes that phones exchanged and those with a server that groups; None: neither."""
    peers, server = (
        _values(events, "round", "peer_bytes"),
        _values(events, "groups", "server_bytes"),
    )
    if not len(peers):
        return None
    return {"between_phones": int(peers.sum()), "with_server": int(server.sum())}


def _shares(events: Rows) -> dict[str, float] | None:
    """Return what the run's map covered of places and of time; None where there was no map."""
    rows = events[events["kind"] == b"map"]
    names = [name.removesuffix("_ppm") for name in rows["name"].astype(str).tolist()]
    return dict(zip(names, (rows["value"] / 1e6).tolist(), strict=True)) or None


def _facts(tables: _Tables) -> dict[str, Any]:
    """Return what holds for a group of phones."""
    return {
        "quality": _quality(tables.metrics),
        "latency_s": _latency(tables.jobs),
        "energy_j": _energy(tables.devices),
        "training_job_j": _training(tables.jobs),
        "bytes": {
            "down": int(tables.devices["downloaded_bytes"].sum()),
            "up": int(tables.devices["uploaded_bytes"].sum()),
        },
        "phones": _phones(tables),
        "outcomes": _outcomes(tables.jobs),
    }


def _quality(metrics: Rows) -> dict[str, Any]:
    """Return means over users: the trained model's at the top, other models' below their names."""
    quality: dict[str, Any] = {}
    keys = ("model", "part", "ranking", "name")
    for model, part, ranking, name in np.unique(metrics[list(keys)]).tolist():
        rows = metrics[
            (metrics["model"] == model)
            & (metrics["part"] == part)
            & (metrics["ranking"] == ranking)
            & (metrics["name"] == name)
        ]
        place = quality if model == b"trained" else quality.setdefault(model.decode(), {})
        if part == b"valid":
            place = place.setdefault("valid", {})
        if ranking == b"full":
            place = place.setdefault("full", {})
        place[name.decode()] = float(rows["value"].mean())
    return quality


def _latency(jobs: Rows) -> dict[str, Any]:
    done = jobs[jobs["outcome"] == Outcome.DONE]
    train = done[np.isin(done["kind"], list(LEARNING))]
    deliver = done[done["kind"] == Kind.DELIVER]
    infer = done[done["kind"] == Kind.INFER]
    return {
        "train": _spread(train["finish_us"] - train["plan_us"]),
        "delivery": _spread(deliver["finish_us"] - deliver["plan_us"]),
        "inference": _spread(infer["compute_end_us"] - infer["down_end_us"]),
    }


def _spread(times_us: Any) -> dict[str, float | None]:
    if not len(times_us):
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(times_us, [50, 95])
    return {"p50": seconds(p50), "p95": seconds(p95)}


def _energy(devices: Rows) -> dict[str, float]:
    parts = {name: joules(int(devices[f"{name}_uj"].sum())) for name in COMPONENTS}
    total = sum(int(devices[f"{name}_uj"].sum()) for name in COMPONENTS)
    return {**parts, "total": joules(total)}


def _training(jobs: Rows) -> dict[str, float | None]:
    """Return what a learning job that was done took in the mean: to compute, and its radio."""
    done = jobs[np.isin(jobs["kind"], list(LEARNING)) & (jobs["outcome"] == Outcome.DONE)]
    parts = {"compute": ("cpu_uj",), "radio": ("promotion_uj", "radio_uj", "tail_uj")}
    return {
        name: joules(sum(int(done[column].sum()) for column in columns)) / len(done)
        if len(done)
        else None
        for name, columns in parts.items()
    }


def _phones(tables: _Tables) -> dict[str, int]:
    deliver = tables.jobs[tables.jobs["kind"] == Kind.DELIVER]
    refused = (deliver["outcome"] >= Outcome.REFUSED_RAM) & (
        deliver["outcome"] <= Outcome.REFUSED_RUNTIME
    )
    return {
        "total": len(tables.devices),
        "reached": len(np.unique(deliver["phone"][deliver["outcome"] == Outcome.DONE])),
        "refused": len(np.unique(deliver["phone"][refused])),
        "dead": int(np.count_nonzero(tables.devices["deaths"])),
        "trained": len(
            np.unique(
                tables.jobs["phone"][
                    np.isin(tables.jobs["kind"], list(LEARNING))
                    & (tables.jobs["outcome"] == Outcome.DONE)
                ]
            )
        ),
    }


def _outcomes(jobs: Rows) -> dict[str, dict[str, int]]:
    """Return for each kind of job how many ended how."""
    table: dict[str, dict[str, int]] = {}
    pairs, counts = np.unique(jobs[["kind", "outcome"]], return_counts=True)
    for (kind, outcome), count in zip(pairs.tolist(), counts.tolist(), strict=True):
        table.setdefault(Kind(kind).name.lower(), {})[Outcome(outcome).name.lower()] = count
    return table


def _participation(events: Rows, phones: int) -> dict[str, float]:
    selected, done = _values(events, "round", "selected"), _values(events, "round", "done")
    if not len(selected):
        return {"selected": 0.0, "done": 0.0}
    return {
        "selected": float(selected.mean() / phones),
        "done": float(done.mean() / phones),
    }


def _values(events: Rows, kind: str, name: str) -> Any:
    rows = events[(events["kind"] == kind.encode()) & (events["name"] == name.encode())]
    return rows["value"]
