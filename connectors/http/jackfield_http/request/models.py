"""Inputs and outputs of the actions ``request`` and ``graphql``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer
from pydantic.alias_generators import to_camel

from jackfield.connector import Detail, Field, Inputs, InvalidInput, Output, StreamedFile, pointer
from jackfield.connector.evidence import (
    LEAST_ABSENT,
    MAX_LOOKING,
    MAX_LOOKS,
    EvidenceFault,
    placeholders,
)
from jackfield.connector.given_evidence import IN_TEXT, GivenEvidence, GivenMarker
from jackfield.manifest.manifest import Effect
from jackfield_http.bindings.error_rows import failing
from jackfield_http.downloads import Download
from jackfield_http.errors import Failed
from jackfield_http.headers import FRAMING, field, folded
from jackfield_http.list_declarations import Kind
from jackfield_http.list_ends import End, ends_of
from jackfield_http.paging import PageInputs, Pages
from jackfield_http.urls import UrlError, parse_url

Method = Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
_EFFECTS: Mapping[Method, Effect] = {
    "GET": "read",
    "HEAD": "read",
    "OPTIONS": "read",
    "PUT": "idempotent",
    "DELETE": "idempotent",
    "POST": "write",
    "PATCH": "write",
}
_CAUTION: tuple[Effect, ...] = ("read", "idempotent", "write")
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})
_KINDS: Mapping[str, Kind] = {
    "number": "page",
    "link": "linkHeader",
    **{kind: kind for kind in get_args(Kind)},
}
_CHOOSE_NOTHING = frozenset(
    {
        "accept",
        "accept-language",
        "content-language",
        "content-type",
        "idempotency-key",
        "prefer",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-correlation-id",
        "x-request-id",
    }
)
"""Header fields that do not select an account. Any other field may select one, so a read without
this field may search another account.
"""
_MAP = {"maxProperties": 200}
_FEW = {"maxProperties": 20}
_POINTER = {"pattern": "^(/[^/]*)*$"}
_AFTER_SERVER = re.compile(r"[/?#]")
_MOST_EVIDENCE = 3000
"""Maximum size of evidence as JSON, in bytes: with the other facts of a doubt it must fit into a
call's stored data.
"""
PLACED = GivenMarker(
    values=("json", "form", "query"), texts=("url", "headers"), keyed="idempotencyHeader"
)
"""Places of the marker in a request."""
GIVEN = GivenEvidence(
    "request", {"method": "GET", "response": "json"}, within="/body", rules=("failed",)
)
"""Evidence that the caller gives."""
_STATUS = {"items": {"type": "integer", "minimum": 100, "maximum": 599}, "maxItems": 50}


class _Closed(BaseModel):
    """Object within the inputs."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        extra="forbid",
        frozen=True,
    )


class FormPart(_Closed):
    """Field or file of a multipart body."""

    name: str = Field(
        title="Name",
        description="The name of the field.",
        schema={"minLength": 1, "maxLength": 1000},
    )
    value: str | None = Field(None, title="Value", description="The text of the field.")
    file: StreamedFile | None = Field(None, title="File", description="The file of the field.")
    filename: str | None = Field(
        None, title="File Name", description="The name of the file; by default that of the field."
    )


class EndCodes(_Closed):
    """Status with several meanings, and the provider's codes for the end of a list."""

    status: int = Field(
        title="Status",
        description="HTTP status, such as 400.",
        schema={"minimum": 100, "maximum": 599},
    )
    codes: tuple[str, ...] = Field(
        title="Codes",
        description="Codes by which the provider says that there is no such page.",
        schema={"minItems": 1, "maxItems": 50},
    )


