"""``docs/reference/python.md`` and the pages of the connector API: classes and functions, from
their signatures and docstrings.
"""

from __future__ import annotations

import ast
import enum
import inspect
from collections.abc import Iterable, Iterator
from itertools import pairwise
from types import ModuleType
from typing import Any

import jackfield
import jackfield_http
from generated.markdown import NOTICE, block
from generated.prose import markdown, signature, summary
from jackfield import connector
from jackfield.connector import answers, context, evidence
from jackfield.connector.manifests import unwrapped
from jackfield.invocation import Meta
from jackfield.invocation.returned_files import ReturnedFile
from jackfield.kernel import price
from jackfield.wire import guard
from jackfield_market import testing
from jackfield_store.management.connections import ManagedConnections
from jackfield_store.management.visible_journal import SeenJournal

_PYTHON = """# Python API

`from jackfield import Jackfield` is all that a caller needs; [`jackfield.connections`](python-connections.md) and
[what it takes and returns](python-results.md) have pages of their own. [Send your first email](../tutorial/callers.md#from-python) has
examples.
[Errors](errors.md#in-python) lists the exception classes, [Limits](limits.md) the limits."""

_RESULTS = """# Python API: Results

What [`Jackfield`](python.md) takes and returns: invocations, Results with their files, and the entries of the journal."""

_CONNECTOR = """# Connector API

Everything that a connector imports comes from `jackfield.connector`. This page describes its declarations, except for
[inputs and outputs](connector-models.md) and [connection types](connector-connections.md); [Connector API: calls](connector-calls.md),
[wire](connector-wire.md) and
[errors](connector-errors.md) describe the rest, which it uses at run time.
[Write an HTTP connector](../tutorial/http-connectors.md) introduces them
step by step, and [the conformance rules](conformance.md) check their use."""

_MODELS = """# Connector API: inputs and outputs

Classes from which the inputs and outputs of actions are made. [Connector API](connector-api.md) has the connector itself."""

_TYPES = """# Connector API: connection types

Classes that declare how a connection signs in and is tested, among them those of [OAuth 2.0](../tutorial/oauth2.md). [Connector
API](connector-api.md) has the other declarations, such as the fields of a connection type."""

_CALLS = """# Connector API: calls

Classes and functions that a connector uses while a connection is opened and an action runs: the attempt, the context and files.
[Connector API](connector-api.md) has its declarations, [Connector API: wire](connector-wire.md) the guard, and
[Connector API: errors](connector-errors.md) the errors that it reports."""

_PACING = """# Connector API: pacing

Classes by which a connector says how fast its provider may be called: a fixed rate, or a budget that is read from the provider."""

_EVIDENCE = """# Connector API: evidence

Classes by which an action says how the provider is asked what became of a call whose answer was lost:
[Doubts that evidence settles](../tutorial/doubts.md)."""

_TRIGGERS = """# Connector API: triggers

Classes and functions of [triggers](../tutorial/triggers.md): webhooks that a provider sends, and lists that are polled."""

_WIRE = """# Connector API: wire

HTTP/1.1 over pooled connections, for connectors that send requests themselves, and the guard, which every connector asks: deadlines
and the exact knowledge of what was sent are those of the runtime. [Connector API: calls](connector-calls.md) has the attempt that a
request belongs to."""

_ERRORS = """# Connector API: errors

How a connector reports failures. [What sent means](../tutorial/sent.md) explains the argument that decides on retries, and
[Errors](errors.md) what callers see."""

_HTTP = """# HTTP library

Connectors of HTTP APIs import from `jackfield_http` (the package `jackfield-http`): a client for one attempt, and responses.
[Write an HTTP connector](../tutorial/http-connectors.md) introduces them step by step; [HTTP library: lists](http-library-lists.md) has
lists in pages.
[HTTP library: connection types](http-library-connections.md) has how connections sign in. `VERSION` is the package's version.
[HTTP library: errors and jobs](http-library-errors.md) has the error map."""

_HTTP_LISTS = """# HTTP library: lists

Lists that a provider returns in pages. [HTTP library](http-library.md) has the client that fetches them."""

_HTTP_ERRORS = """# HTTP library: errors and jobs

What the responses of an HTTP API mean, and how a job is polled. [HTTP library](http-library.md) has the client and its responses,
[Connector API: errors](connector-errors.md) the errors that a row of the map names."""

_HTTP_SIGN_INS = """# HTTP library: sign-ins

What a connection type's `sign_in` returns: it adds credentials to the requests to the connection's own server.
[HTTP library: connection types](http-library-connections.md) has the connection types."""

