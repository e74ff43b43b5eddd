"""Every key of every section of a scenario with values that nobody should give.

`python -m tests.fuzz keys` plays a small run with each; a test does so with some. A value is
refused in one line, or the run ends as any other does.
"""

import io
import json
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from rich.console import Console

from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import every, find, missing
from droidloop.platform.workers import use_threads
from droidloop.scenarios.catalogue.keys import Part, parts
from droidloop.scenarios.reports.report import show
from droidloop.scenarios.reports.summary import records
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.chosen import tag_of
from droidloop.scenarios.schema.load import check
from droidloop.scenarios.schema.schema import Scenario

SMALL: dict[str, Any] = {
    "name": "small",
    "title": "",
    "data": {"users": 12, "items": 30, "interactions": 8},
    "protocol": {"rounds": 2, "every_s": 7200.0, "deadline_s": 3600.0},
    "population": {"ideal": True},
    "delivery": {"variant": "none"},
    "evaluation": {"candidates": 10, "k": 3, "baselines": ["popularity"]},
}
WHOLE = [-1, 0, 1, 2, 1000, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 10**30]
REAL = [-1.0, -0.0, 5e-324, 1e-9, 1e-3, 1.0, 1e9, 1e18, 1e300]
LONG = 100_000
"""What is done so often takes as long as it takes: checked, not played."""
ODD = ["", "région", "a" * 5000, "../../x", "a\nb", "\x1b[31mred", "\0", "x.csv"]


class Case(NamedTuple):
    """A key with its section, a value, and the tables of a scenario with both."""

    where: str
    value: Any
    content: dict[str, Any]


def cases(only: str = "") -> Iterator[Case]:
    """Yield all cases whose place holds *only*, section by section."""
    for part in parts():
        where = {key.name: f"{part.heading} {key.name}" for key in part.keys}
        wanted = [key for key in part.keys if only in where[key.name]]
        if not wanted or part.path.startswith("devices"):
            continue
        made = base(part)
        if made is None:
            continue
        for key in wanted:
            for value in values(key.type):
                content = deepcopy(made)
                put(content, part.path, key.name, value)
                yield Case(where[key.name], value, content)


def values(kind: str) -> list[Any]:
    """Return what a key of that *kind* is given."""
    if kind.startswith("list: "):
        inner = values(kind.removeprefix("list: "))
        return [[], *([one] for one in inner), inner[2:5], inner[2:3] * 2, "x"]
    if kind.startswith("table: "):
        inner = values(kind.removeprefix("table: ").removesuffix(" by name"))
        return [{}, *({"région": one} for one in inner[:6]), {"": 1.0}, {"4g": 1e308, "3g": 1e308}]
    if kind.startswith("integer"):
        return [*WHOLE, 1.5, "x", True, *_edges(kind)]
    if kind.startswith("number"):
        return [*REAL, float("nan"), float("inf"), 1, "x", *map(float, _edges(kind))]
    if kind == "true or false":
        return [True, False, 1, "x"]
    if kind.startswith("table"):
        return [{}, {"x": 1}, "x", 1]
    words = [word.strip('"') for word in kind.split(", ")] if kind.startswith('"') else []
    return [*words, *ODD, 1]


def _edges(kind: str) -> list[int]:
    """Return the greatest value that *kind* takes, if it is small, and what is beyond."""
    said = [word for word in kind.split(", ") if word.lstrip().startswith("<=")]
    greatest = [int(float(word.split("<=")[1].split()[0])) for word in said]
    return [more for one in greatest for more in (one, one + 1)]


def put(content: dict[str, Any], path: str, key: str, value: Any) -> None:
    """Give the *key* of the section at *path* that *value*; lists and names hold one section."""
    table: Any = content
    for word in path.split(".") if path else []:
        name = "4g" if word == "NAME" else word
        table = table.setdefault(name, {})
        if isinstance(table, str):
            raise AssertionError(path)
        if isinstance(table, list):
            table = table[0]
    table[key] = value


