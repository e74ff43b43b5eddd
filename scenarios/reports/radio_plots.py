"""What radios, links and batteries do, as pictures: the physics alone, without a run."""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.population.population import MBIT, PopulationSpec, build
from droidloop.network.coverage import renewal_at
from droidloop.network.formats import LinkTrace, read_trace
from droidloop.network.gaps import FITTED, per_second
from droidloop.network.presets import PRESETS
from droidloop.network.timeline import Span, energy_uj, isolated
from droidloop.network.trace import Series
from droidloop.platform.draws import Draws
from droidloop.platform.units import MINUTE_US, joules, seconds

from .battery_plot import draw_batteries
from .canvas import blank, save

_STATES = {
    "promotion": "#dd8452",
    "handshake": "#937860",
    "transfer": "#4c72b0",
    "tail": "#c44e52",
    "tail2": "#e5a3a5",
}
_PARTS = {
    "3g": {"tail": "DCH tail", "tail2": "FACH tail"},
    "lte": {"tail": "reception, short DRX", "tail2": "long DRX"},
}
_RADIOS = {
    "3g": "3G",
    "lte": "LTE",
    "5g": "5G, low band",
    "5g-mmwave": "5G, mmWave",
    "wifi": "WiFi",
}
_YEARS = {"2012": ("3g", "lte", "wifi"), "2021": ("lte", "5g", "5g-mmwave", "wifi")}
_GAP = "#c44e52"


def draw_radio(folder: Path, *, trace: Path | None = None, seed: int = 1) -> list[Path]:
    """Draw three pictures into *folder* and return their paths.

    One transfer on each radio; the throughput of *trace* with its gaps, or else of a modelled link;
    the batteries of ten phones over two days.

    Raises:
        DataError: *trace* cannot be read.
    """
    link = read_trace(trace) if trace else modelled_link(Draws(seed, "plots"))
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png" for name in ("transfers", "link", "batteries")]
    draw_transfers(paths[0])
    draw_link(paths[1], link)
    population = build(PopulationSpec(10), Draws(seed, "plots").child("population"))
    draw_batteries(paths[2], population)
    return paths


def draw_transfers(path: Path, *, nbytes: int = 1_000_000, mbps: float = 2.0) -> None:
    """Draw power over time of one isolated download on each radio of two years.

    Radios of a year have one scale of watts; beside them, what each radio's download takes.
    """
    figure = blank(8.4)
    figure.suptitle(
        f"one download of {nbytes / 1e6:g} MB at {mbps:g} Mbit/s, from idle to idle", fontsize=12
    )
    rows = max(map(len, _YEARS.values()))
    axes = figure.subplots(rows, len(_YEARS), squeeze=False)
    totals: dict[str, list[Span]] = {}
    for column, (year, radios) in enumerate(_YEARS.items()):
        spans = {name: isolated(PRESETS[year][name], nbytes, round(mbps * MBIT)) for name in radios}
        most_w = max(span.power_uw for one in spans.values() for span in one) / 1e6
        end_s = max(seconds(one[-1].end_us) for one in spans.values())
        for row, (name, one) in enumerate(spans.items()):
            axis = axes[row, column]
            title = f"{_RADIOS[name]}, {year}"
            totals[title] = one
            # before 2012's DRX a tail had no parts with names of their own
            _power(axis, title, one, _PARTS.get(name, {}) if year == "2012" else {})
            axis.set(xlim=(-0.02 * end_s, 1.75 * end_s), ylim=(0, 1.12 * most_w))
        axes[len(radios) - 1, column].set_xlabel("seconds")
    _totals(axes[rows - 1, 0], totals)
    save(figure, path)


def _power(axis: Any, title: str, spans: list[Span], names: dict[str, str]) -> None:
    """Draw each state as a block as high as its mean power, its energy in the legend."""
    for span in spans:
        axis.fill_between(
            [seconds(span.start_us), seconds(span.end_us)],
            span.power_uw / 1e6,
            color=_STATES[span.state],
            label=f"{names.get(span.state, span.state)}: {joules(span.energy_uj):.2f} J",
            linewidth=0,
        )
    axis.set_title(f"{title}: {joules(energy_uj(spans)):.2f} J in all", fontsize=10, loc="left")
    axis.set_ylabel("watts")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="upper right")


