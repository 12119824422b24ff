"""All routes of the API in one table: served by the application, described by OpenAPI and exercised by the tests."""

from __future__ import annotations

from collections.abc import Mapping

from jackfield.callers import TOKEN_SCOPES
from jackfield_service.shell.http import openapi, probes
from jackfield_service.subjects.approvals import http as approvals
from jackfield_service.subjects.events import asyncapi, http as events
from jackfield_service.subjects.audit import http as audit
from jackfield_service.subjects.connections.http import authorizations, connections
from jackfield_service.subjects.batches import http as batches
from jackfield_service.subjects.connect import http as connect_sessions
from jackfield_service.subjects.triggers.http import hooks, subscriptions
from jackfield_service.subjects.invocations import http as invocations
from jackfield_service.subjects.mcp_servers import http as mcp_servers
from jackfield_service.subjects.oauth_clients import http as oauth_clients
from jackfield_service.subjects.schedules import http as schedules
from jackfield_service.subjects.suppressions import http as suppressions
from jackfield_service.subjects.tokens import http as tokens
from jackfield_service.subjects.tenants import http as workspaces
from jackfield_service.subjects.callbacks.callbacks_table import CALLBACKS, PLATFORM_CALLBACKS
from jackfield_service.subjects.connectors.http.catalogue_table import CATALOGUE
from jackfield_service.shell.http.list_views import with_views
from jackfield_service.shell.http.query_parts import BY_KEY, BY_NUMBER, FLAG, LIMIT, TEXT, Schema, filters, page
from jackfield_service.subjects.files import http as files, uploads
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.requests.prefix import START
from jackfield_service.subjects.events.marks import PATTERN
from jackfield_service.subjects.tenants.usage import BY
from jackfield_store.connections.client_registrations import CALLBACK, DOCUMENT
from jackfield_store.recording.decisions import STATUSES

_LONG: Schema = {**TEXT, "maxLength": 10_000}
_STATUS: Schema = {"type": "string", "enum": ["waiting", "queued", "running", "succeeded", "failed", "in_doubt", "cancelled", "dead"]}
_WHEN: Schema = {
    "type": "string",
    "maxLength": 40,
    "description": ("An RFC 3339 time, a date, or a duration before now: 2031-01-31T12:00:00Z, 2031-01-31, 7d."),
}
_FORCE: Mapping[str, Schema] = {"force": {**FLAG, "description": "Save the connection even if its test fails."}, "test": FLAG}
_BY_SLOT = "-?[0-9]{1,19}([.][0-9]{1,20})?(e[+][0-9]{1,3})?"
"""Numbers of a damaged row, too: its list goes on after it."""
_BY_MOMENT = f"{_BY_SLOT}~{BY_KEY}"
_BY_OUTCOME = f"{_BY_MOMENT}~{BY_KEY}"
_CONNECTION_STATUS = filters(("status",), status=("untested", "ok", "failing", "expired"))
_SCHEDULE_STATUS = ("active", "paused", "ended", "stopped")
_WATCH_STATUS = ("pending", "active", "degraded", "failing", "paused")
_SESSION_STATUS = ("pending", "opened", "testing", "saved", "granted", "failed", "expired")
_WATCHES = {**filters(subscriptions.FILTERS, status=_WATCH_STATUS, kind=("webhook", "poll")), **page(BY_KEY)}
_SESSIONS = {**filters(connect_sessions.FILTERS, status=_SESSION_STATUS), **page(_BY_MOMENT)}
_TOKEN_STATUS, _SCOPES = ("active", "expired", "revoked"), TOKEN_SCOPES
_TOKENS = {**filters(tokens.FILTERS, status=_TOKEN_STATUS, scope=_SCOPES), **page(_BY_MOMENT)}
_SEALED = "[A-Za-z0-9_-]{150,250}"
"""Journal cursors for tokens with rules are encrypted."""
_ENTRY_FILTERS: Mapping[str, Schema] = {
    "status": _STATUS, "connector": TEXT, "action": TEXT, "connection": TEXT, "since": _WHEN, "until": _WHEN, "caller": TEXT,
    "idempotencyKey": {**TEXT, "maxLength": 255}, "correlationId": TEXT, "errorCode": TEXT,
    "label": {**TEXT, "description": "A label's name, or name=value."},
    "q": {**TEXT, "description": "Text to find in the ID, connector, action, connection, caller, key, error code, request ID or context."},
}  # fmt: skip
_EVENTS: Mapping[str, Schema] = {
    "after": {
        "type": "string", "pattern": f"^{PATTERN}$",
        "description": "The nextCursor of the previous page, or an event's cursor; without it from the oldest event kept.",
    },
    "types": {**_LONG, "description": "Types and patterns, separated by commas: invocation.finished,connection.*"},
    "wait": {"type": "integer", "minimum": 0, "maximum": 60, "description": "Seconds for which to wait for an event."},
    "limit": LIMIT,
}  # fmt: skip

