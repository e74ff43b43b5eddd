"""The page of the frontier: its tables and its picture, from the lines that `make frontier` wrote.

    python -m tests.frontier.page runs/frontier.jsonl

keeps the lines in docs/figures/frontier.jsonl, writes the tables into
docs/frontier.md between their marks, and draws docs/pictures/frontier.png.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.frontier.rows import ROWS

ROOT = Path(__file__).parents[2]
LINES = ROOT / "docs/figures/frontier.jsonl"
PAGE = ROOT / "docs/frontier.md"
PICTURE = ROOT / "docs/pictures/frontier.png"
BEGIN, END = "<!-- frontier: begin -->", "<!-- frontier: end -->"

SIGNS = {
    **dict.fromkeys(("binary", "ch", "hash-gnn"), "the same, or XOR and popcount of signs"),
    "pph": "the same, or XOR and popcount of signs by a length",
}
"""Tables whose vectors can be scored by bits."""

Lines = Sequence[dict[str, Any]]


def tables(lines: Lines) -> str:
    """Return a table a budget, the best value first; what is out of reach comes last."""
    parts = []
    for budget in dict.fromkeys(line["budget"] for line in lines):
        mine = [line for line in lines if line["budget"] == budget]
        (most,) = {line["budget_bytes"] for line in mine}
        parts += [f"### {budget} of the dense bytes: {most:,}\n"]
        parts += [
            "| table | bytes | RAM, MB | list, ms | list, mJ | fitted in s | NDCG@10 | over dense |"
        ]
        parts += ["| --- " * 8 + "|"]
        reached = [line for line in mine if "value" in line]
        parts += [_row(line) for line in sorted(reached, key=lambda line: -line["value"])]
        out = [line for line in mine if "out_of_reach" in line]
        parts += [""]
        parts += [f"Out of reach: `{line['name']}` ({line['out_of_reach']})." for line in out]
        parts += [""] if out else []
    return "\n".join(parts)


def _row(line: dict[str, Any]) -> str:
    low, high = line["interval"]
    over, (least, most) = line["over_dense"], line["over_dense_interval"]
    beside = "" if line["name"] == "dense" else f"{over:+.4f} [{least:+.4f}, {most:+.4f}]"
    beside = f"**{beside}**" if least > 0 else beside
    cells = (
        f"`{line['name']}`",
        f"{line['bytes']:,}",
        f"{line['peak_ram_bytes'] / 1e6:.2f}",
        f"{1e3 * line['latency_s']:.3f}",
        f"{1e3 * line['energy_j']:.3f}",
        f"{line['fit_s']:.0f}",
        f"{line['value']:.4f} [{low:.4f}, {high:.4f}]",
        beside,
    )
    return "| " + " | ".join(cells) + " |"


def beside(lines: Lines, budget: str = "1/10") -> str:
    """Return a table of what tables cost beside their numbers, at one *budget*."""
    mine = [line for line in lines if line["budget"] == budget and "value" in line]
    by_name = {line["name"]: line for line in mine}
    parts = [
        "| table | NDCG@10 over `pruned` | longer vectors for items met more often "
        "| bytes that say where numbers belong | items with the codes of another "
        "| an item that comes later | a user that comes later | scorer |",
        "| --- " * 8 + "|",
    ]
    for line in mine:
        more = line["value"] - by_name["pruned"]["value"]
        rank, new, same = line["importance"], line["new_items"], line.get("collisions")
        cells = (
            f"`{line['name']}`",
            f"{more:+.4f}",
            "all alike" if rank is None else f"{rank:+.2f}",
            f"{line['assignment_bytes']:,} of {line['bytes']:,}",
            "" if same is None else f"{same:,}",
            "has a vector at once" if new else "needs bytes of its own",
            "a vector of its own on the phone, nothing that ships",
            SIGNS.get(line["name"], "the product of vectors, as it was"),
        )
        parts.append("| " + " | ".join(cells) + " |")
    losses = [
        f"{line['budget']}: {line['over_dense']:+.4f}"
        for line in lines
        if line["name"] == "binary" and "value" in line
    ]
    if losses:
        parts += [
            "",
            f"Signs (`binary`) over dense vectors of the same bytes: {', '.join(losses)}.",
        ]
    return "\n".join([*parts, ""])


def drawn(lines: Lines, path: Path) -> None:
    """Draw value over bytes, memory and latency, a line a table, with intervals."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter

    reached = [line for line in lines if "value" in line]
    figure = Figure(figsize=(12, 5), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    names = list(dict.fromkeys(line["name"] for line in reached))
    colours = mpl.colormaps["tab20"].colors  # type: ignore[attr-defined]
    sides = (
        ("bytes", 1e3, "kB that ship", (25, 50, 100, 200)),
        ("peak_ram_bytes", 1e6, "MB of memory", ()),
        ("latency_s", 1e-3, "ms a list", (0.001, 0.01, 0.1, 1, 10)),
    )
    for axis, (key, unit, label, ticks) in zip(axes, sides, strict=True):
        for k, name in enumerate(names):
            mine = sorted((line for line in reached if line["name"] == name), key=lambda o: o[key])
            values = [line["value"] for line in mine]
            half = [(line["interval"][1] - line["interval"][0]) / 2 for line in mine]
            axis.errorbar(
                [line[key] / unit for line in mine],
                values,
                yerr=half,
                label=name,
                color=colours[k % len(colours)],
                marker="osv^D*<>"[k % 8],
                linewidth=2.5 if name == "dense" else 1,
            )
        axis.set_xlabel(label)
        if ticks:
            axis.set_xscale("log")
            axis.set_xticks(ticks, [f"{one:g}" for one in ticks])
            axis.xaxis.set_minor_formatter(NullFormatter())
    axes[0].set_ylabel("NDCG@10, all items of ml-1m")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    figure.savefig(path, dpi=110)


def shown(lines: Lines) -> str:
    """Return all of the page that is made of *lines*."""
    measured = {line["name"] for line in lines}
    missing = ", ".join(f"`{name}`" for name in ROWS if name not in measured)
    said = f"\nNot measured yet: {missing}.\n" if missing else ""
    title = "### What tables cost beside their numbers, at 1/10"
    return f"{tables(lines)}\n{title}\n\n{beside(lines)}{said}"


def kept() -> list[dict[str, Any]]:
    """Return the lines that the page was made of."""
    return [json.loads(line) for line in LINES.read_text().splitlines()]


def main(path: str) -> None:
    """Keep the lines of *path*, and make table and picture anew."""
    lines = [json.loads(one) for one in Path(path).read_text().splitlines()]
    LINES.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    text = PAGE.read_text()
    pattern = re.compile(f"{BEGIN}\n.*?{END}", re.DOTALL)
    PAGE.write_text(pattern.sub(lambda _: f"{BEGIN}\n{shown(lines)}{END}", text))
    drawn(lines, PICTURE)


if __name__ == "__main__":
    main(*sys.argv[1:])