def _totals(axis: Any, totals: dict[str, list[Span]]) -> None:
    """Draw the energy of each download as a bar of its states, on one scale."""
    for row, spans in enumerate(totals.values()):
        left_j = 0.0
        for span in spans:
            width_j = joules(span.energy_uj)
            axis.barh(row, width_j, left=left_j, color=_STATES[span.state], linewidth=0)
            left_j += width_j
    axis.set_yticks(range(len(totals)), list(totals), fontsize=8)
    axis.invert_yaxis()
    axis.set_title("all of them, on one scale", fontsize=10, loc="left")
    axis.set_xlabel("joules")
    axis.grid(alpha=0.3, axis="x")
    axis.set_axisbelow(True)


def modelled_link(draws: Draws, *, minutes: int = 60, mbps: float = 1.0) -> LinkTrace:
    """Return an hour of a 3G link with gaps of minutes and of seconds, as phones have it."""
    region = FITTED["commute-3g"].row()[0]
    cover, fade = draws.child("coverage").key, draws.child("fading").key
    end_us = minutes * MINUTE_US
    knots: dict[int, int] = {}
    t_us = 0
    while t_us < end_us:
        covered, until_us = renewal_at(
            cover, 0, t_us, int(region["covered_us"]), int(region["gap_us"])
        )
        clear, clear_us = renewal_at(fade, 0, t_us, int(region["clear_us"]), int(region["fade_us"]))
        knots[t_us] = round(mbps * MBIT) if covered and clear else 0
        t_us = min(until_us, clear_us)
    times_us = np.array(sorted(knots), np.int64)
    values = np.array([knots[int(time)] for time in times_us], np.int64)
    return LinkTrace(f"modelled 3G at {mbps:g} Mbit/s", Series(times_us, values, end_us))


def draw_link(path: Path, link: LinkTrace) -> None:
    """Draw a link's throughput in each second, its gaps, and how long they last."""
    kbps = per_second(link.down) / 125
    times_min = np.arange(len(kbps)) / 60
    gaps = _runs(kbps == 0)
    figure = blank(6.6)
    top, below = figure.subplots(2, 1, height_ratios=(2, 1))
    top.plot(times_min, kbps / 1000, color="#4c72b0", linewidth=0.7, label="throughput")
    for number, (start, end) in enumerate(gaps):
        label = "a second or more without a byte" if number == 0 else None
        top.axvspan(start / 60, end / 60, color=_GAP, alpha=0.35, linewidth=0, label=label)
    share = float((kbps == 0).mean())
    top.set_title(
        f"{link.name}: mean {kbps.mean() / 1000:.2f} Mbit/s, {share:.1%} of the time in gaps",
        fontsize=11,
    )
    top.set(xlabel="minutes", ylabel="Mbit/s", xlim=(0, len(kbps) / 60))
    top.set_ylim(0, 1.25 * kbps.max() / 1000)
    top.grid(alpha=0.3)
    top.legend(fontsize=8, loc="upper right", ncols=2, framealpha=1.0)
    _gap_lengths(below, [end - start for start, end in gaps])
    save(figure, path)


def _runs(marked: Any) -> list[tuple[int, int]]:
    """Return start and end of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _gap_lengths(axis: Any, lengths_s: list[int]) -> None:
    axis.set(xlabel="length of a gap, seconds", ylabel="gaps as long or longer")
    axis.grid(alpha=0.3)
    if not lengths_s:
        axis.text(0.5, 0.5, "no gap", ha="center", transform=axis.transAxes)
        return
    lengths = np.sort(lengths_s)
    mean_s = float(lengths.mean())
    left = np.arange(len(lengths), 0, -1)
    axis.step([0.8, *lengths], [len(lengths), *left], where="pre", color=_GAP)
    # one point a length: how many gaps last so long or longer
    shown, first = np.unique(lengths, return_index=True)
    axis.plot(shown, left[first], linestyle="none", marker="o", markersize=4, color=_GAP)
    axis.axvline(mean_s, color="black", linestyle=":", label=f"mean {mean_s:.1f} s")
    ticks = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]
    ticks = [tick for tick in ticks if tick <= 2 * lengths[-1]]
    axis.set_xscale("log")
    axis.set_xticks(ticks, [f"{tick}" for tick in ticks])
    axis.set_xticks([], minor=True)
    axis.set(xlim=(0.8, 1.3 * lengths[-1]), ylim=(0, 1.1 * len(lengths)))
    axis.legend(fontsize=8)