class Paging(_Closed):
    """Way in which the response shows that a list continues."""

    kind: Kind | Literal["number", "link"] = Field(
        title="Kind",
        description="How the next page is asked for: by the 'token' or the 'url' that a response "
        "names, the number of a 'page', an "
        "'offset', the 'linkHeader' of a response, or the 'lastId' of its items. Formerly: "
        "'number' for 'page', 'link' for 'linkHeader'.",
    )
    items: str = Field(
        "",
        title="Items",
        description="JSON Pointer of the list in a response; empty if the response is the list. A "
        "first page that lacks it and has other "
        "lists is an error, which names these.",
    )
    parameter: str = Field(
        "",
        title="Parameter",
        description="The query parameter for the token, number, offset or ID.",
    )
    next: str = Field(
        "",
        title="Next",
        description="JSON Pointer of the next token or URL in a response, or of the ID in an item.",
    )
    more: str | None = Field(
        None,
        title="More",
        description=(
            "JSON Pointer of a member that is false on the last page. Where it is neither "
            "yes nor no, the list is not complete."
        ),
    )
    last: str | None = Field(
        None,
        title="Last",
        description=(
            "JSON Pointer of a member that is true on the last page, such as /isLast, if "
            "there is no such member as 'more'."
        ),
    )
    header: str = Field(
        "",
        title="Header",
        description=(
            "For 'token': the header field of a response that has the next token, such as "
            "X-Next-Page, in place of 'next'."
        ),
        schema={"maxLength": 200},
    )
    first: int = Field(1, title="First Page", description="The number of the first page.")
    under: str | None = Field(
        None,
        title="Under",
        description="Path on the connection's server below which pages may be, if a list goes on "
        "at another path than its own. Only a "
        "'nextToken' that is passed back needs it: what the server names while all pages are "
        "fetched is followed.",
        schema={"pattern": "^/", "maxLength": 1000},
    )
    ends: tuple[int | EndCodes, ...] = Field(
        (),
        title="End Statuses",
        description="Statuses of a page after the first that mean that the list has ended, such "
        "as 404. A client error other than 404, 410 "
        "and 416 needs the provider's codes.",
        schema={"maxItems": 50},
    )

    def declared(self) -> Pages:
        """Return the declaration.

        :raises ValueError: if the list would end after its first page, or never.
        """
        kind = _KINDS[self.kind]
        first = self.first if kind == "page" else 0
        told: dict[str, Any] = {
            "under": self.under,
            "ends": self._ends,
            "last": self.last,
            "header": self.header,
        }
        return Pages(kind, self.items, self.parameter, self.next, self.more, first=first, **told)

    @property
    def _ends(self) -> tuple[End, ...]:
        return ends_of(
            one if isinstance(one, int) else {"status": one.status, "codes": one.codes}
            for one in self.ends
        )


class FailedRule(_Closed):
    """Member by which a response with a success status reports a failure."""

    member: str = Field(
        title="Member",
        description="JSON Pointer of the member, such as /errors.",
        schema={"pattern": "^/", "maxLength": 1000},
    )
    equals: str | float | bool | None = Field(
        None,
        title="Equals",
        description=(
            "The value that means failure. Without it, any member that is not empty, false "
            "or 0 does."
        ),
    )

    def declared(self) -> Failed:
        """Return the function that finds the failure in a response."""
        return failing(
            {"member": self.member} | ({} if self.equals is None else {"equals": self.equals})
        )


class EvidenceWhen(_Closed):
    """Members of an object that say whether the request succeeded or failed."""

    took: dict[str, Any] = Field(
        {},
        title="Took",
        description=(
            "Its members, by JSON Pointer, with the value or the values that mean success; "
            "null: not there."
        ),
        schema=_FEW,
    )
    refused: dict[str, Any] = Field(
        {},
        title="Refused",
        description=(
            "Its members with the value or the values that mean failure. Any other value is "
            "no verdict."
        ),
        schema=_FEW,
    )
    code: str | None = Field(
        None,
        title="Code",
        description="JSON Pointer to the code of a failure's error.",
        schema=_POINTER,
    )
    message: str | None = Field(
        None, title="Message", description="JSON Pointer to its message.", schema=_POINTER
    )


class EvidenceAbsent(_Closed):
    """Answer that says that the object does not exist."""

    status: tuple[int, ...] = Field(
        (), title="Status", description="HTTP statuses, such as 404; never 410.", schema=_STATUS
    )
    code: tuple[str, ...] = Field(
        (), title="Code", description="Codes of the server's own.", schema={"maxItems": 20}
    )


