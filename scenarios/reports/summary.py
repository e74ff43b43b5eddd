"""The answer of a run, from its ledger alone: how good, how fast, how many joules and bytes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from droidloop.platform.jobs import ENERGY_PARTS, LEARNING, Kind, Outcome
from droidloop.platform.ledger import Rows, read, texts
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import joules, seconds

from .churn_facts import comings_and_goings, unlearned
from .deliveries import releases_of
from .device_tables import devices_of
from .fairness import fairness_of, gaps
from .fault_facts import faults_of
from .measured import metrics_of
from .provenance import synthetic_parts
from .quality import asked, best_baseline, by_group, qualities, settings
from .refusals import refusals
from .staleness import staleness_of

COMPONENTS = tuple(name.removesuffix("_uj") for name in ENERGY_PARTS)


@dataclass(frozen=True)
class _Tables:
    """The rows of a run that belong to some of its phones."""

    jobs: Rows
    metrics: Rows
    devices: Rows

    def of(self, name: bytes) -> "_Tables":
        """Return the rows of the simulated phones of class *name*, and the metrics of them."""
        mine = (self.devices["profile"] == name) & ~self.devices["measured"]
        phones = self.devices["phone"][mine]
        mine = np.isin(self.metrics["phone"], phones) | (self.metrics["users"] == name)
        return _Tables(
            self.jobs[np.isin(self.jobs["phone"], phones)],
            self.metrics[mine],
            self.devices[np.isin(self.devices["phone"], phones)],
        )


def summarise(run: RunDirectory) -> dict[str, Any]:
    """Return the summary of *run* as plain numbers, for the table; see ``records`` for JSON.

    Raises:
        LedgerError: a table is damaged, or the manifest or a table says what no run writes.
    """
    with run.understood():
        return _summary(run)


def _summary(run: RunDirectory) -> dict[str, Any]:
    manifest = run.manifest()
    tables = _Tables(*(read(run.path, name) for name in ("jobs", "metrics", "devices")))
    events = read(run.path, "events")
    devices = tables.devices
    everybody = replace(tables, metrics=tables.metrics[tables.metrics["users"] == b""])
    simulated = devices[~devices["measured"]]
    apart = gaps(everybody.metrics, devices, metrics_of(manifest)[0])
    answer = {
        "scenario": manifest["scenario"]["name"],
        "seed": manifest["seed"],
        "state": manifest["state"],
        "metrics": metrics_of(manifest),
        **_facts(everybody),
        "participation": _participation(events, len(devices)),
        "fairness": fairness_of(tables.jobs, apart, len(devices)),
        "worst_off": apart,
        "rounds": int(np.count_nonzero(_values(events, "round", "version"))),
        "classes": {
            name: _facts(tables.of(name.encode()))
            for name in texts(np.unique(simulated["profile"]))
        },
        "groups": by_group(tables.metrics, tables.jobs, devices),
        "baseline": best_baseline(tables.metrics, manifest),
        "settings": settings(events),
        "asked": asked(tables.jobs),
        "data": manifest.get("data", {}),
        "sizes": manifest.get("sizes", {}),
        "synthetic": synthetic_parts(manifest["scenario"]),
        "wall_s": manifest.get("wall_s"),
    }
    if len(simulated) < len(devices):
        answer["devices"] = devices_of(run, tables.jobs)
    if (shares := _shares(events)) is not None:
        answer["coverage"] = shares
    if (links := _links(events)) is not None:
        answer["link_bytes"] = links
    if (staleness := staleness_of(events)) is not None:
        answer["staleness"] = staleness
    if (releases := releases_of(tables.jobs, read(run.path, "installs"))) is not None:
        answer["releases"] = releases
    if (refused := refusals(events)) is not None:
        answer["messages"] = refused
    end_us = int(devices["t_us"].max()) if len(devices) else 0
    if (faults := faults_of(events, end_us)) is not None:
        answer["faults"] = faults
    if (churn := comings_and_goings(events, devices)) is not None:
        answer["churn"] = churn
    how = manifest["scenario"].get("unlearning", {}).get("kind", "none")  # older runs have none
    if (forgotten := unlearned(how, events, tables.jobs)) is not None:
        answer["unlearning"] = forgotten
    answer["latency_s"]["round"] = _spread(_values(events, "round", "length_us"))
    return answer


def records(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the summary *answer* as records that all have the same keys; docs/ledger.md has them.

    A record is one number: whose it is, of which model on which part in which ranking where it is
    one of quality, and what it is. What is not known is None.
    """
    head = {name: answer[name] for name in ("scenario", "seed", "state")}
    none = dict.fromkeys(("model", "part", "ranking", "half_width", "n"))
    rows: list[dict[str, Any]] = []
    for users, facts in {"all": answer, **answer["classes"], **answer["groups"]}.items():
        mine = head | {"users": users}
        rows += [mine | one for one in facts["quality"]]
        others = {name: fact for name, fact in facts.items() if name not in _APART}
        rows += [mine | none | {"figure": path, "value": v} for path, v in _flat(others)]
    if answer["baseline"] is not None:
        rows.append(head | {"users": "all"} | answer["baseline"])
    made_up = [{"figure": f"synthetic.{part}", "value": 1} for part in answer["synthetic"]]
    return rows + [head | {"users": "all"} | none | one for one in made_up]


_APART = (
    *("scenario", "seed", "state", "metrics", "quality", "classes", "groups", "baseline"),
    *("synthetic", "worst_off"),
)


def _flat(facts: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every number in *facts* with the names on the way to it, joined by points."""
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value


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
    names = [name.removesuffix("_ppm") for name in texts(rows["name"])]
    return dict(zip(names, (rows["value"] / 1e6).tolist(), strict=True)) or None


def _facts(tables: _Tables) -> dict[str, Any]:
    """Return what holds for a group of phones."""
    return {
        "quality": qualities(tables.metrics),
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
    if not len(selected) or not phones:
        return {"selected": 0.0, "done": 0.0}
    return {
        "selected": float(selected.mean() / phones),
        "done": float(done.mean() / phones),
    }


def _values(events: Rows, kind: str, name: str) -> Any:
    rows = events[(events["kind"] == kind.encode()) & (events["name"] == name.encode())]
    return rows["value"]
