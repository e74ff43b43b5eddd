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

FAMILIES = {
    "sized": ("elastic", "mde", "autodim", "autoemb", "nis", "ciess", "peel", "sseds", "amtl"),
    "pruned": ("pruned", "pep", "optembed", "cerp"),
    "composed": ("hashed", "quotient-remainder", "legcf", "deep-hash", "od-rec"),
    "codes": ("codes", "light-rec", "eod-rec"),
    "signs": ("binary", "ch", "pph", "hash-gnn"),
}
"""Which tables are drawn together, each beside dense vectors."""
SAME = (
    "The scorer stays what it was in every row, the product of two vectors; those of signs can be "
    "scored by XOR and popcount as well. A user that comes later needs a vector of its own, on its "
    "phone, and no byte of what ships."
)

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
        "| an item that comes later |",
        "| --- " * 6 + "|",
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
    parts += ["", SAME]
    return "\n".join([*parts, ""])


def drawn(lines: Lines, path: Path) -> None:
    """Draw value over bytes, memory and latency: a row a family, with dense vectors in black."""
    from matplotlib.figure import Figure

    reached = [line for line in lines if "value" in line]
    figure = Figure(figsize=(11, 14), layout="constrained")
    sides = (("bytes", 1e3), ("peak_ram_bytes", 1e6), ("latency_s", 1e-3))
    heads = ("bytes that ship, kB", "memory, MB", "time of a list, ms")
    grid = figure.subplots(len(FAMILIES), len(sides), sharey=True, sharex="col")
    for row, (family, names) in zip(grid, FAMILIES.items(), strict=True):
        for axis, (key, unit), head in zip(row, sides, heads, strict=True):
            for name in ("dense", *names):
                _curve(axis, [line for line in reached if line["name"] == name], key, unit)
            axis.set_xscale("log")
            axis.grid(alpha=0.3)
            if family == list(FAMILIES)[-1]:
                axis.set_xlabel(head)
        row[0].set_ylabel(f"{family}: NDCG@10")
        row[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=9)
    figure.savefig(path, dpi=90)


def _curve(axis: Any, mine: Lines, key: str, unit: float) -> None:
    if not mine:
        return
    mine = sorted(mine, key=lambda line: float(line[key]))
    dense, across = mine[0]["name"] == "dense", [line[key] / unit for line in mine]
    style = {"color": "black", "linewidth": 2.5} if dense else {"marker": "o", "markersize": 4}
    axis.plot(across, [line["value"] for line in mine], label=mine[0]["name"], **style)
    if dense:
        ends = zip(*(line["interval"] for line in mine), strict=True)
        axis.fill_between(across, *ends, color="black", alpha=0.08)


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