_HTTP_TYPES = """# HTTP library: connection types

Connection types of `jackfield_http`. A connector takes one as it is, or derives from it and sets class attributes.
[HTTP library](http-library.md) has the client that they open, [HTTP library: sign-ins](http-library-sign-ins.md) what they return,
[OAuth 2.0](../tutorial/oauth2.md) how accounts are connected."""

_TESTING = """# Testing API

Everything that the tests of a connector import comes from `jackfield.testing`; the extra `testing` installs what it needs.
[Test a connector](../tutorial/testing.md) shows it at work, and [the conformance rules](conformance.md) are what `Conformance` runs.

pytest loads the plugin by itself. It provides the fixture `harness`, a `Harness` for the project of the test's file, and the option
`--record [CONNECTION]`."""

_FAILURES = {"Detail", "JackfieldError", "Provider", "Sent", "exhausted"}
"""What a connector uses to report failures."""

_CONNECTIONS = """# Python API: connections

`jackfield.connections` manages the workspace's connections. [Connections](connections.md#the-database) has examples."""

_AT_RUN = {
    "Answered",
    "Call",
    "Clock",
    "Deadline",
    "Detail",
    "JackfieldError",
    "OpenContext",
    "OutputFile",
    "Provider",
    "Sent",
    "StreamedFile",
    "current_call",
    "exhausted",
    "file_name",
    "parsable_field",
}
"""What a connector uses at run time; the rest of the API declares."""

_OF_WIRE = {
    "ANYWHERE",
    "Guard",
    "MAX_ANSWER",
    "MAX_ANSWER_VALUES",
    "Reply",
    "Target",
    "TooCostly",
    "Wire",
    "WireFault",
    "WireSettings",
    "bounded_answer",
    "check_price",
    "whole_answer",
}
"""What sends requests, and guards them, on a page of its own."""

_OF_MODELS = {"Field", "File", "Inputs", "Option", "Output", "Pagination", "Progress"}
"""What inputs and outputs consist of, on a page of their own."""

_OF_EVIDENCE = {
    "Absent",
    "Canary",
    "EventEvidence",
    "FRESH",
    "KEY",
    "Look",
    "MARKER",
    "Marker",
    "Record",
    "RecordEvidence",
    "SENT_FROM",
    "SENT_UNTIL",
    "When",
}
_OF_PACING = {"Budget", "Limits", "RateLimit", "Warmup"}
"""What says how fast a provider may be called, on a page of its own."""

_OF_TRIGGERS = {
    "Forged",
    "Gone",
    "Hook",
    "HookRequest",
    "Item",
    "Listed",
    "Malformed",
    "Needs",
    "Outcome",
    "Polled",
    "Received",
    "Registered",
    "Since",
    "TriggerEvent",
    "Unfinished",
    "SecretPath",
    "SharedToken",
    "Signature",
    "Webhook",
    "check_signature",
    "scheme_of",
}
"""What triggers take and return, on a page of their own."""

_OF_TYPES = {
    "Account",
    "Authorization",
    "ConnectionType",
    "DeviceAuthorization",
    "Grant",
    "Grants",
    "Minted",
    "Serves",
    "Step",
}
"""What connection types consist of and return, on a page of their own."""

_OF_HTTP_TYPES = {
    "ApiKey",
    "AwsSigV4",
    "BasicLogin",
    "BearerToken",
    "HttpConnection",
    "MutualTls",
    "OAuth2AuthorizationCode",
    "OAuth2ClientCredentials",
    "OpenIdConnect",
}
"""Connection types of the HTTP library, on a page of their own."""

_OF_HTTP_SIGN_INS = {
    "Fixed",
    "LeasedToken",
    "SignIn",
    "Together",
    "basic",
    "fetch_token",
    "in_cookie",
    "in_header",
    "in_query",
}
"""What connection types of the HTTP library return, on a page of their own."""

_OF_HTTP_LISTS = {"Page", "PageInputs", "Pages"}
"""What lists in pages are fetched with, on a page of their own."""

_OF_HTTP_ERRORS = {"AWS_HTTP_ERRORS", "HTTP_ERRORS", "HttpErrors", "Job", "Refusal", "Row"}
"""What failures and jobs of an HTTP API are described by, on a page of their own."""

