"""Terminal output drawn by rich (extra ``tables``): coloured JSON, and tables that fit the
terminal. ``tables`` works without rich.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.json import JSON
from rich.table import Table
from rich.text import Text

from jackfield.cli.tables import cell, heading


def coloured(text: str, stdout: TextIO) -> str:
    """Colour JSON text for the terminal behind ``stdout``."""
    return _drawn(JSON(text), stdout, soft_wrap=True)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], stdout: TextIO) -> str:
    """Draw a table, one line per row; cells are plain text, so markup and control characters have
    no effect.
    """
    if not rows:
        return "(none)\n"
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(heading(column), overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell(row.get(column))) for column in columns))
    return _drawn(drawn, stdout) + "\n"


def _drawn(what: RenderableType, stdout: TextIO, *, soft_wrap: bool = False) -> str:
    terminal = Console(file=stdout)
    sheet = Console(
        file=io.StringIO(),
        width=terminal.width,
        color_system=_colours(terminal),
        force_terminal=True,
        no_color=terminal.no_color,
    )
    with sheet.capture() as captured:
        sheet.print(what, soft_wrap=soft_wrap)
    return captured.get().removesuffix("\n")


def _colours(terminal: Console) -> Any:
    return terminal.color_system
