"""A chart of a page: what it says, its rows, how they are drawn (Vega-Lite), and as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = dict[str, Any]
Spec = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """A column of the rows that is drawn: its *name*, what it is called, and its scale."""

    name: str
    title: str
    log: bool = False
    zero: bool = True

    def number(self) -> Spec:
        """Return its encoding as a number."""
        scale = {"type": "log"} if self.log else {"zero": self.zero}
        return self._head() | {"type": "quantitative", "scale": scale}

    def word(self) -> Spec:
        """Return its encoding as a word, in the order of the rows."""
        return self._head() | {"type": "nominal", "sort": None}

    def _head(self) -> Spec:
        return {"field": self.name, "title": self.title}


@dataclass(frozen=True)
class Chart:
    """A drawing of *rows*; ``says`` tells what is to be seen, ``heads`` the columns of its table.

    *spec* is one of Vega-Lite without data and width; heights are in pixels. A long table is of
    every so many rows: ``every``.
    """

    name: str
    title: str
    says: str
    rows: Sequence[Row]
    heads: Mapping[str, str]
    spec: Spec
    every: int = 1
    wide: bool = False


def plain(value: Any) -> Any:
    """Return *value* for JSON: six digits of a number, None where there is none."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value


def lines(x: Axis, y: Axis, colour: Axis, heads: Mapping[str, str], **mark: Any) -> Spec:
    """Return lines, a colour each; a click into the legend shows one alone."""
    drawn = {"type": "line", "point": {"size": 12}, **mark}
    encoding = {"x": x.number(), "y": y.number(), "tooltip": tooltip(heads)}
    return {"height": 260, "mark": drawn, **chosen(encoding, colour)}


def bars(rows: Sequence[Row], x: Axis, y: Axis, colour: Axis, heads: Mapping[str, str]) -> Spec:
    """Return bars that lie one after the other, a colour each."""
    encoding = {"x": x.number(), "y": y.word(), "tooltip": tooltip(heads)}
    return {"height": height(rows, y.name), "mark": "bar", **chosen(encoding, colour)}


def ranges(rows: Sequence[Row], x: Axis, y: Axis, heads: Mapping[str, str]) -> Spec:
    """Return points in their intervals, from the columns ``low`` and ``high``."""
    shared = {"y": y.word(), "tooltip": tooltip(heads)}
    span = {"x": x.number() | {"field": "low"}, "x2": {"field": "high"}}
    return {
        "height": height(rows, y.name),
        "encoding": shared,
        "layer": [
            {"mark": "rule", "encoding": span},
            {"mark": {"type": "point", "filled": True, "size": 70}, "encoding": {"x": x.number()}},
        ],
    }


def height(rows: Sequence[Row], name: str, step: int = 26) -> int:
    """Return the height of a drawing that gives each value of the column *name* a place."""
    return step * len({row[name] for row in rows})


def chosen(encoding: Spec, colour: Axis) -> Spec:
    """Return *encoding* with a colour whose legend can be clicked."""
    select = {"type": "point", "fields": [colour.name]}
    dim = {"condition": {"param": "shown", "value": 1}, "value": 0.12}
    return {
        "params": [{"name": "shown", "select": select, "bind": "legend"}],
        "encoding": {**encoding, "color": colour.word(), "opacity": dim},
    }


def tooltip(heads: Mapping[str, str]) -> list[Spec]:
    """Return what is shown of a row that is pointed at."""
    return [{"field": name, "title": head} for name, head in heads.items()]
