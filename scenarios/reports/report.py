"""The summary as text: one table for the whole population, one by class of phone."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from .churn_facts import churn_lines
from .deliveries import in_words as in_words_of_release
from .device_tables import show_devices
from .fairness import fairness_lines
from .fault_facts import fault_lines
from .measured import Measured
from .quality import record_of
from .refusals import refusal_lines
from .staleness import in_words
from .summary import COMPONENTS

Facts = dict[str, Any]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _spread(spread: dict[str, float | None], digits: int = 1) -> str:
    return f"{_number(spread['p50'], digits)} / {_number(spread['p95'], digits)}"


def _per_phone(component: str, facts: Facts) -> str:
    return _number(facts["energy_j"][component] / max(facts["phones"]["total"], 1), 1)


def _megabytes(facts: Facts) -> str:
    down, up = facts["bytes"]["down"] / 1e6, facts["bytes"]["up"] / 1e6
    return f"{_number(down, 1)} / {_number(up, 1)}"


def tables_of(answer: Facts) -> list[Table]:
    """Return the tables of the summary *answer*: quality, by who took part, by class of phone."""
    groups = _groups(answer)
    return [_quality(answer), *([groups] if groups.row_count else []), _classes(answer)]


def _training(facts: Facts) -> str:
    parts = facts["training_job_j"]
    return f"{_number(parts['compute'], 2)} / {_number(parts['radio'], 2)}"


def show(answer: Facts, console: Console) -> None:
    """Print the summary *answer* of a run on *console*."""
    for line in (*refusal_lines(answer.get("messages")), *_data(answer)):
        console.print(line, highlight=False, markup=False)
    for table in tables_of(answer):
        console.print(table)
    for line in (*_judged(answer), *_sizes(answer)):
        console.print(line, highlight=False)
    if "devices" in answer:
        show_devices(answer["devices"], console)
    participation = answer["participation"]
    console.print(
        f"{answer['rounds']} rounds; a round selected {participation['selected']:.1%} of the "
        f"phones and heard from {participation['done']:.1%} (mean).",
        highlight=False,
    )
    for line in fairness_lines(answer):
        console.print(line, highlight=False)
    for kind, outcomes in answer["outcomes"].items():
        total = sum(outcomes.values())
        parts = ", ".join(f"{n:,} {name} ({n / total:.1%})" for name, n in outcomes.items())
        console.print(f"{kind} jobs: {parts}", highlight=False)
    if "staleness" in answer:
        console.print(in_words(answer["staleness"]), highlight=False)
    for version, release in answer.get("releases", {}).items():
        console.print(in_words_of_release(version, release), highlight=False)
    for line in (*fault_lines(answer), *churn_lines(answer)):
        console.print(line, highlight=False)
    if "link_bytes" in answer:
        peers, server = (
            answer["link_bytes"][side] / 1e6 for side in ("between_phones", "with_server")
        )
        console.print(
            f"{_number(peers, 1)} MB between phones, {_number(server, 1)} MB with the server",
            highlight=False,
        )
    if "coverage" in answer:
        console.print(_coverage(answer["coverage"]), highlight=False)
    console.print(f"synthetic: {', '.join(answer['synthetic']) or 'nothing'}", highlight=False)
    if answer["wall_s"] is not None:
        console.print(f"wall time: {answer['wall_s']:.1f} s", highlight=False)


def _coverage(shares: dict[str, float]) -> str:
    """Return both shares in words: a share of places is no share of time."""
    text = (
        f"map: {shares['places']:.1%} of places are covered ({shares['remote_places']:.1%} of the "
        f"remote ones); phones were covered for {shares['time']:.1%} of the time"
    )
    if "remote_time" in shares:
        text += f" ({shares['remote_time']:.1%} where they live remotely)"
    return text


def _data(answer: Facts) -> Iterator[str]:
    """Yield what the data are, and what of them may surprise."""
    facts = answer["data"]
    if not facts:  # an older run does not say
        return
    when = "without times"
    if facts["first_s"] >= 0:
        first, last = (_day(facts[name]) for name in ("first_s", "last_s"))
        when = f"{first} to {last}" if first != last else first
    repeats = "dropped (data.repeats)" if facts["dropped"] else "kept (data.repeats)"
    yield (
        f"data: {facts['users']:,} users, {facts['items']:,} items, {facts['events']:,} events, "
        f"{when}; {facts['repeats']:,} repeats {repeats}"
    )
    if facts["untimed"]:
        yield (
            f"notice: {facts['untimed']:,} events have no time: their order is that of the file, "
            "and each user's last ones are held out; name the column of times, or sort the file"
        )
    if facts["known_tests"]:
        yield (
            f"notice: {facts['known_tests']:,} test events are of items that their users have in "
            "training; data.repeats = 'drop' leaves them out"
        )


def _sizes(answer: Facts) -> Iterator[str]:
    """Yield how large the shared part of the model is, and how much of it its tables are."""
    if sizes := answer["sizes"]:  # older runs do not say
        yield (
            f"model: {sizes['shared_bytes']:,} bytes are shared, {sizes['table_share']:.1%} of "
            "them in tables"
        )


def _day(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).date().isoformat()


def _judged(answer: Facts) -> Iterator[str]:
    """Yield who has judged what, and how far the trained model is from the strongest baseline."""
    asked, baseline = answer["asked"], answer["baseline"]
    if baseline is not None:
        metric, model = answer["metrics"][0], baseline["model"]
        chosen = ", ".join(f"{k} = {v:g}" for k, v in answer["settings"].get(model, {}).items())
        yield (
            f"strongest baseline: {name_of(model)}"
            f"{f' ({chosen}, chosen on validation)' if chosen else ''}; trained on the phones less "
            f"it, user by user: {metric.label} {_with_interval(baseline, 3)}"
        )
    yield (
        "lab: judged by the laboratory, which asks no phone: no bytes, no joules. "
        "± is the 95 % interval over users"
    )
    if asked["phones"]:
        yield (
            f"phones: the lists of {asked['phones']} phones that hold the model, for "
            f"{asked['mb']:.3f} MB and {asked['joules']:.2f} J each to get it and to compute them"
        )


_MODELS = {
    "trained": "trained on the phones",
    "float32": "  .tflite float32 (LiteRT)",
    "int8": "  .tflite int8 (LiteRT)",
    "held": "  listed on the phones",
    "mf": "central MF",
    "neumf": "central NeuMF",
    "cloud": "as the cloud trained it",
    "lightgcn": "central LightGCN",
    "ials": "iALS",
    "ease": "EASE",
    "itemknn": "ItemKNN",
    "popularity": "popularity",
}


def name_of(model: str) -> str:
    """Return what tables and pictures call *model*."""
    return _MODELS.get(model, model).strip()


def _quality(answer: Facts) -> Table:
    table = Table(title=f"{answer['scenario']}, seed {answer['seed']}: quality (mean over users)")
    table.add_column("model")
    table.add_column("judged by")
    columns = _columns(answer)
    for title in columns:
        table.add_column(title, justify="right")
    for model, label in _shown(answer).items():
        found = [record_of(answer, model=model, **where) for where in columns.values()]
        judge = "phones" if model == "held" else "lab"
        table.add_row(label, judge, *(_with_interval(one, 3) for one in found))
    return table


def _shown(answer: Facts) -> dict[str, str]:
    """Return the models of *answer* in the order of tables, with their labels."""
    models = {one["model"] for one in answer["quality"]}
    order = [*_MODELS, *sorted(models - set(_MODELS))]
    return {model: _MODELS.get(model, model) for model in order if model in models}


def _with_interval(record: Facts | None, digits: int) -> str:
    """Return a value with half of its interval; NaN and none are a dash."""
    if record is None:
        return "-"
    half = record["half_width"]
    return _number(record["value"], digits) + (f" ± {half:.{digits}f}" if half is not None else "")


def _groups(answer: Facts) -> Table:
    """Return the first metric by who took part; without a row where all or none did."""
    metric, groups = answer["metrics"][0], answer["groups"]
    table = Table(title=f"{metric.label}: who took part in learning, and who did not")
    table.add_column("model")
    everybody = {"quality": answer["quality"], "phones": answer["phones"]}
    every = {**groups, "all": everybody}
    for name, facts in every.items():
        table.add_column(f"{name} ({facts['phones']['total']})", justify="right")
    for model, label in _shown(answer).items() if len(groups) > 1 else ():
        where = {"model": model, "ranking": metric.ranking}
        found = [record_of(facts, metric.name, **where) for facts in every.values()]
        table.add_row(label, *(_with_interval(one, 3) for one in found))
    return table


def _columns(answer: Facts) -> dict[str, dict[str, str]]:
    """Return the titles of the columns of quality, and where the value of each is found."""
    columns, there = {}, {(one["figure"], one["part"], one["ranking"]) for one in answer["quality"]}
    for title, part, ranking in (
        ("", "test", ""),
        (" full", "test", "full"),
        (" returns", "test", "returns"),
        (" first", "test", "first"),
        (" new", "test", "new"),
        (", validation", "valid", ""),
    ):
        for metric in answer["metrics"]:
            where = {"metric": metric.name, "part": part, "ranking": ranking or metric.ranking}
            twice = ranking == metric.ranking
            if tuple(where.values()) in there and not twice:
                columns[metric.label + title] = where
    for name in sorted({name for name, *_ in there if name.endswith("_overlap")}):
        columns["top-k overlap"] = {"metric": name}
    return columns


def _classes(answer: Facts) -> Table:
    title = "by class of phone"
    if "devices" in answer:
        title += " (classes: simulated phones alone, modelled; all: with the real devices)"
    table = Table(title=title)
    table.add_column("")
    groups: dict[str, Facts] = {"all": answer, **answer["classes"]}
    for name in groups:
        table.add_column(name, justify="right")
    for label, cell in [*_ROWS[:3], *_metric_rows(answer), *_ROWS[3:]]:
        table.add_row(label, *(cell(facts) for facts in groups.values()))
    return table


def _metric_rows(answer: Facts) -> Iterator[tuple[str, Callable[[Facts], str]]]:
    """Yield a row for each metric; after the first one those of int8 and the best baseline."""
    baseline = answer["baseline"]
    for number, metric in enumerate(answer["metrics"]):
        found = partial(_value, metric)
        yield metric.label, found
        if number == 0 and any(one["model"] == "int8" for one in answer["quality"]):
            yield f"{metric.label} int8", partial(found, model="int8")
        if number == 0 and baseline is not None:
            yield (
                f"{metric.label} {name_of(baseline['model'])}",
                partial(found, model=baseline["model"]),
            )


def _value(metric: Measured, facts: Facts, model: str = "trained") -> str:
    found = record_of(facts, metric.name, model=model, ranking=metric.ranking)
    return _with_interval(found, 2)


_ROWS: list[tuple[str, Callable[[Facts], str]]] = [
    ("phones", lambda f: str(f["phones"]["total"])),
    ("  trained / reached", lambda f: f"{f['phones']['trained']} / {f['phones']['reached']}"),
    ("  refused / dead", lambda f: f"{f['phones']['refused']} / {f['phones']['dead']}"),
    ("train job s (p50 / p95)", lambda f: _spread(f["latency_s"]["train"])),
    ("delivery s", lambda f: _spread(f["latency_s"]["delivery"])),
    ("inference s", lambda f: _spread(f["latency_s"]["inference"], 3)),
    ("train job J (compute / radio)", _training),
    ("MB down / up", _megabytes),
    *((f"J a phone: {name}", partial(_per_phone, name)) for name in (*COMPONENTS, "total")),
]
