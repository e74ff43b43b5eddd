"""What radios, links and batteries do, as pictures: the physics alone, without a run."""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.battery import advance
from droidloop.devices.charging import charger_at
from droidloop.devices.population import MBIT, Population, PopulationSpec, build
from droidloop.network.coverage import renewal_at
from droidloop.network.formats import LinkTrace, read_trace
from droidloop.network.gaps import FITTED, per_second
from droidloop.network.presets import PRESETS
from droidloop.network.timeline import Span, energy_uj, isolated
from droidloop.network.trace import Series
from droidloop.platform.draws import Draws, FloatArray, IntArray
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US, joules, seconds

_STATES = {
    "promotion": "#dd8452",
    "handshake": "#937860",
    "transfer": "#4c72b0",
    "tail": "#c44e52",
    "tail2": "#e5a3a5",
}
_NAMES = {
    "3g": {"tail": "DCH tail", "tail2": "FACH tail"},
    "lte": {"tail": "reception, short DRX", "tail2": "long DRX"},
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


def _figure(height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_transfers(path: Path, *, nbytes: int = 1_000_000, mbps: float = 2.0) -> None:
    """Draw power over time of one isolated download on each radio of two years."""
    figure = _figure(8.4)
    figure.suptitle(
        f"one download of {nbytes / 1e6:g} MB at {mbps:g} Mbit/s, from idle to idle", fontsize=12
    )
    axes = figure.subplots(max(map(len, _YEARS.values())), len(_YEARS), sharex=True)
    for column, (year, radios) in enumerate(_YEARS.items()):
        for row, name in enumerate(radios):
            spans = isolated(PRESETS[year][name], nbytes, round(mbps * MBIT))
            _power(axes[row, column], f"{name}, {year}", spans, _NAMES.get(name, {}), year)
        for row in range(len(radios), len(axes)):
            axes[row, column].set_axis_off()
        last = axes[len(radios) - 1, column]
        last.set_xlabel("seconds")
        last.tick_params(labelbottom=True)
    figure.savefig(path, dpi=130)


def _power(axis: Any, title: str, spans: list[Span], names: dict[str, str], year: str) -> None:
    """Draw each state as a block as high as its power, its energy in the legend."""
    for span in spans:
        # before 2012's DRX a tail had no parts with names of their own
        label = names.get(span.state, span.state) if year == "2012" else span.state
        axis.fill_between(
            [seconds(span.start_us), seconds(span.end_us)],
            span.power_uw / 1e6,
            color=_STATES[span.state],
            label=f"{label}: {joules(span.energy_uj):.2f} J",
            linewidth=0,
        )
    total_j = joules(energy_uj(spans))
    axis.set_title(f"{title}: {total_j:.2f} J in all", fontsize=10, loc="left")
    axis.set_ylabel("watts")
    axis.set_ylim(0, 1.12 * max(span.power_uw for span in spans) / 1e6)
    axis.set_xlim(-0.3, 28.0)
    axis.set_xticks(range(0, 26, 5))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="upper right")


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
    figure = _figure(6.6)
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
    figure.savefig(path, dpi=130)


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
    axis.step(lengths, np.arange(len(lengths), 0, -1), where="post", color=_GAP, marker=".")
    axis.axvline(mean_s, color="black", linestyle=":", label=f"mean {mean_s:.1f} s")
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter("{x:g}")
    axis.tick_params(axis="x", which="both", labelsize=8)
    axis.set_ylim(0, 1.1 * len(lengths))
    axis.legend(fontsize=8)


def draw_batteries(path: Path, population: Population, *, days: int = 2) -> None:
    """Draw the charge of each phone over *days*, as it is when no work is asked of it.

    The population itself stays as it is.
    """
    phones = len(population)
    times_us = np.arange(0, days * DAY_US + 1, 5 * MINUTE_US)
    figure = _figure(1.0 * phones + 1.2)
    axes = figure.subplots(phones, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    figure.suptitle(
        f"batteries of {phones} phones over {days} days, without work (synthetic habits)",
        fontsize=12,
    )
    for phone, axis in enumerate(axes):
        windows = charging_windows_us(population, phone, int(times_us[-1]))
        spans = [(start / HOUR_US, (end - start) / HOUR_US) for start, end in windows]
        axis.broken_barh(spans, (0, 100), color="#55a868", alpha=0.35, linewidth=0)
        axis.plot(times_us / HOUR_US, levels(population, phone, times_us), color="#4c72b0")
        traits = population.traits[phone]
        profile, region = population.profiles[traits["profile"]], traits["region"]
        title = f"phone {phone}: {profile}, {population.regions[region]}"
        axis.set_title(title, fontsize=8, loc="left", pad=2)
        axis.set_ylim(0, 102)
        axis.grid(alpha=0.3)
    axes[0].plot([], [], color="#4c72b0", label="charge, % of what the battery holds")
    axes[0].fill_between([], [], color="#55a868", alpha=0.35, linewidth=0, label="on its charger")
    axes[0].legend(fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    axes[-1].set(xlabel="hours since the start (local midnight)", xlim=(0, 24 * days))
    axes[-1].set_xticks(range(0, 24 * days + 1, 6))
    figure.supylabel("% charged", fontsize=9)
    figure.savefig(path, dpi=130)


def levels(population: Population, phone: int, times_us: IntArray) -> FloatArray:
    """Return how full the battery of *phone* is at each of *times_us*, in percent."""
    world = population.world._replace(state=population.state.copy())
    capacity_uj = population.traits[phone]["capacity_uj"]
    percent = np.zeros(len(times_us))
    for place, t_us in enumerate(times_us):
        advance(world, phone, int(t_us), 0, 0, 0, False)
        percent[place] = 100 * world.state[phone]["battery_uj"] / capacity_uj
    return percent


def charging_windows_us(population: Population, phone: int, end_us: int) -> list[tuple[int, int]]:
    """Return when *phone* is on its charger from 0 to *end_us*: starts and ends."""
    windows: list[tuple[int, int]] = []
    t_us = 0
    while t_us < end_us:
        power_uw, until_us = charger_at(population.world, phone, t_us)
        until_us = min(until_us, end_us)
        if power_uw > 0 and windows and windows[-1][1] == t_us:
            windows[-1] = (windows[-1][0], until_us)
        elif power_uw > 0:
            windows.append((t_us, until_us))
        t_us = until_us
    return windows
