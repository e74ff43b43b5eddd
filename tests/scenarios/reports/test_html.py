"""A table for the terminal becomes one for a notebook."""

from rich.table import Table

from droidloop.scenarios.reports.html import html_of


def test_a_table_keeps_its_title_heads_and_cells() -> None:
    table = Table(title="a < b")
    table.add_column("x")
    table.add_column("y")
    table.add_row("1", "<2>")
    assert html_of(table) == (
        "<table><caption>a &lt; b</caption><thead><tr><th>x</th><th>y</th></tr></thead>"
        "<tbody><tr><td>1</td><td>&lt;2&gt;</td></tr></tbody></table>"
    )