def base(part: Part) -> dict[str, Any] | None:
    """Return the tables of a small scenario that has the section *part*."""
    content: dict[str, Any] = {
        key: dict(v) if isinstance(v, dict) else v for key, v in SMALL.items()
    }
    content["evaluation"] = {**SMALL["evaluation"]}
    if part.method is not None:
        kind, name = part.method.kind, part.method.name
        choice: dict[str, Any] = {"name" if kind == "metric" else tag_of(kind): name}
        if kind == "fault":
            choice |= {"at_h": [0.5]} | ({"region": "rural"} if name == "region-dark" else {})
            content["population"] = {"ideal": False}
        if kind in ("transform", "sender", "metric", "fault"):
            put(content, part.path.rpartition(".")[0], part.path.rpartition(".")[2], [choice])
            if kind == "metric":
                content["evaluation"]["best_by"] = name
        else:
            for key, value in choice.items():
                put(content, part.path, key, value)
    fitting = _fitting(content)
    if fitting is None:  # it is trained in one place alone, as a baseline
        assert part.method is not None, part.heading
        assert "central" in part.method.gives, part.heading
        return None
    content = fitting
    special: dict[str, Any] = {
        "population.region.NAME": {
            "population": {
                "ideal": False,
                "regions": {"4g": 1.0},
                "region": {"4g": {"covered_share": 0.5, "gap_s": 60.0}},
            }
        },
        "population.map": {"population": {"ideal": False, "map": {}}},
        "population.cell": {"population": {"ideal": False, "cell": {}}, "play": "exact"},
        "population": {"population": {"ideal": False}},
        "churn": {"churn": {"lifetime_days": 0.1, "return_share": 0.5}},
        "churn.events": {"churn": {"events": [{"leaves_h": 1.0, "share": 0.2}]}},
        "data.columns": {"data": {"path": "x.csv", "columns": {}}},
        "delivery": {"delivery": {"variant": "int8"}},
        "model.table": {"data": {"items": 600}},
        "delivery.planted": {
            "delivery": {"variant": "int8", "planted": [{"release": 1, "fault": "wrong"}]}
        },
    }
    for key, table in special.get(part.path, {}).items():
        content[key] = {**content.get(key, {}), **table} if isinstance(table, dict) else table
    if part.path == "protocol.topology":
        content["training"], content["protocol"]["kind"] = {"rule": "gossip-mf"}, "gossip"
        content["protocol"]["topology"] = {"kind": "clusters", "clusters": 2, "links": 2}
    if part.path == "unlearning":
        content["churn"] = {"events": [{"leaves_h": 1.0, "share": 0.2, "how": "forget"}]}
        content["protocol"]["rounds"] = 4
    return content


def _fitting(content: dict[str, Any]) -> dict[str, Any] | None:
    """Return *content* with a rule and a protocol that go with what it chooses; None: none do."""
    for more in _ways():
        tried = {
            key: {**value} if isinstance(value, dict) else value for key, value in content.items()
        }
        for key, table in more.items():
            tried[key] = {**table, **tried.get(key, {})}
        tried["evaluation"] |= more["evaluation"]
        try:
            scenario = Scenario.of(tried)
        except (ScenarioError, ValidationError):
            continue
        if scenario.recommender.name == "next-place":
            tried["data"]["places"] = True
        return tried
    return None


@cache
def _ways() -> list[dict[str, Any]]:
    ways = []
    for rule in ["fedmf", *(one.name for one in every("rule"))]:
        for protocol in every("protocol"):
            if missing(find("rule", rule), protocol):
                continue
            chosen = {"training": {"rule": rule}, "protocol": {"kind": protocol.name}}
            for baselines in (["popularity"], []):
                ways.append({**chosen, "evaluation": {"baselines": baselines}})
    return ways


def _quiet(stage: str, done: int, total: int) -> None:
    pass


def tried(case: Case, folder: Path) -> None:
    """Check the scenario of *case*, and play it where that ends soon."""
    check(case.content, "small.toml")
    if not (isinstance(case.value, int) and case.value >= LONG):
        play(case.content, folder)


def play(content: dict[str, Any], folder: Path) -> None:
    """Play the scenario in *content* into *folder*, and write its answer as JSON."""
    answer = execute(check(content, "small.toml"), folder, replay=None, progress=_quiet)
    json.dumps(records(answer), allow_nan=False)
    show(answer, Console(file=io.StringIO()))


def warm(only: str) -> None:
    """Import and compile what runs of the parts that hold *only* need, before there are children.

    A part is played as it is first: what is wrong with that is no value's fault.
    """
    use_threads(1)  # threads do not outlive a fork
    for part in [None, *(one for one in parts() if only in one.heading)]:
        content = SMALL if part is None else base(part)
        if content is not None and "path" not in content["data"]:
            with tempfile.TemporaryDirectory() as folder:
                play(content, Path(folder) / "one")
