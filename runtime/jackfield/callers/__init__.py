"""Callers and their rights: the rules of workspace and token, the decision, and the installed
connectors that a caller sees. No I/O.

decision = decide(workspace, token, scope, Request("aws-ses", "sendEmail", "write", "acme-ses"))
decision.allowed, decision.rule # the sentence is written to the journal raise decision.refusal()
# not_allowed (HTTP 403)

Names are imported at first use (PEP 562): a call without rules needs few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.kernel.exports import exports

if TYPE_CHECKING:
    from jackfield.callers.authorizer import UNBOUND, Authorizer
    from jackfield.callers.caller import LIBRARY, Caller, seen_catalog
    from jackfield.callers.roles import checked_grants
    from jackfield.callers.rules import (
        APPROVE,
        INLINE,
        SCOPES,
        TOKEN_SCOPES,
        Decision,
        PatternError,
        Request,
        Rule,
        Rules,
        Scope,
        Source,
        TriedPattern,
        asks,
        decide,
        may,
        rule,
        scope_of,
        united,
    )
    from jackfield.callers.visible_catalog import SeenCatalog

__all__ = [
    "APPROVE",
    "INLINE",
    "LIBRARY",
    "SCOPES",
    "TOKEN_SCOPES",
    "UNBOUND",
    "Authorizer",
    "Caller",
    "Decision",
    "PatternError",
    "Request",
    "Rule",
    "Rules",
    "Scope",
    "SeenCatalog",
    "Source",
    "TriedPattern",
    "asks",
    "checked_grants",
    "decide",
    "may",
    "rule",
    "scope_of",
    "seen_catalog",
    "united",
]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".authorizer": "UNBOUND Authorizer",
            ".caller": "LIBRARY Caller seen_catalog",
            ".roles": "checked_grants",
            ".rules": "APPROVE INLINE SCOPES TOKEN_SCOPES Decision PatternError Request Rule "
            "Rules Scope Source TriedPattern asks decide"
            " may rule scope_of united",
            ".visible_catalog": "SeenCatalog",
        },
    )
