"""Places where an author's code has raised: the author's own line, and the frames leading to it."""

from __future__ import annotations

import os
import re
from traceback import format_tb, walk_tb

OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
"""Folder of the code that composes its messages without secrets."""
_LIBRARY = re.compile(
    r"[/\\](?:site-packages|dist-packages)[/\\](?!jackfield_)"
    r"|[/\\]lib[/\\]python3[^/\\]*[/\\](?!site-packages|dist-packages)"
    r"|[/\\]jackfield_(?:aws|http|isolation|market)[/\\]"
)
"""Regular expression of files of installed libraries, except for connectors, and of Python
itself.
"""


def place_of(error: Exception) -> str:
    """Return the innermost line of the author's own code, else the innermost line of all, libraries
    and this package included.
    """
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:  # the line has no frame: it never ran
        places.append((error.filename, error.lineno or 1))
    own = [
        place
        for place in places
        if not place[0].startswith(OURS)
        and not _LIBRARY.search(place[0])
        and os.path.isabs(place[0])
    ]
    if not places:
        return ""
    file, line = (own or places)[-1]
    return f" (at {os.path.join(*file.split(os.sep)[-2:])}:{line})"


def frames_of(error: Exception) -> str:
    """Return the frames of an exception, innermost last, without values."""
    return (
        f"\nTraceback (most recent call last):\n{''.join(format_tb(error.__traceback__)).rstrip()}"
    )
