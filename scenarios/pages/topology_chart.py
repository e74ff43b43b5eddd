"""The chart of who learned from whom, where phones learn from one another."""

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.scenarios.reports.learning_graph import LearningGraph
from droidloop.scenarios.reports.network_plot import both_ways, part_around, places_of

from .chart import Chart, Row, Spec, tooltip

MOST_PHONES, MOST_LINES = 300, 900
"""Of more a part is drawn: a page has to answer to the pointer."""


def topology_chart(teaching: LearningGraph) -> Chart:
    """Return phones as spots and what they learned from one another as lines."""
    links, counts = teaching.links()
    shown = part_around(links, teaching.phones, MOST_PHONES)
    inside = np.isin(links, shown).all(axis=1)
    within = np.searchsorted(shown, links[inside])
    pairs, together = both_ways(within, counts[inside])
    places = places_of(pairs, together, len(shown))
    strongest = np.argsort(-together, kind="stable")[:MOST_LINES]
    rows = [
        *_lines(shown, places, pairs[strongest], together[strongest]),
        *_spots(teaching, shown, places),
    ]
    heads = {
        **{"what": "what", "phone": "phone", "other": "and phone", "messages": "messages"},
        **{"class": "class", "taught": "phones taught"},
    }
    part = f" Shown are {len(shown):,} of them." if len(shown) < teaching.phones else ""
    few = f" Shown are the strongest {MOST_LINES:,}." if len(pairs) > MOST_LINES else ""
    return Chart(
        "topology",
        "Who learned from whom",
        f"{len(pairs):,} pairs among {teaching.phones:,} phones told one another.{part}{few}",
        rows,
        heads,
        _drawn(heads),
        every=-(-len(rows) // 600),
        wide=True,
    )


def _lines(shown: IntArray, places: FloatArray, pairs: IntArray, together: IntArray) -> list[Row]:
    return [
        {
            **{"what": "link", "phone": int(shown[a]), "other": int(shown[b])},
            **{"messages": int(count), "class": None, "taught": None},
            **{"x": places[a, 0], "y": places[a, 1], "x2": places[b, 0], "y2": places[b, 1]},
        }
        for (a, b), count in zip(pairs.tolist(), together.tolist(), strict=True)
    ]


def _spots(teaching: LearningGraph, shown: IntArray, places: FloatArray) -> list[Row]:
    taught, classes = teaching.learners(), teaching.classes
    return [
        {
            **{"what": "phone", "phone": phone, "other": None, "messages": None},
            **{"class": classes[teaching.phone_class[phone]], "taught": int(taught[phone])},
            **{"x": places[k, 0], "y": places[k, 1]},
        }
        for k, phone in enumerate(shown.tolist())
    ]


def _drawn(heads: dict[str, str]) -> Spec:
    at = {"type": "quantitative", "axis": None}
    ends = {"x": {"field": "x", **at}, "y": {"field": "y", **at}}
    dim = {"condition": {"param": "shown", "value": 1}, "value": 0.12}
    line = {
        "transform": [{"filter": "datum.what == 'link'"}],
        "mark": {"type": "rule", "opacity": 0.25},
        "encoding": {**ends, "x2": {"field": "x2"}, "y2": {"field": "y2"}},
    }
    spot = {
        "transform": [{"filter": "datum.what == 'phone'"}],
        "params": [
            {
                "name": "shown",
                "select": {"type": "point", "fields": ["class"]},
                "bind": "legend",
            }
        ],
        "mark": {"type": "point", "filled": True},
        "encoding": {
            **ends,
            "color": {"field": "class", "title": "class", "type": "nominal", "sort": None},
            "size": {"field": "taught", "title": "phones taught", "type": "quantitative"},
            "opacity": dim,
            "tooltip": tooltip(heads),
        },
    }
    return {"height": 420, "layer": [line, spot]}
