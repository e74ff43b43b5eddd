"""Phones as spots and what they learned from one another as lines, for forty or for a thousand.

Phones that told one another much lie near one another: ForceAtlas2 (Jacomy et al. 2014, PLOS ONE
9(6)) as in networkx, from a circle on, so that no chance is in it.
"""

from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray

from .learning_graph import LearningGraph

MOST_PHONES = 1_500
"""Of more phones a part is drawn: the layout compares each with each."""
MOST_LINES = 4_000
"""Of more links the strongest are drawn: all would be one dark spot."""
MOST_ARROWS = 300
"""With more links, directions cannot be told apart and lines have none."""

_INK = (0.1, 0.1, 0.15)


def draw_network(axis: Any, teaching: LearningGraph) -> None:
    """Draw who learned from whom on *axis*; what is left out is said above it."""
    links, counts = teaching.links()
    shown = part_around(links, teaching.phones, MOST_PHONES)
    inside = np.isin(links, shown).all(axis=1)
    links, counts = np.searchsorted(shown, links[inside]), counts[inside]
    pairs, together = both_ways(links, counts)
    places = places_of(pairs, together, len(shown))
    arrows = len(links) <= MOST_ARROWS
    if arrows:
        _draw_arrows(axis, places, links, counts)
    else:
        _draw_lines(axis, places, pairs, together)
    learners = teaching.learners()[shown]
    sizes = min(220.0, 24_000.0 / len(shown)) * (0.15 + 0.85 * learners / learners.max(initial=1))
    for colour, members, label in _colours(teaching):
        spots = np.flatnonzero(members[shown])
        style = {"color": [colour], "edgecolor": "white", "linewidth": 0.3, "zorder": 3}
        axis.scatter(*places[spots].T, s=sizes[spots], label=label, **style)
    without = len(shown) - len(np.unique(pairs))
    _title(axis, teaching, len(shown), len(links if arrows else pairs), without)
    most = int((counts if arrows else together).max(initial=1))
    _below(axis, teaching, most, "an arrow to the learner" if arrows else "a line")


def _draw_arrows(axis: Any, places: FloatArray, links: IntArray, counts: IntArray) -> None:
    """Draw an arc from each teacher to its learner; the way back bends to the other side."""
    from matplotlib.patches import FancyArrowPatch

    depth = _depth(counts)
    for k, (teacher, learner) in enumerate(links):
        arrow = FancyArrowPatch(
            tuple(places[teacher]),
            tuple(places[learner]),
            connectionstyle="arc3,rad=0.12",
            arrowstyle="-|>,head_length=3.5,head_width=1.8",
            shrinkA=5,
            shrinkB=7,
            color=(*_INK, 0.15 + 0.75 * depth[k]),
            linewidth=0.5 + depth[k],
            zorder=1,
        )
        axis.add_patch(arrow)


def _draw_lines(axis: Any, places: FloatArray, pairs: IntArray, counts: IntArray) -> None:
    """Draw a straight line for each pair, the strongest on top."""
    from matplotlib.collections import LineCollection

    picked = np.argsort(-counts, kind="stable")[:MOST_LINES][::-1]
    depth = _depth(counts[picked])
    lightest, darkest = 0.05, min(0.8, 0.2 + 400 / len(picked))
    lines = LineCollection(list(places[pairs[picked]]), zorder=1)
    lines.set_color([(*_INK, lightest + (darkest - lightest) * value**2) for value in depth])
    lines.set_linewidth((0.4 + 0.7 * depth).tolist())
    axis.add_collection(lines)


def _depth(counts: IntArray) -> FloatArray:
    """Return from more than 0 to 1 how dark so many messages are."""
    return np.asarray(np.log1p(counts) / np.log1p(counts.max(initial=1)), np.float64)


def _title(axis: Any, teaching: LearningGraph, phones: int, links: int, without: int) -> None:
    words = []
    if phones < teaching.phones:
        words.append(f"the {phones:,} phones nearest to phone 0,")
    strongest = f"the strongest {MOST_LINES:,} of " if links > MOST_LINES else ""
    words.append(f"{strongest}{links:,} links")
    if teaching.group is not None:
        words.append(f"since turn {teaching.since}, that of the last grouping")
    if without:
        words.append(f"(phones without any at the bottom: {without:,})")
    axis.set_title(" ".join(words), fontsize=10)


