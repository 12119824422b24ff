"""Hints worded for the surface that shows them: a command of the CLI, a request over HTTP, a tool over MCP, a console page.

An error holds a :class:`NextStep`; a surface shows it through :func:`worded`. The journal stores the library's wording, which names no
surface. This is the only module that composes hints. Over HTTP a hint also depends on who asks: ``http:`` and the scope of the token, or
``platform`` for a platform's token, ``operator`` for one that manages the operator's workspace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any, Self

SURFACES = ("library", "cli", "http", "mcp", "console")

_UNCLEAR = "Check with the provider whether it took effect before you send it again"
_ASKED = "The provider is being asked whether it took effect"
_RATHER_TWICE = "'onDoubt': 'retry' is for callers who would rather send it twice than not at all."
_RECONNECT = (
    "Have your user connect it again. With a token of the scope 'platform': POST /v1/workspaces/{w}/connect-sessions with the mode "
    "'reauth' and the connection '{name}'."
)


def _of_members(text: str) -> Mapping[str, str]:
    """Return the steps after a faulty document: ``text`` names its members, for which the console has fields."""
    return {**dict.fromkeys(("library", "cli", "http", "mcp"), text), "console": "See the text at each field."}


def _of_all(text: str) -> Mapping[str, str]:
    return dict.fromkeys(SURFACES, text)


_STEPS: Mapping[str, Mapping[str, str]] = {
    "schedule_members": _of_members(
        "A schedule has 'name', 'invocation' and one of 'cron', 'every' and 'at'; 'timezone', 'missed' and 'overlap' are optional."
    ),
    "schedule_times": _of_members("A schedule has 'cron' with a 'timezone', 'every' such as 10s, or 'at', an RFC 3339 time."),
    "subscription_members": _of_members(
        "A subscription has 'name', 'trigger' and 'connection'; 'inputs', 'every', 'from' and 'then' are optional."
    ),
    "action_schema": {
        "library": "See the schema of {connector}/{action} for its inputs.",
        "cli": "'jackfield schema {connector} {action}' shows the schema of its inputs.",
        "http": "GET /v1/connectors/{connector}/actions/{action}/schema returns the schema of its inputs.",
        "mcp": "Call get_action_guide with connector '{connector}' and action '{action}': it describes each input.",
        "console": "See the text at each field.",
    },
    "trigger_inputs": {
        "library": "See the trigger {connector}/{trigger} for its inputs.",
        "cli": "'jackfield triggers show {connector}/{trigger}' shows its inputs.",
        "http": "GET /v1/connectors/{connector} has the inputs of the trigger '{trigger}'.",
        "mcp": "See the trigger {connector}/{trigger} for its inputs.",
        "console": "See the text at each field.",
    },
    "connection_schema": {
        "library": "See the schema of the connection type {connector}/{type} for its values.",
        "cli": "'jackfield schema {connector} --connection {type}' shows the schema of its values.",
        "http": "GET /v1/connectors/{connector} has the schema of the connection type '{type}'.",
        "mcp": "Use a stored connection instead (list_connections shows them), or ask the person for the missing values.",
        "console": "See the text at each field.",
    },
    "invocation_schema": {
        "library": "An invocation has connector, action and inputs; connection, idempotencyKey, timeoutSeconds and others are optional.",
        "cli": "An invocation has connector, action and inputs; 'jackfield invoke --help' lists the optional members.",
        "http": "The component Invocation in /openapi.json describes the members of an invocation.",
        "mcp": "The inputSchema of execute_action describes the members of an invocation.",
        "console": "Choose the action under Connectors and fill in its form.",
    },
    "connectors": {
        "library": "The catalog lists what is installed; connectors are Python packages, such as jackfield-aws-ses.",
        "cli": "'jackfield connectors list' shows what is installed; connectors are Python packages, such as jackfield-aws-ses.",
        "http": "GET /v1/connectors lists what is installed.",
        "mcp": "Call search_actions to find the installed actions.",
        "console": "The Connectors page lists what is installed.",
    },
    "actions": {
        "library": "'{connector}' has {count} actions; the nearest names are {names}.",
        "cli": "'{connector}' has {count} actions; the nearest names are {names}. See 'jackfield search --connector {connector}'.",
        "http": "'{connector}' has {count} actions; the nearest names are {names}. See GET /v1/actions?connector={connector}.",
        "mcp": "'{connector}' has {count} actions; the nearest names are {names}. Call search_actions to find others.",
        "console": "'{connector}' has {count} actions; the nearest names are {names}.",
    },
    "offer": {
        "library": "The operator can offer it with the command line: 'offers add {pattern}'.",
        "cli": "Run 'jackfield offers add {pattern}'.",
        "http": "The operator of this server can offer it with the command line: 'offers add {pattern}'.",
        "mcp": "Tell the person that jackfield's operator has not offered it.",
        "console": "Offer it with the server's command line: 'offers add {pattern}'.",
    },
    "option_inputs": {
        "library": "Pass connection=NAME and inputs={{inputs}}.",
        "cli": "Write jackfield options {connector} {source} {words} --connection NAME.",
        "http": 'POST {"connection": NAME, "inputs": {{inputs}}}.',
        "mcp": "Ask the person for {names}.",
        "console": "Choose {names} first.",
    },
    "narrow_policy": {
        "library": "Name a connector (connector='aws.s3') or the actions in use (actions=['aws.s3/getObject']).",
        "cli": "Name a connector ('--connector aws.s3') or the actions in use ('--actions aws.s3/getObject,aws.sqs/sendMessage').",
        "http": "Name a connector ('?connector=aws.s3') or the actions in use ('?actions=aws.s3/getObject,aws.sqs/sendMessage').",
        "mcp": "Name a connector or the actions in use.",
        "console": "Enter a connector, such as aws.s3.",
    },
    "connections": {
        "library": "The list of connections has their names; connection files are set in JACKFIELD_CONNECTIONS.",
        "cli": "'jackfield connections list' shows the connections of the workspace; connection files are set in JACKFIELD_CONNECTIONS.",
        "http": "GET /v1/connections lists the connections.",
        "mcp": "Call list_connections for the names of the connections.",
        "console": "The Connections page lists them.",
    },
    "wait": {
        "library": "Try again later with the same key, or wait for it (wait=True).",
        "cli": "Try again later with the same key, or wait for it: '--wait'.",
        "http": "Try again later with the same key, or wait for it: 'Prefer: wait=N'.",
        "mcp": "Call again in a moment with the same arguments and key: this returns its Result once it has ended.",
        "console": "Wait until it has ended; the Invocations page shows it.",
    },
    "approval": {
        "library": "Call it where it can wait: with a stored connection and a database.",
        "cli": "Call it where it can wait: with a stored connection, by 'jackfield invoke'.",
        "http": "Call it where it can wait: with a stored connection, by POST /v1/invocations.",
        "mcp": "Tell the person that a rule asks for an approval of this, and that it cannot wait for one here.",
        "console": "Call it where it can wait: with a stored connection.",
    },
    "approvals": {
        "library": "The list of approvals has those that wait.",
        "cli": "'jackfield approvals list' shows them.",
        "http": "GET /v1/approvals lists them.",
        "mcp": "Ask the person who approves.",
        "console": "The Approvals page lists them.",
    },
    "approver": {
        "library": "The operator makes a token of the scope 'approve'.",
        "cli": "The operator makes a token that may: 'jackfield tokens create --scope approve'.",
        "http": "The operator of this server makes a token of the scope 'approve' with the command line: 'tokens create --scope approve'.",
        "mcp": "Tell the person that the operator makes a token of the scope 'approve'.",
        "console": "The operator makes a token of the scope 'approve' with the server's command line: 'tokens create --scope approve'.",
    },
    "twin": {
        "library": "Wait for it, or invoke with 'repeat': true if this is to happen a second time.",
        "cli": "Wait for it, or invoke with '--repeat' if this is to happen a second time.",
        "http": "Wait for it: GET /v1/invocations/{id}. 'repeat': true is for what is to happen a second time.",
        "mcp": "Call again in a moment with the same arguments: this returns its Result once it has ended. 'repeat': true is for what is to"
        " happen a second time.",
        "console": "Wait until it has ended; the Invocations page shows it.",
    },
    "resolve": {
        "library": "Check with the provider whether it took effect, then resolve the invocation.",
        "cli": "Check with the provider whether it took effect, then 'jackfield invocations resolve' it.",
        "http": "Check with the provider whether it took effect, then POST /v1/invocations/{id}/resolve.",
        "mcp": "Tell the person that it may have taken effect: only they can check with the provider and resolve it."
        " Do not run it again unasked.",
        "console": "Check with the provider whether it took effect, then record the outcome on the invocation's page.",
    },
    "in_doubt": {
        "library": f"{_UNCLEAR}; {_RATHER_TWICE}",
        "cli": f"{_UNCLEAR}, then record the outcome with 'jackfield invocations resolve';"
        " '--on-doubt retry' (onDoubt) is for callers who would rather send it twice than not at all.",
        "http": f"{_UNCLEAR}, then record the outcome with POST /v1/invocations/{{id}}/resolve; {_RATHER_TWICE}",
        "mcp": "Tell the person that it may have taken effect: only they can check with the provider, before you send it again,"
        f" and resolve it.  Do not run it again unasked: {_RATHER_TWICE}",
        "console": f"{_UNCLEAR}, then record the outcome on the invocation's page; {_RATHER_TWICE}",
    },
    "send_again": _of_all("It may have taken effect. Its effect is the same however often it is sent: send the same call again."),
    "send_again_keyed": _of_all(
        "It may have taken effect. Call again with the same idempotencyKey: the provider knows by it what it has done before."
    ),
    "settling": {
        "library": f"{_ASKED}: Result.wait() waits for the outcome of {{id}}, as does the same call with its key and wait=True.",
        "cli": f"{_ASKED}: 'jackfield invocations show {{id}}' has the outcome; the same command with its key and '--wait' waits for it.",
        "http": f"{_ASKED}: GET /v1/invocations/{{id}} has the outcome; the same request with its key and 'Prefer: wait=N' waits for it.",
        "mcp": "Tell the person that the provider is being asked whether it took effect. The same call with the same idempotencyKey has the"
        " outcome once that is known. Do not send it under another key.",
        "console": f"{_ASKED}: the invocation's page has the outcome.",
    },
    "may_be_queued": {
        "library": "Look for the invocation {id} once the database is back; repeat it only if it is not there, or under its key.",
        "cli": "'jackfield invocations show {id}' tells whether it is there; repeat it only if it is not, or under its key.",
        "http": "GET /v1/invocations/{id} tells whether it is there; repeat it only if it is not, or under its Idempotency-Key.",
        "mcp": "Tell the person that the invocation {id} may be queued. Do not run it again unasked.",
        "console": "Look for it on the Invocations page before you repeat it.",
    },
    "invocations": {
        "library": "The journal lists the invocations of this workspace.",
        "cli": "'jackfield invocations list' shows those of the workspace; '--workspace' selects another.",
        "http": "GET /v1/invocations lists them.",
        "mcp": "The meta of each Result has its invocationId.",
        "console": "The Invocations page lists them.",
    },
    "add_connection": {
        "library": "Add a connection, or give one inline.",
        "cli": "Add one: 'jackfield connections add NAME --type {type}'.",
        "http": "Add one: POST /v1/connections; or give one inline.",
        "mcp": "Tell the person that the workspace has no connection for this.",
        "console": "Add one on the Connections page.",
    },
    "save_anyway": {
        "library": "{first}To save it anyway, pass force=True; to save it without a test, test=False.",
        "cli": "{first}To save it anyway, add '--force'; to save it without a test, '--no-test'.",
        "http": "{first}To save it anyway, add '?force=true' to the URL; to save it without a test, '?test=false'.",
        "mcp": "{first}Tell the person that the connection was not saved.",
        "console": "{first}Correct it, or save it anyway.",
    },
    "tokens": {
        "library": "The list of tokens has their IDs.",
        "cli": "'jackfield tokens list' shows the tokens of the workspace and their IDs; '--workspace' selects another.",
        "http": "GET /v1/tokens lists the tokens and their IDs.",
        "mcp": "Ask the operator for the tokens of the workspace.",
        "console": "The Tokens page lists them.",
    },
    "schedules": {
        "library": "The list of schedules has their names.",
        "cli": "'jackfield schedules list' shows the schedules of the workspace; '--workspace' selects another.",
        "http": "GET /v1/schedules lists the schedules.",
        "mcp": "Ask the operator for the schedules of the workspace.",
        "console": "The Schedules page lists them.",
    },
    "events": {
        "library": "'Jackfield.events' goes through the events kept.",
        "cli": "'jackfield events list' shows the events kept of the workspace; '--workspace' selects another.",
        "http": "GET /v1/events lists the events kept.",
        "mcp": "read_events lists the events kept.",
        "console": "The journal shows what happened.",
    },
    "oauth_clients": {
        "library": "Ask the operator for the OAuth clients.",
        "cli": "'jackfield oauth-clients list' shows those of the server; '--workspace' those of a workspace.",
        "http": "GET /v1/oauth-clients lists them.",
        "mcp": "Ask the operator for the OAuth clients.",
        "console": "Ask the operator for the OAuth clients.",
    },
    "mcp_servers": {
        "library": "Ask the operator for the MCP servers of the workspace.",
        "cli": "'jackfield mcp-servers list' shows those of the workspace; '--workspace' selects another.",
        "http": "GET /v1/mcp-servers lists them.",
        "mcp": "Ask the operator for the MCP servers of the workspace.",
        "console": "The page MCP servers lists them.",
    },
    "mcp_server_review": {
        "library": "Ask the operator to review the MCP server '{name}', and to accept the tool as it is now.",
        "cli": "'jackfield mcp-servers review {name}' shows what has changed; 'jackfield mcp-servers accept {name} TOOL' accepts it.",
        "http": "GET /v1/mcp-servers/{name}/review shows what has changed; POST /v1/mcp-servers/{name}:accept accepts it.",
        "mcp": "Tell the person that the MCP server '{name}' has changed this tool: it has to be reviewed and accepted first.",
        "console": "Review the server on the page MCP servers, and accept the tool as it is now, or leave it.",
    },
    "subscriptions": {
        "library": "The list of subscriptions has their names.",
        "cli": "'jackfield subscriptions list' shows the subscriptions of the workspace; '--workspace' selects another.",
        "http": "GET /v1/subscriptions lists the subscriptions.",
        "mcp": "Ask the operator for the subscriptions of the workspace.",
        "console": "The Subscriptions page lists them.",
    },
    "upload": {
        "library": "Store it again.",
        "cli": "Upload it again: 'jackfield files put'.",
        "http": "Upload it again: POST /v1/files.",
        "mcp": "Ask the person for the file again.",
        "console": "Choose the file again.",
    },
    "workspaces": {
        "library": "The list of workspaces has their names.",
        "cli": "'jackfield workspaces list' shows the workspaces; 'jackfield workspaces create' creates one.",
        "http": "The operator of this server, or a platform with PUT /v1/workspaces/{w}, creates workspaces.",
        "mcp": "Ask the operator for the workspaces.",
        "console": "The Tenants page lists them.",
    },
    "callbacks": {
        "library": "Ask the operator for the callbacks of the workspace.",
        "cli": "'jackfield callbacks list' shows the callbacks of the workspace; '--workspace' selects another.",
        "http": "GET /v1/callbacks lists the callbacks.",
        "mcp": "Ask the operator for the callbacks of the workspace.",
        "console": "The Callbacks page lists them.",
    },
    "deliveries": {
        "library": "Ask the operator for the deliveries of the workspace.",
        "cli": "'jackfield deliveries list' shows the deliveries of the workspace; '--workspace' selects another.",
        "http": "GET /v1/deliveries lists the deliveries.",
        "mcp": "Ask the operator for the deliveries of the workspace.",
        "console": "The Callbacks page lists them.",
    },
    "rules": {
        "library": "Ask the workspace's administrator.",
        "cli": "Ask the workspace's administrator; 'jackfield {command}' shows the rules.",
        "http": "Ask the workspace's administrator, or whoever created the token.",
        "mcp": "Tell the person that a rule forbids it. The workspace's administrator can change that.",
        "console": "Ask the workspace's administrator; the Workspace page shows its rules.",
    },
    "connect": {
        "library": "Connect it: connections.authorizing().begin('{name}', …) returns the address at which a person approves.",
        "cli": "Connect it: 'jackfield connections connect {name}'.",
        "http": "Have your user connect it again: in a connect session of your platform, with the mode 'reauth'. Without a platform: "
        "POST /v1/connections/{name}/authorize returns the address at which a person approves.",
        "mcp": "Tell the person that the connection '{name}' must be connected at the provider first.",
        "console": "Open the connection's page and choose Connect.",
    },
    "no_store": {
        "library": "Set JACKFIELD_DATABASE_URL, or put the connection into a file listed in JACKFIELD_CONNECTIONS.",
        "cli": "Set JACKFIELD_DATABASE_URL, or put the connection into a file listed in JACKFIELD_CONNECTIONS.",
        "http": "The server has no database. Ask its operator to configure one.",
        "mcp": "Tell the person that jackfield has no database. Its operator must configure one.",
        "console": "The server has no database. Ask its operator to configure one.",
    },
    "only_hosts": {
        "library": "Nothing was sent. Add the host to 'only_hosts' of Jackfield(…), or to JACKFIELD_ONLY_HOSTS.",
        "cli": "Nothing was sent. Add the host to JACKFIELD_ONLY_HOSTS.",
        "http": "Nothing was sent. The operator can add the host to JACKFIELD_ONLY_HOSTS of the server and of its workers.",
        "mcp": "Tell the person that nothing was sent: the operator of jackfield has limited the hosts that it reaches.",
        "console": "Nothing was sent. The operator can add the host to JACKFIELD_ONLY_HOSTS of the server and of its workers.",
    },
    "allow_host": {
        "library": "Use a public host. The operator can allow an internal one: the shared setting allowHosts, or JACKFIELD_ALLOW_HOSTS.",
        "cli": "Use a public host, or allow the internal one in all processes: 'jackfield settings set allowHosts HOST'.",
        "http": "Use a public host. The operator can allow an internal one: the shared setting allowHosts, or JACKFIELD_ALLOW_HOSTS.",
        "mcp": "Tell the person that the host must be public, unless the operator of jackfield allows it.",
        "console": "Use a public host. The operator can allow an internal one: the shared setting allowHosts, or JACKFIELD_ALLOW_HOSTS.",
    },
}


OF_PROVIDERS: Mapping[str, str] = {
    "rejected": "The provider refused this request for its content: correct what its message names. Unchanged, it is refused again.",
    "not_found": "Check the names and IDs in the inputs, and whether the account of the connection may see what they name.",
    "conflict": "Look at the present state at the provider, then decide whether to send this again.",
    "forbidden": "Give the account of the connection the permission that this action needs.",
    "unauthenticated": "Check the credentials of the connection at the provider.",
    "quota_exceeded": "Wait until the quota is renewed, or ask the provider for a higher one.",
    "rate_limited": "Send it again later, or fewer at a time.",
    "unavailable": "The failure is on the provider's side: try again later.",
}
"""Hints by code for what a provider has answered and its connector has no hint for."""
_NEEDS: Mapping[str, str] = {
    "in_doubt": "manage", "resolve": "manage", "add_connection": "manage", "tokens": "manage",
    "oauth_clients": "manage", "mcp_servers": "manage", "mcp_server_review": "manage", "callbacks": "manage", "deliveries": "manage",
    "connect": "manage", "workspaces": "platform", "approvals": "approve", "approval": "invoke", "upload": "invoke",
}  # fmt: skip
"""Scope of the requests that a step names over HTTP, where ``read`` does not suffice."""
_RANKS = ("read", "invoke", "manage")
_OF_CALLERS: Mapping[tuple[str, str], str] = {
    ("in_doubt", "invoke"): f"{_UNCLEAR}; whoever manages the workspace records the outcome. {_RATHER_TWICE}",
    ("resolve", "invoke"): f"{_UNCLEAR}; whoever manages the workspace records the outcome.",
    ("add_connection", "invoke"): "Give one inline, or ask whoever manages the workspace to add one.",
    ("connect", "invoke"): _RECONNECT,
    ("connect", "platform"): "Have your user connect it again: POST /v1/workspaces/{w}/connect-sessions with the mode 'reauth' and the "
    "connection '{name}'.",
    ("connections", "platform"): "GET /v1/workspaces/{w}/connections lists the connections.",
    ("add_connection", "platform"): "Have your user connect one: POST /v1/workspaces/{w}/connect-sessions.",
    ("tokens", "platform"): "GET /v1/workspaces/{w}/tokens lists the tokens and their IDs.",
    ("callbacks", "platform"): "GET /v1/platform/callbacks lists the callbacks.",
    ("deliveries", "platform"): "GET /v1/platform/deliveries lists the deliveries.",
    ("workspaces", "platform"): "GET /v1/workspaces lists the workspaces; PUT /v1/workspaces/{w} creates one.",
    ("workspaces", "invoke"): "The operator of this server, or its platform, creates workspaces.",
    ("oauth_clients", "platform"): "Ask the operator for the OAuth clients of the server.",
}
"""Wordings for callers over HTTP who may not send the requests of the others' wording, or have requests of their own. ``invoke`` stands for
all tokens of a workspace with less than ``manage``."""
_REQUEST = r"\b(?:GET|POST|PUT|PATCH|DELETE) /"
_ON_THE_SERVER = r"'jackfield |\bjackfield (?:install|uninstall|serve|keys)\b|\bJACKFIELD_[A-Z]|(?<![\w-])--[a-z]"
"""What is done on the server: commands, their options, and variables of its processes."""


class NextStep(str):
    """Hint with one wording per surface. As text it is the library's wording; ``more`` is appended to every wording."""

    __slots__ = ("facts", "kind", "more")

    kind: str
    more: str
    facts: Mapping[str, str]

    def __new__(cls, kind: str, *, more: str = "", **facts: str) -> Self:
        """Compose the hint; ``facts`` fill the placeholders of its wordings."""
        made = super().__new__(cls, _words(kind, "library", more, facts))
        made.kind, made.more, made.facts = kind, more, facts
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (self.kind, self.more, self.facts)