_BEHALF = "Jackfield-On-Behalf-Of"

_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST", "/v1/invocations", invocations.invoke, "invoke", "invoke",
        "Run an action, or queue it for the workers. 'Accept: text/event-stream' returns its events, then its Result.",
        {200: "Result", 202: "Queued"}, headers=("Idempotency-Key", "Prefer"), body="Invocation",
        results=(400, 403, 404, 409, 422, 500, 502, 503, 504), problems=(413, 415),
    ),
    Operation(
        "POST", "/v1/invocations:batch", batches.batch, "invoke", "batch",
        "Queue up to 10,000 invocations for the workers: JSON Lines, or an array. The response has one outcome each, in order.",
        {202: "BatchOutcome"}, body="Batch", problems=(413, 415),
    ),
    Operation(
        "GET", "/v1/invocations", invocations.listed, "read", "listInvocations",
        "List invocations, newest first. 'Accept: text/csv' or 'application/jsonl' exports up to 10,000.", {200: "EntryList"},
        query={**_ENTRY_FILTERS, **page(f"({_BY_MOMENT}|{_SEALED})")},
    ),
    Operation(
        "GET", "/v1/invocations/{id}", invocations.shown, "read", "showInvocation", "Show an invocation and its Result.",
        {200: "Entry"}, problems=(404,),
    ),
    Operation(
        "GET", "/v1/invocations/{id}/exchanges", invocations.exchanges, "manage", "showExchanges",
        "Show what was sent to the provider and what came back, without secrets: of a call that failed, is in doubt, or was traced.",
        {200: "Exchanges"}, problems=(404,),
    ),
    Operation(
        "POST", "/v1/invocations/{id}/cancel", invocations.cancel, "invoke", "cancelInvocation",
        "Cancel an invocation that was not sent yet, or a job that its provider can cancel.",
        {202: "Entry"}, problems=(404, 409),
    ),
    Operation(
        "POST", "/v1/invocations/{id}/resolve", invocations.resolve, "manage", "resolveInvocation", "Resolve an invocation in doubt.",
        {200: "Entry"}, body="Resolution", problems=(404, 409, 413, 415, 422),
    ),
    Operation(
        "POST", "/v1/invocations/{id}/look", invocations.look, "manage", "lookForInvocation",
        "Ask the provider now what became of an invocation in doubt.",
        {200: "Entry"}, problems=(404, 409),
    ),
    Operation(
        "POST", "/v1/invocations/{id}/redrive", invocations.redrive, "manage", "redriveInvocation",
        "Queue a dead invocation again, with a fresh count of deliveries.",
        {202: "Entry"}, problems=(404, 409),
    ),
    Operation(
        "GET", "/v1/approvals", approvals.listed, "approve", "listApprovals",
        "List calls that wait until a person approves them, or waited for one, the newest first, without inputs.",
        {200: "ApprovalList"}, query={**filters(("status",), status=STATUSES), **page(_BY_MOMENT)}, problems=(503,),
    ),
    Operation(
        "GET", "/v1/approvals/{id}", approvals.shown, "approve", "showApproval",
        "Show an approval: while the call waits, with what would be sent, secrets masked.", {200: "Approval"}, problems=(404, 503),
    ),
    Operation(
        "POST", "/v1/approvals/{id}:approve", approvals.approved, "approve", "approveCall", "Approve a call: the workers begin it.",
        {200: "Approval"}, body="Decision", problems=(404, 409, 412, 413, 415, 503),
    ),
    Operation(
        "POST", "/v1/approvals/{id}:decline", approvals.declined, "approve", "declineCall", "Decline a call: nothing is sent.",
        {200: "Approval"}, body="Decision", problems=(404, 409, 412, 413, 415, 503),
    ),
    Operation(
        "GET", "/v1/queue", invocations.stats, "read", "showQueue", "Show the figures of the workspace's queue.", {200: "QueueStats"},
    ),
    Operation(
        "GET", "/v1/events", events.listed, "read", "listEvents",
        "List events after a cursor, oldest first; 'wait' holds the request until there is one.",
        {200: "EventList"}, query=_EVENTS, problems=(410, 503),
    ),
    Operation(
        "GET", "/v1/events/{id}", events.shown, "read", "showEvent", "Show an event.", {200: "Event"}, problems=(404, 503),
    ),
    *CALLBACKS,
    *CATALOGUE,
    Operation(
        "GET", "/v1/connections", connections.listed, "read", "listConnections", "List the connections by name, secrets masked.",
        {200: "ConnectionList"}, query={"type": TEXT, "q": TEXT, **_CONNECTION_STATUS, **page(BY_KEY)}, problems=(422,),
    ),
    Operation(
        "POST", "/v1/connections", connections.created, "manage", "createConnection", "Test a connection and save it.",
        {201: "Connection"}, query=_FORCE, body="NewConnection", problems=(409, 413, 415, 422),
    ),
    Operation(
        "POST", "/v1/connections:test", connections.drafted, "manage", "testDraft", "Test connection values without saving them.",
        {200: "Trial"}, body="DraftConnection", problems=(413, 415, 422),
    ),
    Operation(
        "GET", "/v1/connections/{name}", connections.shown, "read", "showConnection", "Show a connection, secrets masked.",
        {200: "Connection", 304: ""}, headers=("If-None-Match",), problems=(404, 422),
    ),
    Operation(
        "PUT", "/v1/connections/{name}", connections.replaced, "manage", "replaceConnection",
        "Replace the values of a connection. Omitted or masked secrets are kept.",
        {200: "Connection"}, query=_FORCE, headers=("If-Match",), body="ConnectionUpdate", problems=(404, 409, 412, 413, 415, 422),
    ),
    Operation(
        "DELETE", "/v1/connections/{name}", connections.removed, "manage", "removeConnection", "Delete a connection and its secrets.",
        {204: ""}, headers=("If-Match",), problems=(404, 409, 412, 422),
    ),
    Operation(
        "POST", "/v1/connections/{name}/test", connections.tested, "invoke", "testConnection", "Test a connection step by step.",
        {200: "Connection"}, problems=(404, 422),
    ),
    Operation(
        "POST", "/v1/connections/{name}/authorize", authorizations.authorize, "manage", "authorizeConnection",
        "Begin to connect a connection: a person approves it at the provider.",
        {200: "Authorization"}, body="AuthorizationRequest", problems=(404, 409, 413, 415, 422, 502, 503, 504),
    ),
    Operation(
        "GET", "/v1/authorizations/{id}", authorizations.shown, "manage", "showAuthorization",
        "Show whether the person has approved; for a device, asks the provider.", {200: "Approval"}, problems=(404, 502, 503, 504),
    ),
    Operation(
        "POST", "/v1/authorizations/{id}:complete", authorizations.completed, "manage", "completeAuthorization",
        "Finish an authorization with the token that began it, once it is answered. Callers whose own page is the redirect URI pass on the "
        "provider's answer.",
        {200: "Approval"}, body="ProviderAnswer", problems=(403, 404, 409, 413, 415, 422, 502, 503, 504),
    ),
    Operation(
        "GET", f"{START}/{{link}}", authorizations.started, None, "startAuthorization",
        "Bind this browser to an authorization, and send it to the provider. The link works once.",
        {303: "", 400: "text/html"}, problems=(404,),
    ),
    Operation(
        "GET", CALLBACK, authorizations.answered, None, "authorizationCallback",
        "Take the browser that comes back from the provider.", {200: "text/html", 303: "", 400: "text/html"},
        query=dict.fromkeys(("state", "code", "error", "error_description", "error_uri", "iss", "scope", "session_state"), _LONG),
    ),
    Operation(
        "GET", DOCUMENT, authorizations.document, None, "showClientMetadata",
        "Show what this installation is as a client of OAuth providers; its address is its client ID there.", {200: "ClientMetadata"},
        problems=(404,),
    ),
    Operation(
        "GET", "/v1/connections/{name}/policy", connections.policy, "read", "showPolicy",
        "Show the policies that the connection needs at the provider.",
        {200: "Policies"}, query={"actions": _LONG, "connector": _LONG, "principal": _LONG, "from": _LONG}, problems=(400, 404, 422),
    ),
    Operation(
        "GET", "/v1/suppressions", suppressions.listed, "read", "listSuppressions",
        "List the recipients to whom nothing more is sent, the latest first.", {200: "SuppressionList"},
        query={**filters(suppressions.FILTERS, reason=("bounce", "complaint")), **page(_BY_OUTCOME)}, problems=(503,),
    ),
    Operation(
        "DELETE", "/v1/suppressions/{recipient}", suppressions.removed, "manage", "removeSuppression", "Let a recipient be sent to again.",
        {204: ""}, problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/oauth-clients", oauth_clients.listed, "manage", "listOAuthClients",
        "List the OAuth clients that connections may refer to, the server's among them, without secrets.",
        {200: "OAuthClientList"}, query=page(BY_KEY), problems=(503,),
    ),
    Operation(
        "POST", "/v1/oauth-clients", oauth_clients.created, "manage", "createOAuthClient",
        "Register an OAuth client of the workspace; the operator's own workspace has those of the server.",
        {201: "OAuthClient"}, body="NewOAuthClient", problems=(409, 413, 415, 422, 503),
    ),
    Operation(
        "GET", "/v1/oauth-clients/{client}", oauth_clients.shown, "manage", "showOAuthClient", "Show an OAuth client without its secrets.",
        {200: "OAuthClient"}, problems=(404, 503),
    ),
    Operation(
        "PATCH", "/v1/oauth-clients/{client}", oauth_clients.changed, "manage", "changeOAuthClient",
        "Change the values given, such as the secret; others stay.",
        {200: "OAuthClient"}, body="OAuthClientUpdate", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "DELETE", "/v1/oauth-clients/{client}", oauth_clients.removed, "manage", "removeOAuthClient",
        "Delete an OAuth client to which no connection refers.",
        {200: "OAuthClientEnd"}, query={"force": FLAG}, problems=(404, 409, 503),
    ),
    Operation(
        "GET", "/v1/mcp-servers", mcp_servers.listed, "manage", "listMcpServers",
        "List the MCP servers that are connectors of the workspace, those that all workspaces share among them.",
        {200: "McpServerList"}, query=page(BY_KEY), problems=(404, 503),
    ),
    Operation(
        "POST", "/v1/mcp-servers", mcp_servers.created, "manage", "addMcpServer",
        "Ask an MCP server for its tools, accept them as they are, and make it a connector of the workspace.",
        {201: "McpServerDetail"}, body="NewMcpServer", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "GET", "/v1/mcp-servers/{server}", mcp_servers.shown, "manage", "showMcpServer", "Show an MCP server and its accepted tools.",
        {200: "McpServerDetail"}, problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/mcp-servers/{server}/review", mcp_servers.reviewed, "manage", "reviewMcpServer",
        "Ask an MCP server for its tools, and compare them with the accepted ones.",
        {200: "McpServerReview"}, query={"connection": _LONG}, problems=(404, 422, 503),
    ),
    Operation(
        "POST", "/v1/mcp-servers/{server}:accept", mcp_servers.accepted, "manage", "acceptMcpTools",
        "Accept tools as the server has them now: those that were reviewed, by their digests, or all.",
        {200: "McpServerDetail"}, body="McpAcceptance", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "POST", "/v1/mcp-servers/{server}:overlay", mcp_servers.overlaid, "manage", "overlayMcpTools",
        "Say what accepted tools do, such as their effects: that beats what the server says of itself.",
        {200: "McpServerDetail"}, body="McpOverlay", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "DELETE", "/v1/mcp-servers/{server}", mcp_servers.removed, "manage", "removeMcpServer",
        "Delete an MCP server that no connection is for.", {200: "McpServerEnd"}, problems=(404, 409, 503),
    ),
    Operation(
        "GET", "/v1/schedules", schedules.listed, "read", "listSchedules", "List the schedules by name.",
        {200: "ScheduleList"}, query={**filters(schedules.FILTERS, status=_SCHEDULE_STATUS), **page(BY_KEY)}, problems=(503,),
    ),
    Operation(
        "POST", "/v1/schedules", schedules.created, "manage", "createSchedule",
        "Run an invocation at given times, with the rights of this token.",
        {201: "Schedule"}, body="NewSchedule", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "POST", "/v1/schedules/{name}:pause", schedules.paused, "manage", "pauseSchedule", "Run no slots until it is resumed.",
        {200: "Schedule"}, problems=(404, 409, 503),
    ),
    Operation(
        "POST", "/v1/schedules/{name}:resume", schedules.resumed, "manage", "resumeSchedule",
        "Run the slots that follow. One that was stopped runs with the rights of this token.",
        {200: "Schedule"}, problems=(404, 409, 422, 503),
    ),
    Operation(
        "POST", "/v1/schedules/{name}:run", schedules.run, "invoke", "runSchedule",
        "Queue the invocation now, with the rights of this token.",
        {200: "Result", 202: "Queued"}, problems=(404, 409, 422, 503),
    ),
    Operation(
        "GET", "/v1/schedules/{name}/next", schedules.following, "read", "nextSlots", "Show the next slots.",
        {200: "NextSlotList"}, query={"limit": LIMIT}, problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/schedules/{name}/slots", schedules.slots, "read", "listSlots", "List the slots that are past, newest first.",
        {200: "SlotList"}, query=page(_BY_SLOT), problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/schedules/{name}", schedules.shown, "read", "showSchedule", "Show a schedule and its last slots.",
        {200: "Schedule"}, problems=(404, 503),
    ),
    Operation(
        "PATCH", "/v1/schedules/{name}", schedules.changed, "manage", "changeSchedule",
        "Change a schedule. It runs with the rights of this token from then on.",
        {200: "Schedule"}, body="ScheduleChange", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "DELETE", "/v1/schedules/{name}", schedules.removed, "manage", "removeSchedule", "Delete a schedule.",
        {204: ""}, problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/subscriptions", subscriptions.listed, "read", "listSubscriptions", "List the subscriptions by name.",
        {200: "SubscriptionList"}, query=_WATCHES, problems=(503,),
    ),
    Operation(
        "POST", "/v1/subscriptions", subscriptions.created, "manage", "createSubscription",
        "Switch a trigger on for a connection, with the rights of this token.",
        {201: "Subscription"}, body="NewSubscription", problems=(403, 404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "PATCH", "/v1/subscriptions/{name}", subscriptions.changed, "manage", "changeSubscription",
        "Change 'then', 'every', or a webhook's inputs; URL and secret stay. It has the rights of this token from then on.",
        {200: "Subscription"}, body="SubscriptionChange", problems=(403, 404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "POST", "/v1/subscriptions/{name}:enable", subscriptions.enabled, "manage", "enableSubscription",
        "Receive or poll again. A poll goes on where it was.", {200: "Subscription"}, problems=(404, 503),
    ),
    Operation(
        "POST", "/v1/subscriptions/{name}:disable", subscriptions.disabled, "manage", "disableSubscription",
        "Receive and poll nothing more, at once.", {200: "Subscription"}, problems=(404, 503),
    ),
    Operation(
        "POST", "/v1/subscriptions/{name}:test", subscriptions.tested, "read", "testSubscription", "Show samples of its events.",
        {200: "SampleList"}, problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/subscriptions/{name}", subscriptions.shown, "read", "showSubscription",
        "Show a subscription, its URL and its checkpoint.", {200: "Subscription"}, problems=(404, 503),
    ),
    Operation(
        "DELETE", "/v1/subscriptions/{name}", subscriptions.removed, "manage", "removeSubscription",
        "Remove a subscription, and its registration at the provider. Its events stay.", {204: ""}, problems=(404, 503),
    ),
    Operation(
        "POST", "/hooks/{path}", hooks.received, None, "receiveHook",
        "Receive a provider's webhook. Its events are stored before this responds.",
        {200: "text/plain"}, body="*/*", problems=(400, 401, 404, 410, 413, 415, 429, 503),
    ),
    *(
        Operation(
            method, "/hooks/{path}", hooks.received, None, name, text, {200: "text/plain"}, problems=(400, 401, 404, 405, 410, 429, 503)
        )
        for method, name, text in hooks.HANDSHAKES
    ),
    Operation(
        "POST", "/v1/files", uploads.upload, "invoke", "uploadFile", "Upload a file. Inputs refer to it by its ID.",
        {201: "StoredFile"}, body="*/*", problems=(413, 503, 507),
    ),
    Operation(
        "GET", "/v1/files", files.listed, "read", "listFiles", "List stored files, newest first.", {200: "FileList"},
        query=page(_BY_MOMENT),
    ),
    Operation(
        "GET", "/v1/files/{file}", files.download, "read", "downloadFile", "Download a file, or a range of it.",
        {200: "*/*", 206: "*/*"}, headers=("Range", "If-Range"), problems=(404, 416, 503),
    ),
    Operation(
        "DELETE", "/v1/files/{file}", files.deleted, "invoke", "deleteFile", "Delete a file.", {204: ""}, problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/audit", audit.listed, "manage", "listAudit", "List audit entries (changes, tests, exports, sign-ins), newest first.",
        {200: "AuditEntryList"}, problems=(503,),
        query={**dict.fromkeys(("actor", "object", "event"), TEXT), "since": _WHEN, "until": _WHEN, **page(BY_NUMBER)},
    ),
    Operation(
        "GET", "/v1/tokens", tokens.listed, "manage", "listTokens", "List the workspace's tokens, newest first.",
        {200: "TokenList"}, query=_TOKENS, problems=(503,),
    ),
    Operation(
        "POST", "/v1/tokens", tokens.created, "manage", "createToken", "Create a token. Only this response contains its text.",
        {201: "CreatedToken"}, body="NewToken", problems=(413, 415, 503),
    ),
    Operation(
        "DELETE", "/v1/tokens/{id}", tokens.revoked, "manage", "revokeToken", "Revoke a token.",
        {204: ""}, problems=(404, 409, 503),
    ),
    Operation(
        "GET", "/v1/workspaces", workspaces.listed, "platform", "listWorkspaces", "List the platform's workspaces by name.",
        {200: "WorkspaceList"}, query={"prefix": TEXT, **page(BY_KEY)}, problems=(503,),
    ),
    Operation(
        "GET", "/v1/workspaces/{w}", workspaces.shown, "platform", "showWorkspace", "Show a workspace and its settings.",
        {200: "Workspace"}, problems=(404, 503),
    ),
    Operation(
        "PUT", "/v1/workspaces/{w}", workspaces.put, "platform", "putWorkspace",
        "Create a workspace, or change the given settings of one that exists.",
        {200: "Workspace", 201: "Workspace"}, headers=(_BEHALF,), body="WorkspaceSettings", problems=(404, 413, 415, 503),
    ),
    Operation(
        "PATCH", "/v1/workspaces/{w}", workspaces.changed, "platform", "changeWorkspace",
        "Change the given settings of a workspace. A suspended one refuses all calls at once.",
        {200: "Workspace"}, headers=(_BEHALF,), body="WorkspaceSettings", problems=(404, 413, 415, 503),
    ),
    Operation(
        "DELETE", "/v1/workspaces/{w}", workspaces.deleted, "platform", "deleteWorkspace",
        "Suspend a workspace and revoke its tokens; then, with 'purge', delete everything that it has.",
        {200: "WorkspaceEnd"}, query={"purge": FLAG}, headers=(_BEHALF,), problems=(404, 409, 503),
    ),
    Operation(
        "GET", "/v1/workspaces/{w}/tokens", workspaces.tokens, "platform", "listWorkspaceTokens",
        "List a workspace's tokens, newest first.",
        {200: "TokenList"}, query=_TOKENS, problems=(404, 503),
    ),
    Operation(
        "POST", "/v1/workspaces/{w}/tokens", workspaces.token_created, "platform", "createWorkspaceToken",
        "Create a token of a workspace. Only this response contains its text.",
        {201: "CreatedToken"}, headers=(_BEHALF,), body="NewToken", problems=(404, 413, 415, 503),
    ),
    Operation(
        "DELETE", "/v1/workspaces/{w}/tokens/{id}", workspaces.token_revoked, "platform", "revokeWorkspaceToken",
        "Revoke a token of a workspace.",
        {204: ""}, headers=(_BEHALF,), problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/workspaces/{w}/connections", workspaces.connections, "platform", "listWorkspaceConnections",
        "List a workspace's connections with their status, and the cure of those that fail.",
        {200: "ConnectionHealthList"}, query={**_CONNECTION_STATUS, "type": TEXT, "user": TEXT, **page(BY_KEY)}, problems=(404, 503),
    ),
    Operation(
        "POST", "/v1/workspaces/{w}/connect-sessions", connect_sessions.created, "platform", "createConnectSession",
        "Begin a connect session: a user of the platform opens its link and connects an account. Only this response contains the link.",
        {201: "CreatedConnectSession"}, headers=(_BEHALF,), body="NewConnectSession", problems=(404, 409, 413, 415, 422, 503),
    ),
    Operation(
        "GET", "/v1/workspaces/{w}/connect-sessions", connect_sessions.listed, "platform", "listConnectSessions",
        "List the connect sessions of the last week, those that last longest first.",
        {200: "ConnectSessionList"}, query=_SESSIONS, problems=(404, 503),
    ),
    Operation(
        "GET", "/v1/workspaces/{w}/connect-sessions/{id}", connect_sessions.shown, "platform", "showConnectSession",
        "Show how far a connect session has come.", {200: "ConnectSession"}, problems=(404, 503),
    ),
    Operation(
        "DELETE", "/v1/workspaces/{w}/connect-sessions/{id}", connect_sessions.cancelled, "platform", "cancelConnectSession",
        "End a connect session.", {204: ""}, headers=(_BEHALF,), problems=(404, 409, 503),
    ),
    Operation(
        "POST", "/v1/workspaces/{w}/connect-sessions/{id}:confirm", connect_sessions.confirmed, "platform", "confirmConnectSession",
        "Confirm which user came back with a session's proof. Only now the connection is made, and a provider's code is exchanged.",
        {200: "ConnectSession"}, headers=(_BEHALF,), body="ConnectConfirmation", problems=(404, 409, 412, 413, 415, 422, 502, 503, 504),
    ),
    Operation(
        "GET", "/v1/workspaces/{w}/usage", workspaces.used, "platform", "showWorkspaceUsage",
        "Show the calls, attempts, failures and refusals of a workspace, equal to its journal.",
        {200: "Usage"}, query={"from": _WHEN, "to": _WHEN, "by": {"type": "string", "enum": [*BY]}}, problems=(404, 503),
    ),
    *PLATFORM_CALLBACKS,
    Operation("GET", "/healthz", probes.healthy, None, "health", "Liveness: the process responds.", {200: "Healthy"}),
    Operation("GET", "/readyz", probes.ready, None, "readiness", "Readiness: requests are accepted.", {200: "Healthy"}, problems=(503,)),
    Operation("GET", "/metrics", probes.metrics, "read", "metrics", "Show the metrics for Prometheus.", {200: "text/plain"}),
    Operation(
        "GET", "/openapi.json", openapi.served, None, "openapi", "Show this document.", {200: "Schema", 304: ""},
        query={"connector": TEXT}, headers=("If-None-Match",), problems=(404,),
    ),
    Operation(
        "GET", "/asyncapi.json", asyncapi.served, None, "asyncapi", "Show the AsyncAPI document of what callbacks get.",
        {200: "Schema", 304: ""}, headers=("If-None-Match",),
    ),
    Operation(
        "GET", "/docs", openapi.docs, None, "docs", "Show this document as a web page.", {200: "text/html"},
        query={"connector": TEXT}, problems=(404,),
    ),
)  # fmt: skip
OPERATIONS = with_views(_OPERATIONS)
