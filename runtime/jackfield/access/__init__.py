"""Access control: workspaces, their settings, their tokens, and the rules that decide.

workspaces = Workspaces(database, vault, clock)                  # the operator's view: all tenants
token = Tokens.authenticate(database, clock, bearer)             # the caller's token; None if it is not valid
settings = workspaces.settings(token.workspace)                  # cached for five seconds
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
    from jackfield.access.authorizer import Authorizer
    from jackfield.access.patterns import INLINE, PatternError, Request, Rule, rule
    from jackfield.access.rules import SCOPES, Decision, Rules, Scope, Source, Step, decide, may
    from jackfield.access.settings import RETENTION_DAYS, Settings
    from jackfield.access.times import moment, seconds
    from jackfield.access.token import NewToken, Token, UnknownToken
    from jackfield.access.tokens import Tokens
    from jackfield.access.visible_catalog import SeenCatalog
    from jackfield.access.workspaces import DEFAULT, UnknownWorkspace, Workspace, WorkspaceExists, Workspaces

__all__ = [
    "DEFAULT",
    "INLINE",
    "LIBRARY",
    "RETENTION_DAYS",
    "SCOPES",
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
    "moment",
    "rule",
    "seconds",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        ".audit": ("Actor", "Audit", "AuditEntry", "ChainState", "LIBRARY"),
        ".authorizer": ("Authorizer",),
        ".patterns": ("INLINE", "PatternError", "Request", "Rule", "rule"),
        ".rules": ("Decision", "Rules", "SCOPES", "Scope", "Source", "Step", "decide", "may"),
        ".visible_catalog": ("SeenCatalog",),
        ".settings": ("RETENTION_DAYS", "Settings"),
        ".times": ("moment", "seconds"),
        ".token": ("NewToken", "Token", "UnknownToken"),
        ".tokens": ("Tokens",),
        ".workspaces": ("DEFAULT", "UnknownWorkspace", "Workspace", "WorkspaceExists", "Workspaces"),
    },
)
