"""Warnings about new rules that match nothing, or guard only a part of the changes."""

from __future__ import annotations

import logging
import os
from functools import cache, partial

from jackfield import catalog
from jackfield.callers.rule_gaps import gaps, unmatched
from jackfield.callers.rules import Rules

_LOG = logging.getLogger("jackfield.access")
Warnings = tuple[dict[str, str], ...]
"""Warnings of an answer, each with ``path`` and ``message``."""


def warned(rules: Rules, workspace: str, whose: str) -> Warnings:
    """Log the warnings of newly made rules, with their owner ``whose``, and return them. The
    installed actions of this machine are checked.
    """
    installed = cache(partial(_installed, workspace))
    warnings = (
        *(one.to_json() for one in unmatched(rules, installed)),
        *(gap.to_json() for gap in gaps(rules, installed)),
    )
    for warning in warnings:
        _LOG.warning("%s: the rule %s", whose, warning["message"])
    return warnings


def _installed(workspace: str) -> catalog.Catalog:
    return catalog.of_workspace(catalog.Catalog.installed(environment=os.environ), workspace)
