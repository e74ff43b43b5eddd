"""The summary as text: one table for the whole population, one by class of phone."""

from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

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
    """Return the tables of the summary *answer*: quality, and what holds by class of phone."""
    return [_quality(answer), _classes(answer)]


def show(answer: Facts, console: Console) -> None:
    """Print the summary *answer* of a run on *console*."""
    for table in tables_of(answer):
        console.print(table)
    participation = answer["participation"]
    console.print(
        f"{answer['rounds']} rounds; a round selected {participation['selected']:.1%} of the "
        f"phones and heard from {participation['done']:.1%} (mean).",
        highlight=False,
    )
    for kind, outcomes in answer["outcomes"].items():
        parts = ", ".join(f"{count:,} {name}" for name, count in outcomes.items())
        console.print(f"{kind} jobs: {parts}", highlight=False)
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


_MODELS = {
    "": "trained on the phones",
    "float32": "  .tflite float32 (LiteRT)",
    "int8": "  .tflite int8 (LiteRT)",
    "mf": "central MF",
    "neumf": "central NeuMF",
    "cloud": "as the cloud trained it",
    "lightgcn": "central LightGCN",
    "itemknn": "ItemKNN",
    "popularity": "popularity",
}


def _quality(answer: Facts) -> Table:
    quality = answer["quality"]
    names = sorted(name for name in quality if "_at_" in name and name.split("_at_")[0] != "recall")
    table = Table(title=f"{answer['scenario']}, seed {answer['seed']}: quality (mean over users)")
    table.add_column("model")
    for name in names:
        table.add_column(_title(name), justify="right")
    for name in names:
        table.add_column(f"{_title(name)} full", justify="right")
    by_auc = "auc" in quality
    for title in ("AUC by user", "validation") if by_auc else ("top-k overlap",):
        table.add_column(title, justify="right")
    others = [name for name, facts in quality.items() if isinstance(facts, dict)]
    parts = ("full", "valid")
    unnamed = {name: name for name in others if name not in _MODELS and name not in parts}
    for model, label in {**_MODELS, **unnamed}.items():
        facts = quality.get(model) if model else quality
        if facts is None:
            continue
        last = [next((v for n, v in facts.items() if n.endswith("_overlap")), None)]
        if by_auc:
            last = [facts.get("auc"), facts.get("valid", {}).get("auc")]
        table.add_row(
            label,
            *(_number(facts.get(name), 4) for name in names),
            *(_number(facts.get("full", {}).get(name), 4) for name in names),
            *(_number(value, 4) for value in last),
        )
    return table


def _title(name: str) -> str:
    metric, k = name.split("_at_")
    return f"{metric.upper()}@{k}"


def _classes(answer: Facts) -> Table:
    table = Table(title="by class of phone")
    table.add_column("")
    groups: dict[str, Facts] = {"all": answer, **answer["classes"]}
    for name in groups:
        table.add_column(name, justify="right")
    rows = [_AUC_ROW if cell is _hit else (label, cell) for label, cell in _ROWS]
    if "auc" not in answer["quality"]:
        rows = _ROWS
    for label, cell in rows:
        table.add_row(label, *(cell(facts) for facts in groups.values()))
    return table


def _hit(facts: Facts, model: str | None = None) -> str:
    quality = facts["quality"].get(model, {}) if model else facts["quality"]
    value = next((v for n, v in quality.items() if n.startswith("hr_at_")), None)
    return _number(value, 3)


def _auc(facts: Facts) -> str:
    return _number(facts["quality"].get("auc"), 3)


_AUC_ROW = ("AUC by user", _auc)
_ROWS: list[tuple[str, Callable[[Facts], str]]] = [
    ("phones", lambda f: str(f["phones"]["total"])),
    ("  trained / reached", lambda f: f"{f['phones']['trained']} / {f['phones']['reached']}"),
    ("  refused / dead", lambda f: f"{f['phones']['refused']} / {f['phones']['dead']}"),
    ("HR float", _hit),
    ("HR int8", lambda f: _hit(f, "int8")),
    ("train job s (p50 / p95)", lambda f: _spread(f["latency_s"]["train"])),
    ("delivery s", lambda f: _spread(f["latency_s"]["delivery"])),
    ("inference s", lambda f: _spread(f["latency_s"]["inference"], 3)),
    ("MB down / up", _megabytes),
    *((f"J a phone: {name}", partial(_per_phone, name)) for name in (*COMPONENTS, "total")),
]
