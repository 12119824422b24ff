"""Hints worded for the surface that shows them: a command of the CLI, a request over HTTP, a tool over MCP, a console page.

An error holds a :class:`NextStep`; a surface shows it through :func:`worded`. The journal stores the library's wording, which names no
surface. This is the only module that composes hints.
"""

from __future__ import annotations

from collections.abc import Mapping

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any, Self

SURFACES = ("library", "cli", "http", "mcp", "console")

_UNCLEAR = "Check with the provider whether it took effect before you send it again"
_RATHER_TWICE = "'onDoubt': 'retry' is for callers who would rather send it twice than not at all."
_STEPS: Mapping[str, Mapping[str, str]] = {
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
        "http": "POST /v1/connections/{name}/authorize returns the address at which a person approves.",
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
    """Return the hint as worded for ``surface``; plain text stays unchanged."""
    return _words(hint.kind, surface, hint.more, hint.facts) if isinstance(hint, NextStep) else hint


def restored(hint: str | None) -> str | None:
    """Return a hint that the journal kept as the step that it was, if it was one without facts: then each surface words it again."""
    for kind, words in _STEPS.items():
        kept = words["library"]
        if hint is not None and "{" not in kept and (hint == kept or hint.startswith(f"{kept} ")):
            return NextStep(kind, more=hint[len(kept) + 1 :])
    return hint


def _words(kind: str, surface: str, more: str, facts: Mapping[str, str]) -> str:
    text = _STEPS[kind][surface]
    for name, value in facts.items():
        text = text.replace(f"{{{name}}}", value)
    return f"{text} {more}" if more else text