class RequestEvidence(_Closed):
    """Read that finds the outcome of a write whose answer was lost."""

    url: str = Field(
        title="URL",
        description="What is read by a GET: a path on the connection's server, or a URL on the "
        "server of the request. '{marker}' in it "
        "stands for the marker of the request, '{fresh}' for a text that is new with each read, in "
        "a parameter that the server ignores.",
        schema={"minLength": 1, "maxLength": 1000},
    )
    pointer: str = Field(
        title="Pointer",
        description=(
            "JSON Pointer to the marker in what is read, such as /externalId: in each thing "
            "of a list, if 'each' is given."
        ),
        schema={**_POINTER, "maxLength": 200},
    )
    equals: Any = Field(
        None,
        title="Equals",
        description='What is there if the request took effect; by default the marker, {"$marker": '
        '{}}. {"$marker": {"text": '
        '"order-{marker}"}} is a text with it, {"$key": {}} the idempotency key, which proves '
        "nothing if it is the caller's.",
    )
    each: str | None = Field(
        None,
        title="Each",
        description="JSON Pointer to the list in what is read; '' if it is the list.",
        schema={**_POINTER, "maxLength": 200},
    )
    looks: tuple[float, ...] = Field(
        (),
        title="Looks",
        description="Seconds after the doubt at which it is read; by default 5, 30, 300 and 3,600.",
        schema={
            "items": {"type": "number", "minimum": 1, "maximum": MAX_LOOKING},
            "maxItems": MAX_LOOKS,
        },
    )
    absent_after: float | None = Field(
        None,
        title="Absent After",
        description="Seconds after the call's deadline from which on 404 proves that nothing took "
        "effect, if the workspace allows that, 'canary' is given with what it shows, and 'url' has "
        "{fresh}.",
        schema={"minimum": LEAST_ABSENT},
    )
    canary: str | None = Field(
        None,
        title="Canary",
        description="What is read beside 'url', such as the list or a thing that exists for "
        "certain: only if that succeeds, 404 proves "
        "anything.",
        schema={"minLength": 1, "maxLength": 1000},
    )
    canary_shows: str | dict[str, Any] | None = Field(
        None,
        title="Canary Shows",
        description="What the canary's answer has: a JSON Pointer to a list that is not empty, or "
        'values by pointers, such as {"/name": "depot"}. Without it, 404 proves nothing.',
    )
    absent: EvidenceAbsent | None = Field(
        None,
        title="Absent",
        description="The answer that says that there is no such thing, if it is no plain 404.",
    )
    when: EvidenceWhen | None = Field(
        None,
        title="When",
        description=(
            "What the thing must say for success and for failure; without it, that it exists "
            "proves that the request took effect."
        ),
    )
    id: str | None = Field(
        None,
        title="ID",
        description=(
            "JSON Pointer to the ID of a thing, by which one that comes on two pages is one; "
            "by default /id."
        ),
        schema={**_POINTER, "maxLength": 200},
    )
    page: str | None = Field(
        None,
        title="Page",
        description="The provider's page that says so, with its date.",
        schema={"minLength": 1, "maxLength": 300},
    )


