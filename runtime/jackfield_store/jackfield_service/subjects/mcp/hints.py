"""Next steps in the words of MCP: steps for a model, or messages for its person."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "action_schema": (
        "Call get_action_guide with connector '{connector}' and action '{action}': it "
        "describes each input."
    ),
    "connection_schema": (
        "Use a stored connection instead (list_connections shows them), or ask the person "
        "for the missing values."
    ),
    "invocation_schema": "The inputSchema of execute_action describes the members of an invocation.",
    "connectors": "Call search_actions to find the installed actions.",
    "actions": (
        "'{connector}' has {count} actions; the nearest names are {names}. Call "
        "search_actions to find others."
    ),
    "offer": "Tell the person that jackfield's operator has not offered it.",
    "option_inputs": "Ask the person for {names}.",
    "narrow_policy": "Name a connector or the actions in use.",
    "connections": "Call list_connections for the names of the connections.",
    "wait": (
        "Call again in a moment with the same arguments and key: this returns its Result "
        "once it has ended."
    ),
    "approval": (
        "Tell the person that a rule asks for an approval of this, and that it cannot wait "
        "for one here."
    ),
    "approvals": "Ask the person who approves.",
    "approver": "Tell the person that the operator makes a token of the scope 'approve'.",
    "twin": (
        "Call again in a moment with the same arguments: this returns its Result once it has "
        "ended. 'repeat': true is for what is to "
        "happen a second time."
    ),
    "resolve": (
        "Tell the person that the invocation {id} may have taken effect: only they can check with "
        "the provider and resolve it. Do not run "
        "it again unasked."
    ),
    "in_doubt": (
        "Tell the person that the invocation {id} may have taken effect: only they can check with "
        "the provider, before you send it again, "
        "and resolve it. Do not run it again unasked: 'onDoubt': 'retry' is for callers who would "
        "rather send it twice than not at all."
    ),
    "ask_again": (
        "The provider keeps the key until {until}: before that, the same call with the same "
        "idempotencyKey takes effect once. Later, tell the person that the invocation {id} may "
        "have taken effect, and do not run it again unasked."
    ),
    "in_part": (
        "Tell the person that the invocation {id} has taken effect in part: the details list the "
        "completed steps. Only they can check with "
        "the provider, before you send it again, and resolve it. Do not run it again unasked."
    ),
    "settling": (
        "Tell the person that the provider is being asked whether it took effect in the "
        "invocation {id}. If you gave an idempotencyKey, "
        "the same call with it has the outcome once that is known. Without one, or under another, "
        "do not send it again."
    ),
    "looking": (
        "Tell the person that the invocation {id} may have taken effect, and that the provider is "
        "being asked: what it says is shown with "
        "the invocation, and they resolve it. Do not run it again unasked: 'onDoubt': 'retry' is "
        "for callers who would rather send it "
        "twice than not at all."
    ),
    "may_be_queued": "Tell the person that the invocation {id} may be queued. Do not run it again unasked.",
    "invocations": "The meta of each Result has its invocationId.",
    "add_connection": "Tell the person that the workspace has no connection for this.",
    "save_anyway": "{first}Tell the person that the connection was not saved.",
    "tokens": "Ask the operator for the tokens of the workspace.",
    "schedules": "Ask the operator for the schedules of the workspace.",
    "events": "read_events lists the events kept.",
    "mcp_server_review": (
        "Tell the person that the MCP server '{name}' has changed this tool: it has to be "
        "reviewed and accepted first."
    ),
    "subscriptions": "Ask the operator for the subscriptions of the workspace.",
    "upload": "Ask the person for the file again.",
    "workspaces": "Ask the operator for the workspaces.",
    "rules": (
        "Tell the person that a rule forbids it. The workspace's administrator can change that."
    ),
    "connect": (
        "Tell the person that the connection '{name}' must be connected at the provider first."
    ),
    "no_store": "Tell the person that jackfield has no database. Its operator must configure one.",
    "host_access": (
        "Connections created over HTTP or MCP need the operator's permission for this: the "
        "workspace's setting '{setting}'."
    ),
    "only_hosts": (
        "Tell the person that nothing was sent: the operator of jackfield has limited the "
        "hosts that it reaches."
    ),
    "allow_host": (
        "Tell the person that the host must be public, unless the operator of jackfield allows it."
    ),
    "resolve_at_proxy": (
        "Tell the person that the name has no address here, and only jackfield's operator "
        "can leave it to the proxy."
    ),
}
