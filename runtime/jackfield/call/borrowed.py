"""Calls over a connection of another connector: any path of its provider's API, under the rules of
both connectors.

An action that declares ``borrows`` (``http/request``) may be called over a stored connection of a
connector whose actions are bound to HTTP requests, its *lender*. This is off until an allow pattern
of the workspace names the action and the connection, without a wildcard. The lender supplies the
server and the sign-in. A request that fits an action of the lender obeys the rules for that action.
Any other request obeys the rules for the connector, with the effect of its method.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from jackfield.callers.rules import ANY_ACTION, Request
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import Detail, InvalidInput, UnknownConnection
from jackfield.kernel.gaps import with_gaps
from jackfield.kernel.pointers import pointer

if TYPE_CHECKING:
    from jackfield.call.admit import CallTarget, Targets
    from jackfield.call.reached import Asked
    from jackfield.call.waiter import Waiter
    from jackfield.callers import Authorizer
    from jackfield.catalog.installed import Catalog
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connections.named_connection import NamedConnection
    from jackfield.connector.actions import Action
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.kernel.bounded_cache import BoundedCache
    from jackfield.manifest.manifest import ActionManifest, Effect, Manifest

    Lenders = BoundedCache[tuple[str, str], "Bindings"]

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = frozenset({*_READS, "POST", "PUT", "PATCH", "DELETE"})
_REWRITING = re.compile(
    r".*methodoverride|.*method|.*(original|rewrite|override|request|rewritten)(url|uri|path)|.*pathoverride|xforwarded.*|forwarded|destination"
    r"|(x|real|original)*host"
)
"""Regular expression of header field names, reduced to letters and digits, that make servers use
another method, path or host than the request's.
"""
_OVERRIDES = re.compile(r"(x?http)?method(override)?|xmethodoverride")
"""Names of parameters, reduced to letters and digits, that replace the request's method if their
value is a method. For ``_method`` and variants, any value counts.
"""
_OTHER = re.compile(r"[^a-z0-9]+")
_PLAIN = frozenset({"method", "http_method", "httpmethod"})
"""Names of parameters that replace the method only if their value is a method."""
_LINKED = frozenset({"url", "link", "linkHeader"})
"""Kinds of pages whose next address the provider chooses. The rules judge only one address."""
_DECODINGS = 5
_END = re.compile(r"[?#\x00]")
"""Regular expression of the end of a path, also for a server that decodes the path first."""
_PARAMETER = re.compile(r"\{[^{}/]*\}")


def _find_lent(
    name: str,
    manifest: Manifest,
    connections: Connections,
    catalog: Catalog,
    authorizer: Authorizer,
) -> tuple[NamedConnection, Manifest] | None:
    """Return the connection called ``name`` and its connector if it may serve calls of other
    connectors and the caller may see it; else None.
    """
    try:
        stored = connections.find(name)
    except UnknownConnection:
        return None
    if manifest.connection_type(stored.type) is not None:
        return None
    lender = catalog.look(stored.type.partition("/")[0])[1]
    kind = None if lender is None else lender.connection_type(stored.type)
    if lender is None or kind is None or not kind.is_bound or lender.isolated:
        return None
    return (stored, lender) if authorizer.sees_connection(name, stored.type, [lender]) else None


async def find_over(
    asked: Asked,
    manifest: Manifest,
    action: ActionManifest,
    known: Connections,
    catalog: Catalog,
    authorizer: Authorizer,
    targets: Targets,
    lenders: Lenders,
) -> Loan | None:
    """Return the borrowed connection of a call that names a connection of another connector; None
    for any other call.

    :raises NotAllowed: without a pattern that names action and connection, or if a rule forbids the
        call or its request at the owner.
    """
    name, note = asked.invocation.connection, None if asked.row is None else asked.row.rule
    if not isinstance(name, str):  # values of the call's own are of the connector's own types
        return None
    look = partial(_find_lent, name, manifest, known, catalog, authorizer)
    lent = (
        await asked.how.waiter.call(look, inline_ok=known.answers_locally)
        if known.needs_store(name)
        else look()
    )
    if lent is None:
        return None
    (stored, lender), inputs = lent, asked.invocation.inputs
    own = Request(manifest.key, action.key, action.rule_effect, name)
    authorizer.require_named(own, f"'{name}' is a connection of '{lender.key}'", note)
    method, url = inputs.get("method", "GET"), inputs.get("url")
    bindings = lenders.get((lender.key, lender.version))
    if bindings is None or bindings.manifest is not lender:
        bindings = await asked.how.waiter.call(partial(_read, lender))
        lenders.put((lender.key, lender.version), bindings)
    judged = bindings.requests(method, url, name)
    requests = [own, *judged]
    for request in requests:
        authorizer.require(request, note)
    target = replace(targets.find(stored, lender), inputs={})
    asks = next(
        (sentence for request in requests if (sentence := authorizer.asks(request)) is not None),
        None,
    )
    return Loan(
        target, lender, (method, url), all(request.effect == "read" for request in judged), asks
    )


@dataclass(frozen=True, slots=True)
class _Bound:
    """HTTP binding of an action. ``path`` matches values without slashes, ``wide`` also values with
    slashes.
    """

    method: str
    action: str
    effect: Effect
    path: re.Pattern[str]
    wide: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Bindings:
    """HTTP bindings of a connector's actions."""

    manifest: Manifest
    rows: tuple[_Bound, ...]
    by_methods: bool
    """True if the API distinguishes requests by their methods. An API whose actions are all GET or
    POST, each at its own path, may run an action whatever the method is.
    """

    def requests(self, method: object, url: object, connection: str) -> list[Request]:
        """Return the request for the rules, once for each of the owner's actions that it may be, or
        once for any action. Its effect is that of its method or of the action, whichever is
        stronger.
        """
        key = self.manifest.key
        if not isinstance(method, str) or not isinstance(url, str):  # refused later, as inputs
            return [Request(key, ANY_ACTION, "write", connection)]
        known = self._matching(method, url)
        effect: Effect = "read" if method in _READS and (known or self.by_methods) else "write"
        if not known:
            return [Request(key, ANY_ACTION, effect, connection)]
        return [
            Request(key, row.action, one, connection)
            for row in known
            for one in {effect, row.effect}
        ]

    def _matching(self, method: str, url: str) -> list[_Bound]:
        """Return the actions as which the provider may interpret a request.

        Servers read paths differently: every way to decode, to drop empty segments, segment
        parameters and the ending is tried. A value may have slashes only if the path fits no action
        otherwise. If no action at the path has the method, a writing request may be any of the
        actions at the path. If methods do not distinguish actions, any request may.
        """
        paths, wanted = {*_readings(url)}, "GET" if method == "HEAD" else method
        there = [row for row in self.rows if _fits(row.path, paths)]
        found = [row for row in there if row.method == wanted]
        if not found and (wanted not in _READS or not self.by_methods):
            found = there
        return found or [
            row for row in self.rows if row.method == wanted and _fits(row.wide, paths)
        ]