def _below(axis: Any, teaching: LearningGraph, most: int, line: str) -> None:
    """Say below the drawing what its marks mean."""
    colour = "class of phone" if teaching.group is None else "group"
    axis.set_xlabel(
        f"colour: {colour}; size: how many phones it taught; "
        f"{line}: 1 (light) to {most:,} (dark) messages",
        fontsize=8,
    )
    axis.set(xticks=[], yticks=[])
    axis.margins(0.03)
    axis.autoscale_view()
    for side in axis.spines.values():
        side.set_visible(False)
    if len(axis.get_legend_handles_labels()[0]) > 11:  # groups beyond that: colour alone
        return
    legend = axis.figure.legend(
        *axis.get_legend_handles_labels(), fontsize=7, ncols=7, loc="outside lower left"
    )
    for handle in legend.legend_handles:
        handle.set_sizes([25.0])


def _colours(teaching: LearningGraph) -> list[tuple[Any, IntArray, str]]:
    """Return for each class, or group where there are some: its colour, who is in it, its name."""
    from matplotlib import colormaps

    number, names = teaching.phone_class, dict(enumerate(teaching.classes))
    if teaching.group is not None:
        number = teaching.group
        names = {k: f"group {k}" if k >= 0 else "no group" for k in np.unique(number).tolist()}
    count = 10 if len(names) <= 10 else 20
    colours = colormaps[f"tab{count}"]
    return [
        ("lightgrey" if k < 0 else colours(k % count), number == k, name)
        for k, name in names.items()
    ]


def both_ways(links: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """Return the pairs (q, 2) that *links* (p, 2) join, the lower first, and their sums (q,)."""
    pairs, place = np.unique(np.sort(links, axis=1), axis=0, return_inverse=True)
    return pairs, np.bincount(place.reshape(-1), counts, len(pairs)).astype(np.int64)


def part_around(links: IntArray, phones: int, most: int) -> IntArray:
    """Return at most *most* phones, sorted: all, or those that the fewest links part from phone 0.

    Where these come to an end, the part of the next phone follows.
    """
    if phones <= most:
        return np.arange(phones)
    order = np.empty(0, np.int64)
    reached = np.zeros(phones, np.bool_)
    edge = np.array([0])
    while len(order) < most:
        if not len(edge):
            edge = np.flatnonzero(~reached)[:1]
        reached[edge] = True
        order = np.concatenate([order, edge])
        touched = np.unique(links[reached[links].any(axis=1)])
        edge = touched[~reached[touched]]
    return np.sort(order[:most])


def places_of(pairs: IntArray, counts: IntArray, phones: int) -> FloatArray:
    """Return the places (n, 2) of *phones*, of which *counts* messages draw *pairs* together.

    Phones without a link stand in rows below the others.
    """
    linked = np.unique(pairs)
    places = np.zeros((phones, 2))
    places[linked] = _layout(np.searchsorted(linked, pairs), counts, len(linked))
    alone = np.setdiff1d(np.arange(phones), linked)
    row = 60
    places[alone, 0] = (np.arange(len(alone)) % row + 0.5) / row
    places[alone, 1] = -0.06 - 0.025 * (np.arange(len(alone)) // row)
    return places


def _layout(pairs: IntArray, counts: IntArray, phones: int) -> FloatArray:
    """Return places (n, 2) between 0 and 1."""
    import networkx as nx

    graph: Any = nx.Graph()
    graph.add_nodes_from(range(phones))
    weights = np.log2(1 + counts)
    graph.add_weighted_edges_from(
        (a, b, weight) for (a, b), weight in zip(pairs.tolist(), weights.tolist(), strict=True)
    )
    angle = 2 * np.pi * np.arange(phones) / phones
    circle = dict(enumerate(np.column_stack([np.cos(angle), np.sin(angle)])))
    # strong gravity keeps parts that have nothing to do with one another near
    found = nx.forceatlas2_layout(
        graph,
        pos=circle,
        max_iter=150,
        scaling_ratio=4.0,
        gravity=0.1,
        strong_gravity=True,
        weight="weight",
        seed=0,
    )
    places = np.array([found[phone] for phone in range(phones)])
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - low) / np.maximum(high - low, 1e-9))
