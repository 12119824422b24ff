"""``docs/reference/limits.md``: the limits of the runtime, with the values that the code has."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from generated.markdown import NOTICE, table

_TEXT = """# Limits

Every queue, cache, body, response and wait has a limit. Anything that exceeds one is refused with an error that states the limit. The
values below are read from the code."""

_GROUPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Invocations": (
        ("Size of an invocation, files included", "invocation.wire:MAX_BYTES", "bytes"),
        ("Nesting depth of JSON", "invocation.wire:MAX_DEPTH", "levels"),
        ("Values in JSON", "invocation.wire:MAX_VALUES", ""),
        ("Labels of an invocation", "invocation.request:MAX_LABELS", ""),
        ("Deadline, default", "invocation.request:DEFAULT_TIMEOUT", "seconds"),
        ("Deadline, maximum", "invocation.request:MAX_TIMEOUT", "seconds"),
        ("Validation errors listed", "kernel.errors:MAX_DETAILS", ""),
        ("Parts of a value that is searched for all its errors", "schema.sentences:MAX_PARTS", ""),
        ("Steps that a schema may take for one part of a value", "schema.cost:MAX_COST", ""),
        (
            "Steps for a whole value, where its schema takes more than 32",
            "schema.steps:MAX_STEPS",
            "",
        ),
        (
            "Integers beyond 64 bits in a value some of whose items must be unique",
            "schema.steps:MAX_LARGE",
            "",
        ),
        (
            "Comparisons of numbers beyond 64 bits or with fractions, in `enum`, `const`",
            "schema.steps:MAX_COMPARED",
            "",
        ),
        (
            "Text that a pattern with look-around or back-references judges",
            "kernel.patterns:MAX_LOOKAROUND",
            "characters",
        ),
        ("Squares of the lengths of such texts in one value", "kernel.patterns:MAX_SQUARES", ""),
        ("Text that a very large pattern judges", "kernel.patterns:MAX_LARGE", "characters"),
        ("Pages of one paginated call", "call.paging:MAX_PAGES", ""),
        ("Details of a provider's error", "kernel.errors:MAX_PROVIDER_DETAILS", "bytes"),
        ("Header field of a response that is parsed", "wire.head:MAX_PARSED", "characters"),
        ("Response that a connector reads", "connector.answers:MAX_ANSWER", "bytes"),
        ("Output, files aside", "connector.conversion:MAX_OUTPUT", "bytes"),
        (
            "Calls of actions in one process and workspace that still run after their deadline",
            "call.on_time:MOST",
            "",
        ),
    ),
    "Retries": (
        (
            "Attempts per action, or per page of a list; throttled attempts are not counted",
            "retry:TRIES",
            "",
        ),
        ("First wait before a retry, at most", "retry:BASE", "seconds"),
        ("Longest wait of the back-off; reached by throttling only", "retry:CAP", "seconds"),
    ),
    "Journal and queue": (
        (
            "Replay of a success under its idempotency key",
            "jackfield_store.journal.upkeep:KEY_KEPT",
            "seconds",
        ),
        (
            "Results on one page of the list, unless it has a single entry",
            "jackfield_store.journal.pages:PAGE_BYTES",
            "bytes",
        ),
        (
            "Retention of finished invocations, default",
            "jackfield_store.access.settings:RETENTION_DAYS",
            "days",
        ),
        (
            "Retention of an invocation in doubt after it was resolved",
            "jackfield_store.journal.upkeep:DOUBT_KEPT",
            "seconds",
        ),
        ("Renewal of a process's lease", "jackfield_store.journal.instance:RENEWED", "seconds"),
        (
            "Time without renewal after which a process counts as dead",
            "jackfield_store.journal.instance:LEASE",
            "seconds",
        ),
        ("Deliveries of a queued invocation", "jackfield_store.journal.recovery:DELIVERIES", ""),
        (
            "Missed slots of a schedule that are run (`all`), and slots that wait (`queue`)",
            "jackfield_service.subjects.schedules.policy:KEPT",
            "",
        ),
        (
            "Retention of the slots of a schedule",
            "jackfield_service.subjects.schedules.due:SLOTS_KEPT",
            "seconds",
        ),
    ),
    "Events": (
        (
            "Retention of events and of dead deliveries",
            "jackfield_service.subjects.events.retention:KEPT",
            "seconds",
        ),
        (
            "Events of one workspace; beyond that the oldest are deleted",
            "jackfield_service.subjects.events.retention:LARGEST",
            "bytes",
        ),
        (
            "Retention of deliveries that succeeded",
            "jackfield_service.subjects.events.retention:DELIVERED_KEPT",
            "seconds",
        ),
        (
            "Requests to one callback at once",
            "jackfield_service.subjects.callbacks.dispatcher:IN_FLIGHT",
            "",
        ),
        (
            "One attempt of a delivery",
            "jackfield_service.subjects.callbacks.sending:WITHIN",
            "seconds",
        ),
        (
            "Answer of a receiver that is read",
            "jackfield_service.subjects.callbacks.sending:MAX_ANSWER",
            "bytes",
        ),
        ("MCP servers of a workspace", "jackfield_store.management.mcp_servers:MOST", ""),
        ("OAuth clients of a workspace", "jackfield_store.management.oauth_clients:MOST", ""),
        (
            "Callbacks of a workspace, or of a platform",
            "jackfield_service.subjects.callbacks.callbacks:MOST",
            "",
        ),
        (
            "Output that a callback with `include` gets",
            "jackfield_service.subjects.callbacks.outputs:LARGEST",
            "bytes",
        ),
    ),
    "One workspace in one server process": (
        (
            "Readers that wait for events",
            "jackfield_service.shell.process.request_shares:READERS",
            "",
        ),
        (
            "Readers that wait for events, of one token",
            "jackfield_service.shell.process.request_shares:TOKEN_READERS",
            "",
        ),
        (
            "Reads (`GET`) served at once; others wait in line",
            "jackfield_service.shell.process.request_shares:READS",
            "",
        ),
        (
            "Time before a refusal that is one of more than 20 in a second",
            "jackfield_service.shell.process.request_shares:PENALTY",
            "seconds",
        ),
    ),
    "Connections and secrets": (
        (
            "Values of one stored connection",
            "jackfield_store.connections.connection_rows:LARGEST",
            "bytes",
        ),
        ("Connection file", "connections.documents:MAX_FILE", "bytes"),
        ("Documents in a connection file", "connections.document_limits:MAX_DOCUMENTS", ""),
        ("Values in a connection file", "connections.document_limits:MAX_VALUES", ""),
        (
            "File that a `$file` reference points to",
            "connections.secret_references:_MAX_FILE",
            "bytes",
        ),
        ("External secrets that a process caches", "connections.secret_references:LIMIT", ""),
        (
            "Time for which an external secret is cached",
            "connections.secret_references:LIFE",
            "seconds",
        ),
        ("Renewal of a lease before it expires", "connections.connection_cache:AHEAD", "seconds"),
    ),
    "Packages and catalogues": (
        ("Wheel", "jackfield_market.wheels:MAX_BYTES", "bytes"),
        ("Files of a wheel", "jackfield_market.wheels:MAX_FILES", ""),
        ("Files of a wheel together, unpacked", "jackfield_market.wheels:MAX_UNPACKED", "bytes"),
        ("Python file of a wheel", "jackfield_market.source_text:MAX_SOURCE", "bytes"),
        (
            "Words, marks and lines of a Python file of a wheel",
            "jackfield_market.source_text:MAX_TOKENS",
            "",
        ),
        ("Python files of a wheel together", "jackfield_market.source_text:MAX_SOURCES", "bytes"),
        ("Manifest, METADATA or RECORD of a wheel", "jackfield_market.wheels:MAX_PARSED", "bytes"),
        ("Attestation", "jackfield_market.attestations:MAX_BYTES", "bytes"),
        ("Connectors of one delegated role of a catalogue", "jackfield_market.registry:_SHELF", ""),
        ("Icon on a page of a catalogue", "jackfield_market.site.pages:_ICON", "bytes"),
        ("Text on a page of a catalogue, characters", "jackfield_market.site.markup:_LONGEST", ""),
        (
            "List or metadata file of a catalogue",
            "jackfield_market.installing.sources:LIST_BYTES",
            "bytes",
        ),
        ("Time of one download", "jackfield_market.installing.sources:DOWNLOAD_SECONDS", "seconds"),
        (
            "Downloads kept of a catalogue",
            "jackfield_market.installing.sources:CACHE_BYTES",
            "bytes",
        ),
        (
            "Resolution and download of dependencies",
            "jackfield_market.installing.environments:SECONDS",
            "seconds",
        ),
        (
            "Wait for another process that installs",
            "jackfield_market.installing.receipts:WAIT",
            "seconds",
        ),
    ),
    "Isolated connectors": (
        ("Address space of a process, default", "jackfield_isolation.program:MEMORY", "bytes"),
        (
            "CPU time of a process, then it is replaced",
            "jackfield_isolation.supervisor:_CPU_SECONDS",
            "seconds",
        ),
        ("Open files of a process", "jackfield_isolation.sandbox.limits:_FILES", ""),
        ("Calls that a process runs at once", "jackfield_isolation.program:THREADS", ""),
        ("Start of a process", "jackfield_isolation.supervisor:_START_SECONDS", "seconds"),
        (
            "Process without calls, then it is ended",
            "jackfield_isolation.supervisor:_IDLE_SECONDS",
            "seconds",
        ),
        (
            "Longest wait before a process that keeps dying is started again",
            "jackfield_isolation.supervisor:_LONGEST_DELAY",
            "seconds",
        ),
        ("Answer of a process", "jackfield_isolation.wire:LARGEST_ANSWER", "bytes"),
        ("Other message of a process", "jackfield_isolation.inbox:LARGEST_QUESTION", "bytes"),
        ("Messages of a process that wait", "jackfield_isolation.inbox:LARGEST_WAITING", "bytes"),
        ("Values in a large answer", "jackfield_isolation.wire:_MOST_VALUES", ""),
        (
            "Messages of a call that wait, besides its answer",
            "jackfield_isolation.inbox:LARGEST_QUESTIONS",
            "bytes",
        ),
        (
            "Messages about a call, besides files and its answer",
            "jackfield_isolation.shares:_LARGEST_FRAMES",
            "bytes",
        ),
        ("Warm processes, default", "jackfield_isolation.program:PROCESSES", ""),
        ("Leases of a connection", "jackfield_isolation.shares:MOST_LEASES", ""),
        ("Leases of a connection together", "jackfield_isolation.shares:LARGEST_LEASES", "bytes"),
        ("A lease or grant", "jackfield_isolation.shares:LARGEST_VALUE", "bytes"),
        (
            "Lines of a process's output that are logged, in ten seconds",
            "jackfield_isolation.lines:_LINES",
            "",
        ),
    ),
    "Console": (
        ("One-time sign-in link", "jackfield_store.access.sessions:LINK_LASTS", "seconds"),
        ("Idle session", "jackfield_store.access.sessions:IDLE", "seconds"),
        ("Session in total", "jackfield_store.access.sessions:LASTS", "seconds"),
    ),
    "Command line": (
        ("`--concurrency` of `jackfield invoke`", "cli.invoke:_MAX_CONCURRENCY", ""),
        (
            "`--concurrency` of `jackfield worker`, `--queue-workers`",
            "cli.quantities:MOST_AT_ONCE",
            "",
        ),
    ),
}
_OUTSIDE: tuple[tuple[str, tuple[str, str], tuple[str, str], tuple[str, str], str, str], ...] = (
    (
        "Invocation, and other bodies of API requests",
        ("invocation.wire:MAX_BYTES", "bytes"),
        ("invocation.wire:MAX_VALUES", ""),
        ("invocation.wire:MAX_DEPTH", ""),
        "before it is parsed",
        "400 `invalid_invocation`; 413 for bytes; 503 without room",
    ),
    (
        "Request of a provider to a webhook",
        ("manifest.triggers:LARGEST", "bytes"),
        ("invocation.wire:MAX_VALUES", ""),
        ("invocation.wire:MAX_DEPTH", ""),
        "before it is parsed",
        "413 or 400; no event",
    ),
    (
        "Response over HTTP: actions, polls, jobs, GraphQL",
        ("connector.answers:MAX_ANSWER", "bytes"),
        ("kernel.price:MAX_ANSWER_VALUES", ""),
        ("jackfield_http.parsing:MAX_DEPTH", ""),
        "while it is read, and again before it is parsed",
        (
            "`unavailable`, not retryable; a write is `in_doubt`. `http.request` returns a file, "
            "unless `response` is `json` or `text`"
        ),
    ),
    (
        "Error response over HTTP",
        ("jackfield_http.client:_ERROR_BODY", "bytes"),
        ("kernel.price:MAX_ANSWER_VALUES", ""),
        ("jackfield_http.parsing:MAX_DEPTH", ""),
        "while it is read",
        "the error of its status, without the provider's words",
    ),
    (
        "Response of a token endpoint",
        ("jackfield_http.oauth2:_LARGEST", "bytes"),
        ("kernel.price:MAX_ANSWER_VALUES", ""),
        ("jackfield_http.parsing:MAX_DEPTH", ""),
        "while it is read",
        "`unavailable`; nothing was sent",
    ),
    (
        "Response of AWS (JSON, XML, CBOR, event streams), STS included",
        ("connector.answers:MAX_ANSWER", "bytes"),
        ("kernel.price:MAX_ANSWER_VALUES", ""),
        ("", ""),
        "while it is read, and again before it is parsed; XML with a document type is refused",
        "`unavailable`, not retryable; a write is `in_doubt`; of STS, nothing was sent",
    ),
    (
        "Response of an isolated connector's process",
        ("jackfield_isolation.wire:LARGEST_ANSWER", "bytes"),
        ("jackfield_isolation.wire:_MOST_VALUES", ""),
        ("", ""),
        "before it is parsed",
        "the process is stopped; `unavailable` or `in_doubt`",
    ),
    (
        "Response of Vault",
        ("jackfield_vault.wire:_LARGEST", "bytes"),
        ("", ""),
        ("", ""),
        "while it is read",
        "`invalid_connection`: the reference cannot be resolved",
    ),
    (
        "Answer of a callback's receiver",
        ("jackfield_service.subjects.callbacks.sending:MAX_ANSWER", "bytes"),
        ("", ""),
        ("", ""),
        "while it is read; it is not parsed",
        "the rest is not read",
    ),
    (
        (
            "Answers of MySQL, PostgreSQL, Redis, IMAP, RabbitMQ and SFTP for one call, the "
            "sign-in included"
        ),
        ("connector.timed_socket:MOST_ANSWER", "bytes"),
        ("", ""),
        ("", ""),
        "while they arrive, before a library has them",
        "`rejected`; a write is `in_doubt`",
    ),
    (
        "Values of the rows of MySQL and PostgreSQL that one call returns, NULL included",
        ("", ""),
        ("jackfield_sql.rows:MOST_VALUES", ""),
        ("", ""),
        "while they arrive",
        "the rest is left out: `truncated`",
    ),
    (
        "Packet of SSH before there are keys",
        ("jackfield_sftp.session:LONGEST", "bytes"),
        ("", ""),
        ("", ""),
        "as it is announced",
        "`rejected`; nothing was sent",
    ),
    (
        "Line of a reply of SMTP (a reply has at most 100)",
        ("jackfield_aws_ses.smtp.session:MAX_LINE", "bytes"),
        ("", ""),
        ("", ""),
        "while it is read",
        "`unavailable`; a message that was sent is `in_doubt`",
    ),
    (
        "List or metadata of a catalogue",
        ("jackfield_market.installing.sources:LIST_BYTES", "bytes"),
        ("jackfield_market.installing.sources:LIST_VALUES", ""),
        ("", ""),
        "before it is parsed, and before its signature is checked",
        "the rule `metadata`; nothing is installed",
    ),
    (
        "OpenAPI document",
        ("jackfield_openapi.reading:MAX_BYTES", "bytes"),
        ("jackfield_openapi.reading:MAX_VALUES", ""),
        ("jackfield_openapi.reading:MAX_DEPTH", ""),
        "before it is parsed; schemas before they are compiled",
        "`invalid_input`; an action whose inputs are too costly is left out and reported",
    ),
)
"""Documents, with the places of their limits: bytes, values, levels; where they are judged, and
what happens beyond them.
"""
_OUTSIDE_TEXT = """Whatever comes from outside has a price that is known before it is parsed: its bytes, its values and its depth.
30 MB of empty lists are 30 kB as gzip and would take 1.5 GB once parsed. A document of fewer bytes than it may have values is not
counted at all."""
_ROOM_TEXT = """The responses of all calls in a process share a budget of {room}, or what the process's memory allows, as
[request bodies do](../tutorial/shortage.md#when-a-process-runs-out-of-something). A call reserves {reserved} of it before its first
request, and more while a larger response is read: its bytes; and before it is decoded or parsed, its text as wide as Python will
hold it, {value} bytes for each value and {object} more for each object. The output, its record and what is sent to the caller are copies
that are not counted: 30 MB of text took 210 MB at the peak of its call. A workspace may hold
as much as is still free for the others: alone at most half, two a third each. A call without room is refused before anything is sent
(`unavailable`, retryable, and repeated within its deadline). A response without room is refused after its request was sent, so that a
write is `in_doubt`."""
_ELSEWHERE = """Other limits are documented elsewhere: those on HTTP requests (bodies, headers, connections, rates) in [HTTP
API](http-errors.md#error-responses), those on files in [Files](http.md#files), and those that depend on a process's memory in
[When a process runs out of something](../tutorial/shortage.md#when-a-process-runs-out-of-something)."""


def page() -> str:
    """The page."""
    parts = [NOTICE, _TEXT]
    for title, rows in _GROUPS.items():
        parts += [f"## {title}", table(("limit", "value"), _rows(rows))]
    return "\n\n".join([*parts, *_outside(), _ELSEWHERE]) + "\n"


def _outside() -> Iterable[str]:
    """The section about documents from outside."""
    head = ("document", "bytes", "values", "levels", "judged", "beyond it")
    rows = (
        (name, *(_found(*place) if place[0] else "" for place in places), where, seen)
        for name, *places, where, seen in _OUTSIDE
    )
    yield from ("## Documents from outside", _OUTSIDE_TEXT, table(head, rows))
    room, reserved = (
        _found(f"connector.room:{name}", "bytes") for name in ("ANSWERS_ROOM", "RESERVED")
    )
    values = (_found(f"connector.room:{name}", "") for name in ("VALUE", "OBJECT"))
    yield _ROOM_TEXT.format(
        room=room, reserved=reserved, **dict(zip(("value", "object"), values, strict=True))
    )


def _found(place: str, unit: str) -> str:
    module, _, name = place.partition(":")
    return _value(
        getattr(
            importlib.import_module(
                module if module.startswith("jackfield_") else f"jackfield.{module}"
            ),
            name,
        ),
        unit,
    )


def _rows(rows: Iterable[tuple[str, str, str]]) -> Iterable[tuple[str, str]]:
    for meaning, place, unit in rows:
        yield meaning, _found(place, unit)


def _value(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 2**20:g} MiB" if value >= 2**20 else f"{value / 2**10:g} KiB"
    if unit == "seconds":
        for size, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
            if value >= 2 * size and value % size == 0:
                return f"{value / size:g} {name}"
        return "1 hour" if value == 3600 else f"{value:g} s"
    return f"{value:,} {unit}".strip()