def _read(lender: Manifest) -> Bindings:
    """Read the requests of a connector's actions. It is cached, since a connector may have a
    thousand actions, each read from a file.
    """
    bound = [
        (action, http)
        for action in lender.actions.values()
        if (http := action.content.row.get("http")) is not None
    ]
    rows = tuple(
        _Bound(
            http["method"],
            action.key,
            action.rule_effect,
            _pattern(http["path"], r"[^/]+?"),
            _pattern(http["path"], ".+?"),
        )
        for action, http in bound
    )
    places = {(http["method"], http["path"]) for _, http in bound}
    by_methods = bool({"PUT", "PATCH", "DELETE"} & {method for method, _ in places}) or len(
        {path for _, path in places}
    ) < len(places)
    return Bindings(lender, rows, by_methods)


def _pattern(path: str, value: str) -> re.Pattern[str]:
    parts = _PARAMETER.split(path.partition("?")[0].strip("/").casefold())
    return re.compile(with_gaps(parts, [value] * (len(parts) - 1)) + r"(?:\.[a-z0-9]{1,5})?")


def _fits(pattern: re.Pattern[str], paths: Iterable[str]) -> bool:
    return any(pattern.fullmatch(path) for path in paths)


def _readings(url: str) -> Iterator[str]:
    """Yield the paths, without slashes at their ends, that a server may read in a path and
    query.
    """
    text = _END.split(url)[0]
    for _ in range(_DECODINGS):
        segments = [part.partition(";")[0].strip() for part in text.replace("\\", "/").split("/")]
        yield "/".join(part for part in segments if part).casefold()
        if (decoded := unquote(text, "latin-1")) == text:
            return
        yield "/".join(
            unquote(part.partition(";")[0], "latin-1").replace("/", " ").strip()
            for part in text.split("/")
            if part
        ).casefold()
        text = _END.split(decoded)[0]


