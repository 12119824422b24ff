"""Wordings of next steps in errors: the store's steps for the library, and the steps of store and
framework for the store's commands.
"""

from __future__ import annotations

from collections.abc import Mapping

STEPS: Mapping[str, str] = {
    "option_inputs": "Pass connection=NAME and inputs={{inputs}}.",
    "narrow_policy": (
        "Name a connector (connector='aws.s3') or the actions in use "
        "(actions=['aws.s3/getObject'])."
    ),
    "wait": (
        "Try again later with the same key, or wait for it: wait=True, or a longer 'timeout' "
        "of once."
    ),
    "approvals": "The list of approvals has those that wait.",
    "approver": "The operator makes a token of the scope 'approve'.",
    "twin": "Wait for it, or invoke with 'repeat': true if this is to happen a second time.",
    "resolve": (
        "Check with the provider whether it took effect, then resolve the invocation {id}: on the "
        "command line by 'invocations resolve', "
        "in Python by Jackfield.resolve()."
    ),
    "settling": (
        "The provider is being asked whether it took effect: Result.wait() waits for the outcome "
        "of {id}, as does the same invocation with "
        "its key and wait=True. Without a key, do not send it again."
    ),
    "function_looks": (
        "The function's 'look' is asked whether it took effect: Result.wait() waits for the "
        "outcome of {id}. The same call of the function looks at once."
    ),
    "looking": (
        "The provider is being asked whether it took effect: the looks of the invocation {id} "
        "show what it says, and a person resolves it. "
        "Do not send it again before: 'onDoubt': 'retry' is for callers who would rather send it "
        "twice than not at all."
    ),
    "invocations": "The journal lists the invocations of this workspace.",
    "save_anyway": "{first}To save it anyway, pass force=True; to save it without a test, test=False.",
    "tokens": "The list of tokens has their IDs.",
    "mcp_servers": "Ask the operator for the MCP servers of the workspace.",
    "mcp_server_review": (
        "Ask the operator to review the MCP server '{name}', and to accept the tool as it is now."
    ),
    "connect": (
        "Connect it: connections.authorizing().begin('{name}', …) returns the address at "
        "which a person approves."
    ),
    "no_store": (
        "Set JACKFIELD_DATABASE_URL, or put the connection into a file listed in "
        "JACKFIELD_CONNECTIONS."
    ),
}
COMMANDS: Mapping[str, str] = {
    "option_inputs": "Write jackfield options {connector} {source} {words} --connection NAME.",
    "narrow_policy": (
        "Name a connector ('--connector aws.s3') or the actions in use ('--actions "
        "aws.s3/getObject,aws.sqs/sendMessage')."
    ),
    "connections": (
        "'jackfield connections list' shows the connections of the workspace; connection files "
        "are set in JACKFIELD_CONNECTIONS."
    ),
    "wait": "Try again later with the same key, or wait for it: '--wait'.",
    "approvals": "'jackfield approvals list' shows them.",
    "approver": "The operator makes a token that may: 'jackfield tokens create --scope approve'.",
    "twin": "Wait for it, or invoke with '--repeat' if this is to happen a second time.",
    "resolve": (
        "Check with the provider whether it took effect, then record that: 'jackfield invocations "
        "resolve {id} --as succeeded', "
        "or 'failed'."
    ),
    "in_doubt": (
        "The same command without --idempotency-key sends it again. First check with the provider "
        "whether it took effect ('jackfield "
        "invocations look {id}' does, where the action has evidence), then record that: "
        "'jackfield invocations resolve {id} --as "
        "succeeded', or 'failed'. '--on-doubt retry' (onDoubt) is for callers who would rather "
        "send it twice than not at all."
    ),
    "ask_again": (
        "The provider keeps the key until {until}: before that, the same command with the same "
        "--idempotency-key, or 'jackfield invocations ask {id}', takes effect once. Later it could "
        "take effect twice: check with the provider first, then record that: 'jackfield "
        "invocations resolve {id}'."
    ),
    "in_part": (
        "Check with the provider whether it took effect before you send it again: the details "
        "list the completed steps, which a repeat "
        "would repeat. Then record that: 'jackfield invocations resolve {id} --as succeeded', or "
        "'failed'."
    ),
    "settling": (
        "The provider is being asked whether it took effect: 'jackfield invocations show {id}' "
        "has the outcome. If it has an idempotency "
        "key, the same command with '--wait' waits for that; without one, do not send it again."
    ),
    "function_looks": (
        "The function's 'look' is asked whether it took effect: 'jackfield invocations show {id}' "
        "has the outcome. The same call of the function looks at once."
    ),
    "looking": (
        "Ask the provider whether it took effect: 'jackfield invocations look {id}'. Then record "
        "that: 'jackfield invocations resolve {id} "
        "--as succeeded', or 'failed'; with the setting 'settle' on it is recorded by itself. "
        "Without --idempotency-key, do not send it "
        "again before: '--on-doubt retry' (onDoubt) is for callers who would rather send it twice "
        "than not at all."
    ),
    "may_be_queued": (
        "'jackfield invocations show {id}' tells whether it is there; repeat it only if it "
        "is not, or under its key."
    ),
    "invocations": (
        "'jackfield invocations list' shows those of the workspace; '--workspace' selects another."
    ),
    "add_connection": (
        "Add one: 'jackfield connections add NAME --type {type}', or name a file with one in "
        "JACKFIELD_CONNECTIONS."
    ),
    "save_anyway": "{first}To save it anyway, add '--force'; to save it without a test, '--no-test'.",
    "tokens": (
        "'jackfield tokens list' shows the tokens of the workspace and their IDs; "
        "'--workspace' selects another."
    ),
    "oauth_clients": (
        "'jackfield oauth-clients list' shows those of the server; '--workspace' those of a "
        "workspace."
    ),
    "mcp_servers": (
        "'jackfield mcp-servers list' shows those of the workspace; '--workspace' selects another."
    ),
    "mcp_server_review": (
        "'jackfield mcp-servers review {name}' shows what has changed; 'jackfield mcp-servers "
        "accept {name} TOOL' accepts it."
    ),
    "upload": "Upload it again: 'jackfield files put'.",
    "workspaces": (
        "'jackfield workspaces list' shows the workspaces; 'jackfield workspaces create' "
        "creates one."
    ),
    "rules": "Ask the workspace's administrator; 'jackfield {command}' shows the rules.",
    "role_grants": (
        'Write [{"role": "operator", "workspace": "acme", "group": "it-support"}], or use '
        "'jackfield roles grant'."
    ),
    "database_busy": "Find out what keeps it busy; 'jackfield db check' reports its state.",
    "skipped": "Resolve them with 'jackfield invocations resolve'.",
    "host_access": (
        "Connections created over HTTP or MCP need the operator's permission for this: the "
        "workspace's setting '{setting}'."
    ),
    "connect": "Connect it: 'jackfield connections connect {name}'.",
    "allow_host": (
        "Use a public host, or allow the internal one in all processes: 'jackfield settings "
        "set allowHosts HOST'."
    ),
}
