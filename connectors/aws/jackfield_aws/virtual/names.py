"""Names of virtual connectors and their actions: ``aws.s3``, ``putObject``."""

from __future__ import annotations

import re

PREFIX = "aws."
"""Prefix of all virtual connectors of this package."""
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def action_key(operation: str) -> str:
    """Return the key of an operation's action: its name with the first letter in lower case, which
    is unique in every service.
    """
    return operation[:1].lower() + operation[1:].replace("_", "")


def title_of(operation: str) -> str:
    """Return the words of an operation's name: ``DescribeDBInstances`` becomes "Describe DB
    Instances".
    """
    return " ".join(_WORDS.sub(" ", operation).split())
