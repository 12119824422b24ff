"""Next steps in the words of the HTTP API. They depend on the caller: a scope of the token,
``platform`` for a platform's token, or ``operator`` for a token that manages the operator's
workspace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from jackfield.kernel.hints import NextStep

_UNCLEAR = "Check with the provider whether it took effect before you send it again"
_RESOLVE = 'POST /v1/invocations/{id}/resolve with {"as": "succeeded"}, or "failed"'
_COMPLETED = "the details list the completed steps, which a repeat would repeat."
_ASKED = (
    "The provider is being asked whether it took effect: GET /v1/invocations/{id} shows what "
    "it says"
)
_RATHER_TWICE = "'onDoubt': 'retry' is for callers who would rather send it twice than not at all."
_RECONNECT = (
    "Have your user connect it again. With a token of the scope 'platform': POST "
    "/v1/workspaces/{w}/connect-sessions with the mode "
    "'reauth' and the connection '{name}'."
)
WORDS: Mapping[str, str] = {
    "action_schema": (
        "GET /v1/connectors/{connector}/actions/{action}/schema returns the schema of its inputs."
    ),
    "trigger_inputs": "GET /v1/connectors/{connector} has the inputs of the trigger '{trigger}'.",
    "connection_schema": "GET /v1/connectors/{connector} has the schema of the connection type '{type}'.",
    "invocation_schema": "The component Invocation in /openapi.json describes the members of an invocation.",
    "connectors": "GET /v1/connectors lists what is installed.",
    "actions": (
        "'{connector}' has {count} actions; the nearest names are {names}. See GET "
        "/v1/actions?connector={connector}."
    ),
    "offer": (
        "The operator of this server can offer it with the command line: 'offers add {pattern}'."
    ),
    "option_inputs": 'POST {"connection": NAME, "inputs": {{inputs}}}.',
    "narrow_policy": (
        "Name a connector ('?connector=aws.s3') or the actions in use "
        "('?actions=aws.s3/getObject,aws.sqs/sendMessage')."
    ),
    "connections": "GET /v1/connections lists the connections.",
    "wait": "Try again later with the same key, or wait for it: 'Prefer: wait=N'.",
    "approval": "Call it where it can wait: with a stored connection, by POST /v1/invocations.",
    "approvals": "GET /v1/approvals lists them.",
    "approver": (
        "The operator of this server makes a token of the scope 'approve' with the command "
        "line: 'tokens create --scope approve'."
    ),
    "twin": (
        "Wait for it: GET /v1/invocations/{id}. 'repeat': true is for what is to happen a "
        "second time."
    ),
    "resolve": f"Check with the provider whether it took effect, then {_RESOLVE}.",
    "in_doubt": f"{_UNCLEAR}, then {_RESOLVE}. {_RATHER_TWICE}",
    "ask_again": (
        "The provider keeps the key until {until}: before that, the same request with the same "
        "Idempotency-Key, or POST /v1/invocations/{id}/ask, takes effect once. Later it could take "
        "effect twice: check with the provider first."
    ),
    "in_part": f"{_UNCLEAR}: {_COMPLETED} Then {_RESOLVE}.",
    "settling": (
        "The provider is being asked whether it took effect: GET /v1/invocations/{id} has the "
        "outcome. If it has an idempotency key, the "
        "same request with 'Prefer: wait=N' waits for that; without one, do not send it again."
    ),
    "looking": (
        f"{_ASKED}. Then {_RESOLVE}. Without a key, do not send it again before: {_RATHER_TWICE}"
    ),
    "may_be_queued": (
        "GET /v1/invocations/{id} tells whether it is there; repeat it only if it is not, or "
        "under its Idempotency-Key."
    ),
    "invocations": "GET /v1/invocations lists them.",
    "add_connection": "Add one: POST /v1/connections; or give one inline.",
    "save_anyway": (
        "{first}To save it anyway, add '?force=true' to the URL; to save it without a test, "
        "'?test=false'."
    ),
    "tokens": "GET /v1/tokens lists the tokens and their IDs.",
    "schedules": "GET /v1/schedules lists the schedules.",
    "events": "GET /v1/events lists the events kept.",
    "oauth_clients": "GET /v1/oauth-clients lists them.",
    "mcp_servers": "GET /v1/mcp-servers lists them.",
    "mcp_server_review": (
        "GET /v1/mcp-servers/{name}/review shows what has changed; POST "
        "/v1/mcp-servers/{name}:accept accepts it."
    ),
    "subscriptions": "GET /v1/subscriptions lists the subscriptions.",
    "upload": "Upload it again: POST /v1/files.",
    "workspaces": (
        "The operator of this server, or a platform with PUT /v1/workspaces/{w}, creates "
        "workspaces."
    ),
    "callbacks": "GET /v1/callbacks lists the callbacks.",
    "deliveries": "GET /v1/deliveries lists the deliveries.",
    "rules": "Ask the workspace's administrator, or whoever created the token.",
    "connect": (
        "Have your user connect it again: in a connect session of your platform, with the mode "
        "'reauth'. Without a platform: POST "
        "/v1/connections/{name}/authorize returns the address at which a person approves."
    ),
    "no_store": "The server has no database. Ask its operator to configure one.",
    "database_busy": (
        "For the operator of this server: Find out what keeps it busy; 'db check' reports "
        "its state."
    ),
    "host_access": (
        "Connections created over HTTP or MCP need the operator's permission for this: the "
        "workspace's setting '{setting}'."
    ),
    "only_hosts": (
        "Nothing was sent. The operator can add the host to JACKFIELD_ONLY_HOSTS of the "
        "server and of its workers."
    ),
}
_NEEDS: Mapping[str, str] = {
    "in_doubt": "manage",
    "in_part": "manage",
    "ask_again": "invoke",
    "looking": "manage",
    "resolve": "manage",
    "add_connection": "manage",
    "tokens": "manage",
    "oauth_clients": "manage",
    "mcp_servers": "manage",
    "mcp_server_review": "manage",
    "callbacks": "manage",
    "deliveries": "manage",
    "connect": "manage",
    "workspaces": "platform",
    "approvals": "approve",
    "approval": "invoke",
    "upload": "invoke",
}
"""Scope of the requests that a next step names over HTTP, where ``read`` does not suffice."""
_RANKS = ("read", "invoke", "manage")
_OF_CALLERS: Mapping[tuple[str, str], str] = {
    (
        "in_doubt",
        "invoke",
    ): f"{_UNCLEAR}; whoever manages the workspace records the outcome. {_RATHER_TWICE}",
    (
        "in_part",
        "invoke",
    ): f"{_UNCLEAR}: {_COMPLETED} Whoever manages the workspace records the outcome.",
    (
        "looking",
        "invoke",
    ): f"{_ASKED}, and whoever manages the workspace records the outcome. Without a key, do not "
    "send it again before: "
    f"{_RATHER_TWICE}",
    ("resolve", "invoke"): f"{_UNCLEAR}; whoever manages the workspace records the outcome.",
    (
        "add_connection",
        "invoke",
    ): "Give one inline, or ask whoever manages the workspace to add one.",
    ("connect", "invoke"): _RECONNECT,
    (
        "connect",
        "platform",
    ): "Have your user connect it again: POST /v1/workspaces/{w}/connect-sessions with the mode "
    "'reauth' and the "
    "connection '{name}'.",
    ("connections", "platform"): "GET /v1/workspaces/{w}/connections lists the connections.",
    (
        "add_connection",
        "platform",
    ): "Have your user connect one: POST /v1/workspaces/{w}/connect-sessions.",
    ("tokens", "platform"): "GET /v1/workspaces/{w}/tokens lists the tokens and their IDs.",
    ("callbacks", "platform"): "GET /v1/platform/callbacks lists the callbacks.",
    ("deliveries", "platform"): "GET /v1/platform/deliveries lists the deliveries.",
    (
        "workspaces",
        "platform",
    ): "GET /v1/workspaces lists the workspaces; PUT /v1/workspaces/{w} creates one.",
    ("workspaces", "invoke"): "The operator of this server, or its platform, creates workspaces.",
    ("oauth_clients", "platform"): "Ask the operator for the OAuth clients of the server.",
}
"""Wordings for callers over HTTP who may not send the requests of the general wording, or have
requests of their own. ``invoke`` applies to all tokens of a workspace with less than ``manage``.
"""
_REQUEST = r"\b(?:GET|POST|PUT|PATCH|DELETE) /"
_ON_THE_SERVER = (
    r"'jackfield |\bjackfield "
    r"(?:install|uninstall|serve|keys)\b|\bJACKFIELD_[A-Z]|(?<![\w-])--[a-z]"
)
"""Regular expression of steps on the server: commands, their options, and variables of its
processes.
"""


def worded(hint: str, caller: str) -> str:
    """Return a hint for a caller. A string stays unchanged, but steps on the server are attributed
    to its operator.
    """
    if isinstance(hint, NextStep):
        return hint.said(_text(hint, caller))
    if caller == "operator" or "operator" in hint or not re.search(_ON_THE_SERVER, hint):
        return hint
    return f"For the operator of this server: {hint}"


def _text(step: NextStep, caller: str) -> str | None:
    """Return the wording of a step for a caller, or the usual wording with its required token; None
    for the wording of the library.
    """
    text, kind = WORDS.get(step.kind), step.kind
    if not caller:
        return text
    needed, is_platform = _NEEDS.get(kind, "read"), caller == "platform"
    if not is_platform and _suffices(caller, needed):
        return text
    own = _OF_CALLERS.get((kind, "platform" if is_platform else "invoke"))
    if own is not None or not re.search(_REQUEST, text or ""):
        return own or text
    holder = "workspace" if is_platform and needed != "approve" else f"scope '{needed}'"
    return f"With a token of the {holder}: {text}"


def _suffices(caller: str, needed: str) -> bool:
    """Return whether a caller's scopes have the rights of ``needed``; ``approve`` includes
    ``read``, but no other scope includes ``approve``.
    """
    held = caller.split()
    if needed in held or (caller == "operator" and needed != "approve"):
        return True
    return needed in _RANKS and max(
        _RANKS.index(scope) if scope in _RANKS else 0 for scope in held
    ) >= _RANKS.index(needed)
