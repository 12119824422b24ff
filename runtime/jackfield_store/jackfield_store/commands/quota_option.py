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


def declare_no_quota(parser: Parser) -> None:
    """Declare the option that removes all quotas."""
    parser.add_argument("--no-quota", action="store_true", help="remove all quotas")


def changed_quotas(arguments: Namespace) -> list[Any] | None:
    """Return the quotas that are set; None if they stay as they are.

    :raises UsageError: if a quota is not JSON, or quotas are both set and removed.
    """
    # a command that makes something has nothing to remove
    removes = getattr(arguments, "no_quota", False)
    if arguments.quota and removes:
        raise UsageError("--quota and --no-quota cannot be combined", usage=arguments.usage)
    return read_quotas(arguments) if arguments.quota or removes else None


def read_quotas(arguments: Namespace) -> list[Any]:
    """Return the quotas that are given.

    :raises UsageError: if a quota is not JSON.
    """
    try:
        return [json.loads(text) for text in arguments.quota]
    except ValueError:
        raise UsageError(
            "a --quota is not JSON", usage=arguments.usage, hint=f"Write --quota '{_EXAMPLE}'."
        ) from None
