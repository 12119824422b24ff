"""Name of the caller in requests: the User-Agent, with the marker of the attempt by which AWS's own log finds a write again."""

from __future__ import annotations

import re

import botocore

from jackfield.connector import Call
from jackfield_aws.version import VERSION

_MARKED = re.compile(r"(?<![^\s])md/jackfield#([a-z2-7]{26})(?![^\s])")
"""A marker as botocore writes its own metadata (``md/name#value``)."""


def user_agent() -> str:
    """Return the fixed text that names the caller: composing botocore's own takes a third of a small call's CPU time."""
    return f"jackfield/{VERSION} Botocore/{botocore.__version__}"


def marked_agent(agent: str, call: Call | None) -> str:
    """Add the marker of an attempt to a User-Agent, if it has one: it is not among the headers that are signed."""
    marker = None if call is None else call.marker
    return agent if marker is None else f"{agent} md/jackfield#{marker}"


def marker_in_agent(agent: str) -> str | None:
    """Return the marker in a User-Agent; None if it has none, or several."""
    found = _MARKED.findall(agent)
    return found[0] if len(found) == 1 else None