class RequestInputs(PageInputs):
    """Request to send."""

    method: Method = Field("GET", title="Method", description="The HTTP method.")
    url: str = Field(
        title="URL",
        description="A path on the connection's server, such as /parcels?state=open, or a whole URL.",
        examples=["/parcels"],
        schema={"minLength": 1, "maxLength": 16_000},
    )
    query: dict[str, Any] = Field(
        {}, title="Query", description="Query parameters; a list repeats its name.", schema=_MAP
    )
    headers: dict[str, str] = Field(
        {},
        title="Headers",
        description="Header fields. Credentials belong in the connection.",
        schema=_MAP,
    )
    json_body: Any = Field(
        None, alias="json", title="JSON", description="The body as JSON.", sensitive=True
    )
    form: dict[str, Any] | None = Field(
        None, title="Form", description="The body as form fields.", sensitive=True
    )
    multipart: tuple[FormPart, ...] | None = Field(
        None,
        title="Multipart",
        description="The body as fields and files.",
        sensitive=True,
        schema={"maxItems": 200},
    )
    text: str | None = Field(
        None, title="Text", description="The body as text.", sensitive=True, multiline=True
    )
    file: StreamedFile | None = Field(
        None, title="File", description="The body as a file.", sensitive=True
    )
    content_type: str | None = Field(
        None,
        title="Content Type",
        description="The media type of the body, if another than usual.",
        schema={"maxLength": 200},
    )
    response: Literal["auto", "json", "text", "file"] = Field(
        "auto",
        title="Response",
        description="How to return the response's body; 'auto' decides by its media type and size.",
    )
    expect: tuple[int, ...] = Field(
        (),
        title="Expected Statuses",
        description="Statuses that count as success; by default 200 to 299.",
        schema=_STATUS,
    )
    failed: FailedRule | None = Field(
        None,
        title="Failed",
        description="How a response with a success status reports a failure, for an API that does so.",
    )
    idempotency_header: str | None = Field(
        None,
        title="Idempotency Header",
        description="A header field for the invocation's idempotency key, such as "
        "Idempotency-Key, if the server recognises one. "
        "The effect stays as it is: with 'onDoubt' as 'retry', a POST is then repeated under the "
        "same key.",
        schema={"minLength": 1, "maxLength": 200},
    )
    effect: Literal["read", "idempotent", "write"] | None = Field(
        None,
        title="Effect",
        description=(
            "The request's effect, if it does more than its method says: a GET that starts "
            "something is a 'write'."
        ),
    )
    pages: Paging | None = Field(
        None,
        title="Pages",
        description=(
            "How a list goes on, to fetch its pages: 'kind' is token, page, offset, "
            "linkHeader, url or lastId."
        ),
    )

    evidence: RequestEvidence | None = Field(
        None,
        title="Evidence",
        description="How to find out what became of this request if its answer is lost. "
        "{\"$marker\": {}} in 'json', 'form' or "
        "'query' then stands for a marker, and so does '{marker}' in 'url' and 'headers'.",
    )

    @property
    def real_effect(self) -> Effect:
        """Effect of the request, by its method, or a more cautious one from the caller."""
        by_method = _EFFECTS[self.method]
        return max(by_method, self.effect or by_method, key=_CAUTION.index)

    def rules(self) -> Iterable[Detail]:
        """Yield the faults that the schema cannot express: two bodies, header fields that callers
        must not set, an effect that is too harmless.
        """
        bodies = {
            "json": self.json_body,
            "form": self.form,
            "multipart": self.multipart,
            "text": self.text,
            "file": self.file,
        }
        given = [name for name, value in bodies.items() if value is not None]
        if len(given) > 1:
            yield Detail(pointer(given[1]), f"a request has one body, and '{given[0]}' is one")
        if self.pages is not None and (self.method != "GET" or given):
            yield Detail("/pages", "only a GET without a body has pages")
        elif self.pages is not None:
            try:
                self.pages.declared()
            except ValueError as error:
                yield Detail("/pages", str(error))
        if self.effect is not None and self.real_effect != self.effect:
            yield Detail(
                "/effect", f"a {self.method} has the effect '{_EFFECTS[self.method]}' at least"
            )
        for number, part in enumerate(self.multipart or ()):
            if (part.value is None) == (part.file is None):
                yield Detail(pointer("multipart", str(number)), "needs either 'value' or 'file'")
        yield from self._header_faults()
        if self.evidence is not None:
            yield from self._evidence_faults(self.evidence)

    def _evidence_faults(self, evidence: RequestEvidence) -> Iterable[Detail]:
        misplaced = [
            place
            for place, text in (("/url", self.url), ("/evidence/url", evidence.url))
            if _names_server(text)
        ]
        if misplaced:
            yield from (
                Detail(place, "has '{marker}' before its path: a marker chooses no server")
                for place in misplaced
            )
            return
        given = self.model_dump(
            mode="json",
            by_alias=True,
            exclude_none=True,
            include={"json_body", "form", "query", "url", "headers"},
        )
        told = {"evidence": evidence.model_dump(mode="json", by_alias=True, exclude_none=True)}
        if len(json.dumps(told)) > _MOST_EVIDENCE:
            yield Detail("/evidence", f"must not have more than {_MOST_EVIDENCE:,} bytes")
        if evidence.absent_after is not None:
            yield from (
                Detail(
                    "/evidence/absentAfter",
                    f"proves nothing beside the header {name!r}: the read does not send it, and "
                    "it may choose the account",
                )
                for name in self.headers
                if name.lower() not in _CHOOSE_NOTHING
            )
        try:
            [look] = GIVEN.of(told)
            if "$marker" in (
                *placeholders(look.match),
                *placeholders(look.inputs),
            ) and not PLACED.is_placed(given):
                yield Detail(
                    "/evidence",
                    'looks for the marker, and the request has no {"$marker": {}} or {marker}',
                )
            yield from (
                Detail(f"/evidence/{name}", "is on another server than the request")
                for name, text in (("url", evidence.url), ("canary", evidence.canary))
                if text is not None and _origin(text) != _origin(self.url)
            )
        except (EvidenceFault, UrlError) as error:
            yield Detail("/evidence", str(error))

    def _header_faults(self) -> Iterable[Detail]:
        for name, value in self.headers.items():
            if folded(name) in _CREDENTIALS:
                yield Detail(
                    pointer("headers", name), "is a credential: put it into the connection"
                )
            elif folded(name) in FRAMING:
                yield Detail(pointer("headers", name), "is set by the client")
            else:
                yield from _field_faults(name, value, pointer("headers", name))
        if self.content_type is not None:
            yield from _field_faults("Content-Type", self.content_type, "/contentType")
        key = self.idempotency_header
        if key is not None and folded(key) in _CREDENTIALS | FRAMING:
            yield Detail(
                "/idempotencyHeader",
                "is set by the client or the connection: name the field that the server reads "
                "keys from",
            )
        elif key is not None:
            yield from _field_faults(key, "", "/idempotencyHeader")