def _made_again(kind: str, more: str, facts: Mapping[str, str]) -> NextStep:
    return NextStep(kind, more=more, **facts)


def worded(hint: str | None, surface: str) -> str | None:
    """Return the hint as worded for ``surface``. Plain text stays unchanged, but over HTTP says of what is done on the server that its
    operator does it."""
    if isinstance(hint, NextStep):
        return _words(hint.kind, surface, hint.more, hint.facts)
    if hint is None or not surface.startswith("http") or surface == "http:operator" or not re.search(_ON_THE_SERVER, hint):
        return hint
    return hint if "operator" in hint else f"For the operator of this server: {hint}"


def restored(hint: str | None) -> str | None:
    """Return a hint that was kept as the step that it was, if it was one: then each surface words it again."""
    if hint is None or isinstance(hint, NextStep):
        return hint
    for kind in _STEPS:
        found = _kept_as(kind, hint)
        if found is not None:
            return found
    return hint


def _kept_as(kind: str, hint: str) -> NextStep | None:
    """Read a step from its library's wording: what stands there for its facts, and what follows."""
    kept, names, place = _STEPS[kind]["library"], list[str](), 0
    if not hint.startswith(kept.partition("{")[0]):
        return None
    pattern = ""
    for fact in re.finditer(r"\{(\w+)\}", kept):
        pattern += re.escape(kept[place : fact.start()]) + ("(.{1,200}?)" if fact[1] not in names else f"\\{names.index(fact[1]) + 1}")
        names += [] if fact[1] in names else [fact[1]]
        place = fact.end()
    found = re.fullmatch(f"{pattern}{re.escape(kept[place:])}(?: (.*))?", hint, re.DOTALL)
    if found is None:
        return None
    return NextStep(kind, more=found[len(names) + 1] or "", **dict(zip(names, found.groups()[:-1], strict=True)))


