"""Next steps in the words of the console: its pages and buttons."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, str] = {
    "schedule_members": "See the text at each field.",
    "schedule_times": "See the text at each field.",
    "subscription_members": "See the text at each field.",
    "action_schema": "See the text at each field.",
    "trigger_inputs": "See the text at each field.",
    "connection_schema": "See the text at each field.",
    "invocation_schema": "Choose the action under Connectors and fill in its form.",
    "connectors": "The Connectors page lists what is installed.",
    "offer": "Offer it with the server's command line: 'offers add {pattern}'.",
    "option_inputs": "Choose {names} first.",
    "narrow_policy": "Enter a connector, such as aws.s3.",
    "connections": "The Connections page lists them.",
    "wait": "Wait until it has ended; the Invocations page shows it.",
    "approval": "Call it where it can wait: with a stored connection.",
    "approvals": "The Approvals page lists them.",
    "approver": (
        "The operator makes a token of the scope 'approve' with the server's command line: "
        "'tokens create --scope approve'."
    ),
    "twin": "Wait until it has ended; the Invocations page shows it.",
    "resolve": (
        "Check with the provider whether it took effect, then record the outcome on the "
        "invocation's page."
    ),
    "in_doubt": (
        "Check with the provider whether it took effect before you send it again, then "
        "record the outcome on the invocation's page."
    ),
    "in_part": "Check with the provider whether it took effect before you send it again: the "
    "details list the completed steps. Then record "
    "the outcome on the invocation's page.",
    "settling": (
        "The provider is being asked whether it took effect: the invocation's page has the outcome."
    ),
    "looking": (
        "The provider is being asked whether it took effect: the invocation's page shows "
        "what it says. Record the outcome there."
    ),
    "may_be_queued": "Look for it on the Invocations page before you repeat it.",
    "invocations": "The Invocations page lists them.",
    "add_connection": "Add one on the Connections page.",
    "save_anyway": "{first}Correct it, or save it anyway.",
    "tokens": "The Tokens page lists them.",
    "schedules": "The Schedules page lists them.",
    "events": "The journal shows what happened.",
    "mcp_servers": "The page MCP servers lists them.",
    "mcp_server_review": (
        "Review the server on the page MCP servers, and accept the tool as it is now, or leave it."
    ),
    "subscriptions": "The Subscriptions page lists them.",
    "upload": "Choose the file again.",
    "workspaces": "The Tenants page lists them.",
    "callbacks": "The Callbacks page lists them.",
    "deliveries": "The Callbacks page lists them.",
    "rules": "Ask the workspace's administrator; the Workspace page shows its rules.",
    "connect": "Open the connection's page and choose Connect.",
    "no_store": "The server has no database. Ask its operator to configure one.",
    "host_access": (
        "Connections created over HTTP or MCP need the operator's permission for this: the "
        "workspace's setting '{setting}'."
    ),
    "only_hosts": (
        "Nothing was sent. The operator can add the host to JACKFIELD_ONLY_HOSTS of the "
        "server and of its workers."
    ),
}
