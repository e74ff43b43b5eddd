"""Puts charts and tables together as one page of HTML that needs nothing beside itself."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from rich.table import Table

from droidloop.platform.errors import UsageError
from droidloop.scenarios.reports.html import html_of

from .chart import Chart, plain

_HERE = Path(__file__).parent
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'"
"""A browser that keeps to it fetches nothing; Vega makes functions of its expressions."""


@dataclass(frozen=True)
class Page:
    """A title, what is said below it, charts, and tables that belong to no chart."""

    title: str
    lead: Sequence[str]
    charts: Sequence[Chart]
    tables: Sequence[Table] = ()

    def html(self) -> str:
        """Return the page."""
        charts = "".join(map(_figure, self.charts))
        tables = "".join(map(_section, enumerate(self.tables)))
        lead = "".join(f"<p>{escape(line)}</p>" for line in self.lead)
        links = "".join(
            f'<li><a href="#{one.name}">{escape(one.title)}</a></li>' for one in self.charts
        )
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{escape(self.title)}</title><style>{_text('page.css')}</style></head><body>"
            '<a class="skip" href="#charts">To the charts</a>'
            f"<header><h1>{escape(self.title)}</h1>{lead}"
            f'<nav aria-label="Charts"><ul>{links}</ul></nav></header>'
            f'<main id="charts" tabindex="-1">{charts}{tables}</main>'
            "<!-- Vega, Vega-Lite and Vega-Embed, BSD-3-Clause: vega.github.io -->"
            f"<script>{_library()}</script><script>{_text('page.js')}</script></body></html>\n"
        )

    def write(self, path: Path) -> None:
        """Write the page to *path*.

        Raises:
            UsageError: *path* cannot be written.
        """
        try:
            path.write_text(self.html(), encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written ({error.strerror}); name another file"
            ) from error


def _figure(chart: Chart) -> str:
    name, says = chart.name, escape(chart.says)
    spec = json.dumps(chart.spec | {"data": {"values": _values(chart)}}, allow_nan=False)
    spec = spec.replace("</", "<\\u002f")  # nothing in it ends the script
    wide = ' class="wide"' if chart.wide else ""
    label = escape(f"{chart.title}. {chart.says}", quote=True)
    return (
        f'<figure id="{name}"{wide} aria-labelledby="{name}-title">'
        f'<figcaption><h2 id="{name}-title">{escape(chart.title)}</h2><p>{says}</p></figcaption>'
        f'<script type="application/json" id="{name}-spec">{spec}</script>'
        f'<div class="chart" role="img" aria-label="{label}" data-spec="{name}-spec"></div>'
        f"<details><summary>{escape(chart.title)} as a table</summary>{_table(chart)}</details>"
        "</figure>"
    )


def _values(chart: Chart) -> list[dict[str, object]]:
    return [{key: plain(value) for key, value in row.items()} for row in chart.rows]


def _table(chart: Chart) -> str:
    rows = chart.rows[:: chart.every]
    left_out = f", every {chart.every}th row" if chart.every > 1 else ""
    table = Table(title=f"{chart.title}{left_out}")
    for head in chart.heads.values():
        table.add_column(head)
    for row in rows:
        table.add_row(*(_cell(plain(row.get(name))) for name in chart.heads))
    return _scrolled(table, f"{chart.title} as a table")


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def _scrolled(table: Table, label: str) -> str:
    """Return *table* in a part that scrolls, by keyboard too."""
    head = (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(label, quote=True)}">'
    )
    return f"{head}{html_of(table)}</div>"


def _section(numbered: tuple[int, Table]) -> str:
    number, table = numbered
    title = str(table.title or f"table {number + 1}")
    return f'<section class="wide">{_scrolled(table, title)}</section>'


def _text(name: str) -> str:
    return (_HERE / name).read_text()


@functools.cache
def _library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script, which the package brings along."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle()
    return bundle.replace("</script", "<\\/script")
