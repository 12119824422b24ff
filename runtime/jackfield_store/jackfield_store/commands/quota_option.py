"""The option ``--quota`` of the commands that set quotas on effects."""

from __future__ import annotations

import json
from typing import Any

from jackfield.cli.parsing import Namespace, Parser, UsageError

_EXAMPLE = '{"count": 50, "per": "day", "of": {"effect": "write"}}'


def declare_quota(parser: Parser) -> None:
    """Declare the option, which may be repeated."""
    about = f"how many calls may take effect in a span of time, as JSON: {_EXAMPLE}; repeatable"
    parser.add_argument("--quota", action="append", default=[], metavar="JSON", help=about)


def read_quotas(arguments: Namespace) -> list[Any]:
    """Return the quotas that are given.

    :raises UsageError: if one is no JSON.
    """
    try:
        return [json.loads(text) for text in arguments.quota]
    except ValueError:
        raise UsageError("a --quota is not JSON", usage=arguments.usage, hint=f"Write --quota '{_EXAMPLE}'.") from None