_HIDDEN = {
    "begin",
    "function_calls",
    "arun",
    "cancel_here",
    "drained",
    "connections_of",
    "catalog_of",
    "acting_as",
    "pause",
    "play",
    "reading",
    "settle",
    "parts",
    "uses",
    "samples",
    "open_counts",
}
"""What surfaces and workers use of the façade, and the loopback server of its provider; callers do
not.
"""


def python_api() -> str:
    """The page of the API of callers."""
    return _page([NOTICE, _PYTHON, *_class("Jackfield", jackfield.Jackfield)])


def python_results() -> str:
    """The page of what the façade takes and returns."""
    parts = [NOTICE, _RESULTS]
    for name in ("Invocation", "Result"):
        parts += _class(name, getattr(jackfield, name))
    others = {
        "SeenJournal": SeenJournal,
        "ReturnedFile": ReturnedFile,
        "Meta": Meta,
        "InvocationFailed": jackfield.InvocationFailed,
        "once": jackfield.once,
    }
    return _page(
        [*parts, *(part for name, found in others.items() for part in _class(name, found))]
    )


def python_connections() -> str:
    """The page of ``jackfield.connections``."""
    return _page([NOTICE, _CONNECTIONS, *_class("connections", ManagedConnections, title=False)])


def connector_api() -> str:
    """The page of what authors declare."""
    declared = set(connector.__all__) - _OF_EVIDENCE
    return _page(
        [
            NOTICE,
            _CONNECTOR,
            *_named(
                sorted(
                    declared
                    - _AT_RUN
                    - _OF_TYPES
                    - _OF_WIRE
                    - _OF_TRIGGERS
                    - _OF_PACING
                    - _OF_MODELS
                )
            ),
        ]
    )


def connector_models() -> str:
    """The page of inputs and outputs."""
    return _page([NOTICE, _MODELS, *_named(sorted(_OF_MODELS))])


def connector_pacing() -> str:
    """The page of pacing."""
    return _page([NOTICE, _PACING, *_named(sorted(_OF_PACING))])


def connector_evidence() -> str:
    """The page of evidence."""
    return _page([NOTICE, _EVIDENCE, *_named(sorted(_OF_EVIDENCE))])


def connector_triggers() -> str:
    """The page of triggers."""
    return _page([NOTICE, _TRIGGERS, *_named(sorted(_OF_TRIGGERS))])


def connector_connections() -> str:
    """The page of connection types."""
    return _page([NOTICE, _TYPES, *_named(sorted(_OF_TYPES))])


def connector_calls() -> str:
    """The page of what a connector uses while it opens and runs."""
    return _page([NOTICE, _CALLS, *_named(sorted(_AT_RUN - _FAILURES))])


def connector_wire() -> str:
    """The page of what sends requests."""
    return _page([NOTICE, _WIRE, *_named(sorted(_OF_WIRE))])


def connector_errors() -> str:
    """The page of how a connector reports failures."""
    shared = [name for name in connector.__all__ if _is_error(getattr(connector, name))]
    lines = [
        (
            f"- `{name}` (`{getattr(connector, name).code}`): "
            f"{summary(getattr(connector, name).__doc__ or '')}"
        )
        for name in shared
    ]
    parts = [
        NOTICE,
        _ERRORS,
        *_named(sorted(_FAILURES)),
        "## Error classes",
        "Each takes the arguments of `JackfieldError`.",
    ]
    return _page([*parts, "\n".join(lines)])


def http_library() -> str:
    """The page of what HTTP connectors send requests with."""
    elsewhere = _OF_HTTP_TYPES | _OF_HTTP_SIGN_INS | _OF_HTTP_LISTS | _OF_HTTP_ERRORS | {"VERSION"}
    return _page(
        [
            NOTICE,
            _HTTP,
            *_named(sorted({*jackfield_http.__all__} - elsewhere, key=str.lower), jackfield_http),
        ]
    )


def http_library_lists() -> str:
    """The page of lists in pages."""
    return _page(
        [NOTICE, _HTTP_LISTS, *_named(sorted(_OF_HTTP_LISTS, key=str.lower), jackfield_http)]
    )


def http_library_errors() -> str:
    """The page of the error map and of jobs."""
    return _page(
        [NOTICE, _HTTP_ERRORS, *_named(sorted(_OF_HTTP_ERRORS, key=str.lower), jackfield_http)]
    )


def http_library_sign_ins() -> str:
    """The page of what connection types return."""
    return _page(
        [NOTICE, _HTTP_SIGN_INS, *_named(sorted(_OF_HTTP_SIGN_INS, key=str.lower), jackfield_http)]
    )


