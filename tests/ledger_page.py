"""The tables of docs/ledger.md, from the columns themselves; run this file to write them there."""

from pathlib import Path

from droidloop.platform.columns import Table
from droidloop.platform.tables import TABLES

PAGE = Path(__file__).parents[1] / "docs" / "ledger.md"
MARK = "<!-- tables: written by tests/ledger_page.py -->\n"


def section(name: str, table: Table) -> str:
    lines = [
        f"### {name}",
        "",
        f"{table.help} Sorted by {', '.join(f'`{column}`' for column in table.order)}.",
        "",
        "| column | type | meaning |",
        "| --- | --- | --- |",
    ]
    for one in table.columns:
        kind = "text" if one.kind is str else one.kind.__name__.rstrip("_")
        since = f" (since version {one.since}; before: `{one.default!r}`)" if one.since > 1 else ""
        lines.append(f"| `{one.name}` | {kind} | {one.help}{since} |")
    return "\n".join([*lines, ""])


def tables() -> str:
    return "\n".join(section(name, table) for name, table in TABLES.items())


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(MARK)
    PAGE.write_text(before + MARK + "\n" + tables() + "\n" + MARK + rest.partition(MARK)[2])
