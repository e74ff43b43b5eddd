"""How the cost of the row `million` grows with the population: a table, and a picture.

    python -m tests.benchmarks.growth docs/pictures/growth.png

The day of that row is played for populations from 10,000 to 1,000,000 phones, one in a hundred of
them selected every ten minutes, each population in a process of its own, three times, of which
the fastest counts. The exponent is the slope of a line through the logarithms; below 1 where costs
that do not depend on the population are still seen.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
REPEATS = 3
SHARE = 100
"""One phone in so many is selected in each round."""


class Cost(NamedTuple):
    """What the day of one population took."""

    phones: int
    wall_s: float
    cpu_s: float
    peak_bytes: int


def cost_here(phones: int) -> Cost:
    """Play the day of so many phones in this process; imports and compilation are not in it."""
    import resource

    from .row_million import day_of

    day_of(1000, 10)  # loads the kernels
    cpu_s = time.process_time()
    wall_s = day_of(phones, phones // SHARE)
    cpu_s = time.process_time() - cpu_s
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Cost(phones, wall_s, cpu_s, peak_bytes)


def cost_of(phones: int, repeats: int = REPEATS) -> Cost:
    """Return the fastest of *repeats* processes that each play the day of so many phones."""
    command = [sys.executable, "-m", "tests.benchmarks.growth", "--one", str(phones)]
    answers = [
        subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        for _ in range(repeats)
    ]
    return min((Cost(*json.loads(one.stdout)) for one in answers), key=lambda cost: cost.wall_s)


def exponent(sizes: list[int], costs: list[float]) -> float:
    """Return b of the line a * size^b through the costs, by least squares of the logarithms.

    >>> round(exponent([10, 100, 1000], [2.0, 20.0, 200.0]), 9)
    1.0
    """
    import numpy as np

    slope, _ = np.polyfit(np.log(sizes), np.log(costs), 1)
    return float(slope)


def draw(costs: list[Cost], path: Path) -> None:
    """Draw time and memory against the number of phones as a PNG at *path*."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    time_axes, memory_axes = figure.subplots(1, 2)
    sizes = [cost.phones for cost in costs]
    for name, label, colour in (
        ("wall_s", "wall", "#4c72b0"),
        ("cpu_s", "processor", "#dd8452"),
    ):
        values = [getattr(cost, name) for cost in costs]
        slope = exponent(sizes, values)
        time_axes.plot(
            sizes, values, "o-", color=colour, label=f"{label} time, exponent {slope:.2f}"
        )
    _line(time_axes, sizes, costs[-1].wall_s)
    time_axes.set(xlabel="phones", xscale="log")
    memory = [cost.peak_bytes / 2**30 for cost in costs]
    millions = [size / 1e6 for size in sizes]
    memory_axes.plot(millions, memory, "o-", color="#55a868", label="peak of the process")
    memory_axes.set(xlabel="million phones")
    time_axes.set(ylabel="seconds", title="time for a day, from the making to the closed ledger")
    memory_axes.set(ylabel="GiB", title="memory")
    memory_axes.set_ylim(0)
    for axes in (time_axes, memory_axes):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=130)


def _line(axes: Any, sizes: list[int], last_s: float) -> None:
    """Draw what growth in proportion would be, through the last point."""
    proportional = [last_s * size / sizes[-1] for size in sizes]
    axes.plot(sizes, proportional, "--", color="grey", label="in proportion")
    axes.set_yscale("log")


def main() -> None:
    """Measure, print and draw; or measure one population for the process that asks."""
    parser = argparse.ArgumentParser(prog="growth", description="Cost against population size.")
    parser.add_argument("picture", nargs="?", type=Path, help="draw the costs as this PNG")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of phones")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of which the fastest counts")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(cost_here(options.one)))
        return
    costs = [cost_of(phones, options.repeats) for phones in options.sizes]
    for cost in costs:
        print(
            f"{cost.phones:>9,} phones  {cost.wall_s:7.2f} s  {cost.cpu_s:7.2f} CPU s"
            f"  {cost.peak_bytes / 2**30:5.2f} GiB"
        )
    if len(costs) > 1:
        slope = exponent([cost.phones for cost in costs], [cost.wall_s for cost in costs])
        print(f"wall time grows with the number of phones to the power {slope:.3f}")
    if options.picture:
        draw(costs, options.picture)


if __name__ == "__main__":
    main()