@dataclass(frozen=True, slots=True)
class Loan:
    """Borrowed connection: a connection of another connector, the *lender*, for one call, with the
    request that the rules have judged.
    """

    target: CallTarget
    lender: Manifest
    judged: tuple[object, object]
    """Method and URL, as given in the call."""
    reads: bool
    """True if the request only reads, by its method and by the declarations of the lender's
    actions.
    """
    asks: str | None
    """Sentence that names the rule by which the call waits for a person's approval; None if no rule
    requires an approval.
    """

    async def load(self, catalog: Catalog, waiter: Waiter) -> LoadedConnector:
        """Return the lender's code."""
        found: LoadedConnector = await waiter.call(
            partial(catalog.load, self.lender.key, None, self.lender.version)
        )
        return found

    def cautious(self, code: Action) -> Action:
        """Return the action with the effect ``write`` for every request that does more than read,
        since nobody has declared its effect.
        """
        weigh = code.effect_of if self.reads else None

        def effect_of(inputs: Any) -> Effect:
            return "read" if weigh is not None and weigh(inputs) == "read" else "write"

        return replace(code, effect_of=effect_of)

    def confirmed(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the valid inputs, with the effect of the request if the method alone promises
        less.

        :raises InvalidInput: with all faults at once, such as inputs that the rules have not judged
            or that make a server read another request.
        """
        faults = [*self._changed(inputs), *_rewriting(inputs)]
        if faults:
            count = "1 input is" if len(faults) == 1 else f"{len(faults)} inputs are"
            hint = (
                f"Over a connection of '{self.lender.key}', the rules judge the method and "
                "the path on its server as they are given."
            )
            raise InvalidInput(f"{count} not valid", details=faults, hint=hint)
        return inputs if self.reads or inputs.get("effect") else {**inputs, "effect": "write"}

    def _changed(self, inputs: Mapping[str, Any]) -> Iterator[Detail]:
        method, url = self.judged
        if inputs.get("method", "GET") != method:
            yield Detail("/method", "must be given as 'method'")
        if (
            inputs["url"] != url
            or not isinstance(url, str)
            or not url.startswith("/")
            or url.startswith("//")
        ):
            yield Detail("/url", "must be a path on the connection's server, such as /parcels")


def _rewriting(inputs: Mapping[str, Any]) -> Iterator[Detail]:
    """Yield the faults of inputs that make a server read another method, path or host."""
    named = inputs.get("idempotencyHeader")
    fields = [(pointer("headers", name), name) for name in inputs.get("headers") or ()]
    for place, name in [*fields, *([] if named is None else [("/idempotencyHeader", named)])]:
        if _REWRITING.fullmatch(_OTHER.sub("", name.lower())):
            yield Detail(
                place, "makes servers read another request than the one that the rules judge"
            )
    yield from _overriding(
        ("/url", name, value)
        for name, value in _pairs(inputs["url"].partition("#")[0].partition("?")[2])
    )
    for member in ("query", "form", "json"):
        if isinstance(found := inputs.get(member), Mapping):
            yield from _overriding(
                (pointer(member, name), name, value) for name, value in found.items()
            )
    parts = inputs.get("multipart") or ()
    yield from _overriding(
        (pointer("multipart", str(place)), part["name"], part.get("value"))
        for place, part in enumerate(parts)
    )
    if "form" in str(inputs.get("contentType") or "").lower():
        if inputs.get("file") is not None:
            yield Detail("/file", "hides the parameters of a form: give them as 'form'")
        yield from _overriding(
            ("/text", name, value) for name, value in _pairs(str(inputs.get("text") or ""))
        )
    pages = inputs.get("pages") or {}
    if pages.get("kind") in _LINKED:
        yield Detail(
            "/pages/kind",
            "follows addresses, which the rules cannot judge: use 'token', 'page', 'offset' or "
            "'lastId'",
        )
    yield from _overriding([("/pages/parameter", pages.get("parameter") or "", "GET")])


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return the parameters of a query or form. Semicolons separate, too, as on some servers."""
    return parse_qsl(text.replace(";", "&"), keep_blank_values=True)


def _overriding(parameters: Iterable[tuple[str, str, object]]) -> Iterator[Detail]:
    for place, name, value in parameters:
        lower, values = name.lower(), value if isinstance(value, list | tuple) else [value]
        if not _OVERRIDES.fullmatch(_OTHER.sub("", lower)):
            continue
        if lower not in _PLAIN or any(str(one).strip().upper() in _METHODS for one in values):
            yield Detail(
                place,
                f"'{name[:80]}' makes servers read another method than the one that the rules "
                "judge",
            )