def http_library_connections() -> str:
    """The page of the connection types of HTTP connectors."""
    return _page(
        [NOTICE, _HTTP_TYPES, *_named(sorted(_OF_HTTP_TYPES, key=str.lower), jackfield_http)]
    )


def testing_api() -> str:
    """The page of what the tests of a connector use."""
    names = [name for name in testing.__all__ if not name.isupper()]
    return _page([NOTICE, _TESTING, *_named(sorted(names, key=str.lower), testing)])


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _named(names: Iterable[str], module: ModuleType = connector) -> Iterator[str]:
    for name in names:
        value = getattr(module, name)
        if _is_error(value):
            continue
        if isinstance(value, type):
            yield from _class(name, value)
        elif callable(value) and not isinstance(value, connector.Guard):
            yield from (f"## {name}", block(signature(name, value), "text"), markdown(value))
        elif module is jackfield_http:  # an error map: its value is what its class says
            yield from (f"## {name}", f"`{type(value).__name__}`. {markdown(value)}")
        else:
            yield from (f"## {name}", _constant(name, value))


def _is_error(value: object) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, connector.JackfieldError)
        and value is not connector.JackfieldError
    )


def _constant(name: str, value: object) -> str:
    """Return the text below the constant's definition, after its value if that is a number."""
    for module in (answers, context, evidence, guard, price):
        for node, below in pairwise(ast.parse(inspect.getsource(module)).body):
            target = (
                node.targets[0]
                if isinstance(node, ast.Assign)
                else node.target
                if isinstance(node, ast.AnnAssign)
                else None
            )
            if target is not None and ast.unparse(target) == name and isinstance(below, ast.Expr):
                text = unwrapped(str(ast.literal_eval(below.value)))
                return f"`{value:,}`. {text}" if isinstance(value, int) else text
    raise LookupError(name)


def _class(name: str, kind: type, *, title: bool = True) -> Iterator[str]:
    if title:
        yield f"## {name}"
    if issubclass(kind, enum.Enum):
        yield markdown(kind)
        yield "\n".join(f"- `{name}.{item.name}`" for item in kind)
        return
    plain = issubclass(kind, Exception) and kind is not connector.JackfieldError
    if (
        title
        and not plain
        and not getattr(kind, "_is_protocol", False)
        and not hasattr(kind, "model_fields")
    ):
        yield block(signature(name, kind), "text")
    yield markdown(kind)
    if plain:
        return
    if name in _OF_HTTP_TYPES:
        yield _attributes(kind)
    for member, value in _members(kind):
        if name in _OF_HTTP_TYPES and member not in vars(kind):
            continue  # inherited, and described with its base
        text = markdown(value)
        if isinstance(value, property):
            yield f"#### {member}"
        else:
            yield f"#### {member}()"
            yield f"`{signature(member, value)}`"
        yield text


def _attributes(kind: type) -> str:
    """Return a list of the class attributes that a connection type sets, and of the values that its
    connections have.
    """
    given = [
        (name, value)
        for name, value in vars(kind).items()
        if name in getattr(kind, "__class_vars__", ())
    ]
    bases = [
        base.__name__
        for base in kind.__bases__
        if base.__name__ in {"HttpConnection", "ConnectionType", "OAuth2AuthorizationCode"}
    ]
    lines = [f"- Derives from `{base}`." for base in bases]
    lines += [
        f"- Class attribute `{name} = {value!r}`"
        for name, value in given
        if isinstance(value, str | int | bool | None)
    ]
    own = [
        (field.alias or name, field)
        for name, field in getattr(kind, "model_fields", {}).items()
        if name in kind.__annotations__
    ]
    return "\n".join(
        [*lines, *(f"- Value `{name}`: {field.description or field.title}" for name, field in own)]
    )


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class itself, or a base of ours, defines with a
    docstring.
    """
    seen: set[str] = set()
    for base in kind.__mro__:
        if not base.__module__.startswith("jackfield"):
            continue
        for name, raw in vars(base).items():
            value = raw.__func__ if isinstance(raw, classmethod | staticmethod) else raw
            if (
                name.startswith("_")
                or name in seen
                or _is_hidden(kind, name)
                or not _documented(value)
            ):
                continue
            seen.add(name)
            yield name, value


def _is_hidden(kind: type, name: str) -> bool:
    return name in _HIDDEN and not kind.__module__.startswith("jackfield.connector")


def _documented(value: object) -> bool:
    return (inspect.isfunction(value) or isinstance(value, property)) and bool(value.__doc__)
