"""A table for the terminal as a table for a notebook."""

from html import escape
from itertools import zip_longest

from rich.table import Column, Table


def html_of(table: Table) -> str:
    """Return *table*, whose cells are texts, as HTML; its looks are the notebook's."""
    head = "".join(map(_head, table.columns))
    rows = zip_longest(*(column.cells for column in table.columns), fillvalue="")
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    caption = f"<caption>{_text(table.title or '')}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _head(column: Column) -> str:
    text = _text(column.header)
    return f"<th>{text}</th>" if text else "<td></td>"  # an empty head is read aloud for nothing


def _text(cell: object) -> str:
    return escape(str(cell))
