"""Warnings about new rules that guard only a part of the changes."""

from __future__ import annotations

import logging
import os
from functools import partial

from jackfield import catalog
from jackfield.callers.rule_gaps import gaps
from jackfield.callers.rules import Rules

_LOG = logging.getLogger("jackfield.access")
Warnings = tuple[dict[str, str], ...]
"""Warnings of an answer, each with ``path`` and ``message``."""


def warned(rules: Rules, workspace: str, whose: str) -> Warnings:
    """Log the warnings of newly made rules, with their owner ``whose``, and return them. The
    installed actions of this machine are checked.
    """
    found = gaps(rules, partial(_installed, workspace))
    warnings = tuple(gap.to_json() for gap in found)
    for warning in warnings:
        _LOG.warning("%s: the rule %s", whose, warning["message"])
    return warnings


def _installed(workspace: str) -> catalog.Catalog:
    return catalog.of_workspace(catalog.Catalog.installed(environment=os.environ), workspace)
