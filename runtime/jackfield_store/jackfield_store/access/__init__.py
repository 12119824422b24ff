"""Access control: workspaces, their settings and their tokens. The meaning of rules is in
``callers``.

workspaces = Workspaces(database, vault, clock)                  # the operator's view: all tenants
token = Tokens.authenticate(database, vault, clock, bearer)             # the caller's token; None
if it is not valid settings = workspaces.settings(token.workspace)                  # cached until
the epoch moves WorkspaceAccess(storage, token.workspace, clock).authorizer(caller)     # decides by
both

Names are imported at first use (PEP 562): a call reads no tokens, and without a database there are
no rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.kernel.exports import exports

if TYPE_CHECKING:
    from jackfield_store.access.audit import Audit, AuditEntry, ChainState
    from jackfield_store.access.settings import RETENTION_DAYS, Settings
    from jackfield_store.access.tokens import NewToken, Token, Tokens, UnknownToken
    from jackfield_store.access.workspace_access import WorkspaceAccess
    from jackfield_store.access.workspaces import (
        DEFAULT,
        UnknownWorkspace,
        Workspace,
        WorkspaceExists,
        Workspaces,
        unknown_to_platform,
    )

__all__ = [
    "DEFAULT",
    "RETENTION_DAYS",
    "Audit",
    "AuditEntry",
    "ChainState",
    "NewToken",
    "Settings",
    "Token",
    "Tokens",
    "UnknownToken",
    "UnknownWorkspace",
    "Workspace",
    "WorkspaceAccess",
    "WorkspaceExists",
    "Workspaces",
    "unknown_to_platform",
]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".audit": "Audit AuditEntry ChainState",
            ".settings": "RETENTION_DAYS Settings",
            ".tokens": "NewToken Token Tokens UnknownToken",
            ".workspace_access": "WorkspaceAccess",
            ".workspaces": (
                "DEFAULT UnknownWorkspace Workspace WorkspaceExists Workspaces unknown_to_platform"
            ),
        },
    )
