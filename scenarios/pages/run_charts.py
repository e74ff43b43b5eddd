"""The charts of a run that its ledger alone can tell."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from droidloop.platform.intervals import interval
from droidloop.platform.jobs import LEARNING, Kind, Outcome
from droidloop.platform.ledger import Rows, read, texts
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import HOUR_US, joules, seconds
from droidloop.scenarios.reports.compare import result_of
from droidloop.scenarios.reports.learning_graph import teaching_of
from droidloop.scenarios.reports.measured import metrics_of
from droidloop.scenarios.reports.summary import COMPONENTS

from .bins import edges_us
from .chart import Axis, Chart, Row, bars, lines, ranges
from .churn_charts import churn_charts
from .fault_chart import fault_chart
from .topology_chart import topology_chart

MOST_VALIDATIONS, MOST_VERSIONS = 600, 20
"""Of more some are drawn: a page has to open on a phone."""
OTHERS = "others"
_QUANTILES = range(0, 101, 2)
_STEPS = {
    "training": (sorted(LEARNING), "plan_us", "finish_us"),
    "delivery": ([Kind.DELIVER], "plan_us", "finish_us"),
    "inference": ([Kind.INFER], "down_end_us", "compute_end_us"),
}


def charts_of(run: RunDirectory) -> Iterator[Chart]:
    """Yield what *run* can show: what never happened in it is left out.

    Raises:
        UsageError: it has no validation.
        LedgerError: a table is damaged.
    """
    jobs, devices = read(run.path, "jobs"), read(run.path, "devices")
    yield _learning(run)
    yield _classes(run)
    yield _energy(devices)
    done = jobs[jobs["outcome"] == Outcome.DONE]
    if len(done):
        yield _latency(done)
    if len(jobs):
        yield _traffic(jobs)
        yield _outcomes(jobs)
    events = read(run.path, "events")
    chart = fault_chart(events, int(devices["t_us"].max(initial=0)))
    if chart is not None:
        yield chart
    if (events["kind"] == b"learned").any():
        yield topology_chart(teaching_of(run))
    delivered = done[done["kind"] == Kind.DELIVER]
    if len(delivered):
        yield versions_chart(delivered, len(devices))
    yield from churn_charts(events, jobs, devices)


def _learning(run: RunDirectory) -> Chart:
    manifest = run.manifest()
    course = result_of(run, manifest).course
    rows: list[Row] = []
    for metric in metrics_of(manifest):
        known = np.flatnonzero(~np.isnan(course.quality[metric.name]))
        shown = np.linspace(0, len(known) - 1, min(len(known), MOST_VALIDATIONS)).astype(np.int64)
        for k in known[shown].tolist():
            row = {"metric": metric.label, "hours": course.hours[k], "round": course.round[k] + 1}
            rows.append(row | {"value": course.quality[metric.name][k], "joules": course.joules[k]})
    heads = {
        **{"metric": "metric", "hours": "hours", "round": "round"},
        **{"value": "validation", "joules": "J a phone so far"},
    }
    best = np.nanmax(course.quality[metrics_of(manifest)[0].name])
    return Chart(
        "learning",
        "Quality over time",
        f"On the validation items, at each validation; the best {rows[0]['metric']} is {best:.3f}.",
        rows,
        heads,
        lines(
            Axis("hours", "hours of virtual time"),
            Axis("value", "validation", zero=False),
            Axis("metric", "metric"),
            heads,
        ),
        every=_every(rows),
    )


def _classes(run: RunDirectory) -> Chart:
    manifest = run.manifest()
    metric, result = metrics_of(manifest)[0], result_of(run, manifest)
    rows = []
    for name in ("all", *sorted(result.classes)):
        values = list(result.values(metric.name, name).values())
        if values:
            mean, half = interval(values)
            span = {"low": mean - half, "high": mean + half}
            rows.append({"users": name, "mean": mean, **span, "n": len(values)})
        elif not np.isnan(whole := (result.classes | {"all": result.overall})[name][metric.name]):
            rows.append({"users": name, "mean": whole, "low": whole, "high": whole, "n": 1})
    heads = {"users": "class", "mean": metric.label, "low": "from", "high": "to", "n": "users"}
    value = Axis("mean", metric.label, zero=False)
    return Chart(
        "classes",
        "Quality by class of phone",
        f"{metric.label} of the best round on the test items, with its 95 % interval over users.",
        rows,
        heads,
        ranges(rows, value, Axis("users", "class of phone"), heads),
    )


def _energy(devices: Rows) -> Chart:
    rows = []
    for name in np.unique(devices["profile"]):
        mine = devices[devices["profile"] == name]
        for part in COMPONENTS:
            mean = joules(int(mine[f"{part}_uj"].sum())) / len(mine)
            rows.append({"class": texts(np.array([name]))[0], "part": part, "joules": mean})
    heads = {"class": "class", "part": "component", "joules": "J a phone"}
    parts = [name for name in COMPONENTS if name != "own"]
    work = joules(sum(int(devices[f"{part}_uj"].sum()) for part in parts)) / len(devices)
    value = Axis("joules", "J a phone")
    drawn = bars(rows, value, Axis("class", "class"), Axis("part", "component"), heads)
    return Chart(
        "energy",
        "Energy by component and class",
        f"What our work took of a phone in the whole run, {work:.3g} J in the mean. Its own life "
        "without us is in the table alone.",
        rows,
        heads,
        {"transform": [{"filter": "datum.part != 'own'"}], **drawn},
    )


def _latency(done: Rows) -> Chart:
    rows, medians = [], []
    for step, (kinds, start, end) in _STEPS.items():
        mine = done[np.isin(done["kind"], kinds)]
        times = seconds(1) * (mine[end] - mine[start]).astype(np.float64)
        times = times[times > 0]
        if not len(times):
            continue
        medians.append(f"{step} {np.median(times):.3g} s")
        found = np.percentile(times, _QUANTILES)
        rows += [
            {"step": step, "seconds": time_s, "percent": percent}
            for percent, time_s in zip(_QUANTILES, found.tolist(), strict=True)
        ]
    heads = {"step": "step", "percent": "percent of jobs", "seconds": "within seconds"}
    return Chart(
        "latency",
        "How long jobs took",
        f"Of the jobs that were done, how many were so within which time: {', '.join(medians)} in "
        "the median, from plan to end (inference: computation alone).",
        rows,
        heads,
        lines(
            Axis("seconds", "seconds", log=True),
            Axis("percent", "percent of jobs"),
            Axis("step", "step"),
            heads,
            point=False,
        ),
    )


def _traffic(jobs: Rows) -> Chart:
    edges = edges_us(int(jobs["finish_us"].max()))
    place = np.digitize(jobs["finish_us"], edges[1:], right=True)
    rows = []
    for way in ("downloaded", "uploaded"):
        moved = np.bincount(place, jobs[f"{way}_bytes"], len(edges) - 1) / 1e6
        rows += [
            {"way": way, "hours": start / HOUR_US, "mb": mb}
            for start, mb in zip(edges[:-1].tolist(), moved.tolist(), strict=True)
        ]
    total = sum(row["mb"] for row in rows)
    heads = {"way": "way", "hours": "hours", "mb": "MB"}
    return Chart(
        "traffic",
        "Traffic",
        f"Megabytes of all phones, in steps of {(edges[1] - edges[0]) / HOUR_US:g} hours; "
        f"{total:.3g} MB altogether.",
        rows,
        heads,
        lines(
            Axis("hours", "hours of virtual time"),
            Axis("mb", "MB"),
            Axis("way", "way"),
            heads,
            interpolate="step-after",
            point=False,
        ),
    )


def _outcomes(jobs: Rows) -> Chart:
    pairs, counts = np.unique(jobs[["kind", "outcome"]], return_counts=True)
    rows = [
        {
            "kind": Kind(kind).name.lower(),
            "outcome": Outcome(outcome).name.lower().replace("_", " "),
            "jobs": count,
        }
        for (kind, outcome), count in zip(pairs.tolist(), counts.tolist(), strict=True)
    ]
    heads = {"kind": "kind", "outcome": "outcome", "jobs": "jobs"}
    done = sum(row["jobs"] for row in rows if row["outcome"] == "done")
    return Chart(
        "outcomes",
        "How jobs ended",
        f"{done:,} of {len(jobs):,} jobs were done.",
        rows,
        heads,
        bars(rows, Axis("jobs", "jobs"), Axis("kind", "kind"), Axis("outcome", "outcome"), heads),
    )


def versions_chart(delivered: Rows, phones: int) -> Chart:
    """Return how many of *phones* held which version when, from the deliveries that were done.

    Of more than ``MOST_VERSIONS`` the others, which fewer phones fetched, are one line together.
    """
    order = np.argsort(delivered["finish_us"], kind="stable")
    delivered = delivered[order]
    edges = edges_us(int(delivered["finish_us"].max()))
    holds: dict[int, int] = {}
    rows, at = [], 0
    versions, fetched = np.unique(delivered["version"], return_counts=True)
    own = set(versions[np.argsort(-fetched, kind="stable")[:MOST_VERSIONS]].tolist())
    names = {one: f"v{one}" if one in own else OTHERS for one in versions.tolist()}
    for edge in edges.tolist():
        until = int(np.searchsorted(delivered["finish_us"], edge, side="right"))
        for phone, version in delivered[["phone", "version"]][at:until].tolist():
            holds[phone] = version
        at = until
        held = Counter(names[version] for version in holds.values())
        for name in dict.fromkeys(names.values()):
            share = 100 * held[name] / phones
            rows.append({"version": name, "hours": edge / HOUR_US, "percent": share})
    heads = {"version": "version", "hours": "hours", "percent": "percent of phones"}
    return Chart(
        "versions",
        "Versions on the phones",
        f"Which model phones hold; {100 * len(holds) / phones:.0f} % hold one at the end.",
        rows,
        heads,
        lines(
            Axis("hours", "hours of virtual time"),
            Axis("percent", "percent of phones"),
            Axis("version", "version"),
            heads,
            point=False,
        ),
        every=_every(rows),
    )


def _every(rows: list[Row], most: int = 600) -> int:
    """Return of how many rows one stands in a table, so that it has at most *most*."""
    return -(-len(rows) // most)
