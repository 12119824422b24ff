"""Access control: workspaces, their settings, their tokens, and the rules that decide.

workspaces = Workspaces(database, vault, clock)                  # the operator's view: all tenants
token = Tokens.authenticate(database, vault, clock, bearer)             # the caller's token; None if it is not valid
settings = workspaces.settings(token.workspace)                  # cached until the epoch moves
decision = decide(settings.rules, token.rules, token.scope, Request("aws-ses", "sendEmail", "write", "acme-ses"))
decision.allowed, decision.rule                                  # the sentence is written to the journal
raise decision.refusal()                                         # not_allowed (HTTP 403)

Names are imported at first use (PEP 562): a call reads no tokens, and without a database there are no rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.exports import exports

if TYPE_CHECKING:
    from jackfield.access.audit import LIBRARY, Actor, Audit, AuditEntry, ChainState
    from jackfield.access.authorizer import UNBOUND, Authorizer
    from jackfield.access.rules import INLINE, SCOPES, Decision, PatternError, Request, Rule, Rules, Scope, Source, Step, decide, may, rule
    from jackfield.access.settings import RETENTION_DAYS, Settings
    from jackfield.access.tokens import NewToken, Token, Tokens, UnknownToken
    from jackfield.access.visible_catalog import SeenCatalog, seen_catalog
    from jackfield.access.workspaces import DEFAULT, UnknownWorkspace, Workspace, WorkspaceExists, Workspaces

__all__ = [
    "DEFAULT",
    "INLINE",
    "LIBRARY",
    "RETENTION_DAYS",
    "SCOPES",
    "UNBOUND",
    "Actor",
    "Audit",
    "AuditEntry",
    "Authorizer",
    "ChainState",
    "Decision",
    "NewToken",
    "PatternError",
    "Request",
    "Rule",
    "Rules",
    "Scope",
    "SeenCatalog",
    "Settings",
    "Source",
    "Step",
    "Token",
    "Tokens",
    "UnknownToken",
    "UnknownWorkspace",
    "Workspace",
    "WorkspaceExists",
    "Workspaces",
    "decide",
    "may",
    "rule",
    "seen_catalog",
]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".audit": "Actor Audit AuditEntry ChainState LIBRARY",
            ".authorizer": "UNBOUND Authorizer",
            ".rules": "INLINE SCOPES Decision PatternError Request Rule Rules Scope Source Step decide may rule",
            ".visible_catalog": "SeenCatalog seen_catalog",
            ".settings": "RETENTION_DAYS Settings",
            ".tokens": "NewToken Token Tokens UnknownToken",
            ".workspaces": "DEFAULT UnknownWorkspace Workspace WorkspaceExists Workspaces",
        },
    )
