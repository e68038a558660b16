"""Tables in the terminal: rows of text under a title, figures to the right."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def print_table(
    console: Console,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[str] = ("units", "scenes"),
) -> None:
    """Print rows under a title; nothing where there are none.

    Args:
        console: where to.
        title: above the table.
        columns: their names.
        rows: a text for each column, taken as it is.
        right: names of the columns that hold figures.
    """
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left")
    for row in rows:
        table.add_row(*map(escape, row))
    if rows:
        console.print(table)