def _names_server(text: str) -> bool:
    """Return whether the marker is in the scheme, user, host or port of a URL."""
    if text.startswith("/") and not text.startswith("//"):
        return False
    scheme, _, rest = text.partition("://")
    return IN_TEXT in scheme or IN_TEXT in _AFTER_SERVER.split(rest, maxsplit=1)[0]


def _origin(text: str) -> object:
    """Return the server in a URL; None for a path on the connection's server."""
    return (
        None
        if text.startswith("/") and not text.startswith("//")
        else parse_url(text.partition("#")[0].replace(IN_TEXT, "x")).origin
    )


def _field_faults(name: str, value: str, place: str) -> Iterable[Detail]:
    try:
        field(name, value)
    except InvalidInput as error:
        yield Detail(place, error.message)


class GraphqlInputs(Inputs):
    """GraphQL request to send."""

    query: str = Field(
        title="Query",
        description="The document: a query or a mutation.",
        examples=["query($id: ID!) { node(id: $id) { id } }"],
        multiline=True,
        schema={"minLength": 1, "maxLength": 1_000_000},
    )
    variables: dict[str, Any] | None = Field(
        None, title="Variables", description="Values of the document's variables.", sensitive=True
    )
    operation_name: str | None = Field(
        None,
        title="Operation Name",
        description="The operation to execute, if the document has several.",
        schema={"maxLength": 1000},
    )
    url: str = Field(
        "/graphql",
        title="URL",
        description="A path on the connection's server, or a whole URL.",
        schema={"minLength": 1, "maxLength": 16_000},
    )
    partial_data: bool = Field(
        False,
        title="Partial Data",
        description="True to accept an answer that has errors beside its data; both are returned.",
    )


class GraphqlAnswer(Output):
    """Answer of a GraphQL server."""

    data: dict[str, Any] | None = Field(
        None,
        title="Data",
        description="The result of the operation: an object, or null.",
        schema={"type": ["object", "null"]},
    )
    errors: list[Any] | None = Field(
        None, title="Errors", description="The errors beside partial data."
    )
    extensions: dict[str, Any] | None = Field(
        None, title="Extensions", description="What the server adds."
    )

    @model_serializer(mode="wrap")
    def _with_null_data(self, others: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Include null data, which are a result; omit other null members."""
        return {**({"data": None} if "data" in self.model_fields_set else {}), **others(self)}


class Response(Output):
    """Response of the server. Of ``body``, ``text``, ``file`` and ``items``, one is there."""

    status: int = Field(title="Status", description="The HTTP status.")
    headers: dict[str, str] = Field(
        title="Headers", description="The header fields, by names in lower case."
    )
    body: Any = Field(None, title="Body", description="The body, if it is JSON.")
    text: str | None = Field(None, title="Text", description="The body, if it is text.")
    file: dict[str, str] | Download | None = Field(
        None,
        title="File",
        description="The body as a file: 'data' (base64) and 'contentType', or a stored file if "
        "it is larger than 1 MiB (text: 4 MiB, "
        "JSON: 32 MiB). A FILE input takes either as it is.",
    )
    items: list[Any] | None = Field(
        None, title="Items", description="The items of a page, or of all pages."
    )
    next_token: str | None = Field(
        None, title="Next Token", description="Where the next page begins."
    )