def _words(kind: str, surface: str, more: str, facts: Mapping[str, str]) -> str:
    text = _text(kind, surface)
    for name, value in facts.items():
        text = text.replace(f"{{{name}}}", value)
    return f"{text} {more}" if more else text


def _text(kind: str, surface: str) -> str:
    """Return the wording of a surface; over HTTP, that of the caller, or the usual one with the token that it needs."""
    name, _, caller = surface.partition(":")
    text = _STEPS[kind][name]
    if not caller:
        return text
    needed, is_platform = _NEEDS.get(kind, "read"), caller == "platform"
    if not is_platform and _suffices(caller, needed):
        return text
    own = _OF_CALLERS.get((kind, "platform" if is_platform else "invoke"))
    if own is not None or not re.search(_REQUEST, text):
        return own or text
    holder = "workspace" if is_platform and needed != "approve" else f"scope '{needed}'"
    return f"With a token of the {holder}: {text}"


def _suffices(caller: str, needed: str) -> bool:
    """Return whether a caller's scopes have the rights of ``needed``; ``approve`` reads, and no scope of the ladder approves."""
    held = caller.split()
    if needed in held or (caller == "operator" and needed != "approve"):
        return True
    return needed in _RANKS and max(_RANKS.index(scope) if scope in _RANKS else 0 for scope in held) >= _RANKS.index(needed)
