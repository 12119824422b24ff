"""Requests from bindings: the inputs of a call become a path, a query, header fields and a body."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from hashlib import sha256
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jackfield.connector import (
    Detail,
    File,
    InvalidInput,
    Sent,
    StreamedFile,
    current_call,
    pointer,
)
from jackfield.kernel.dataclass import dataclass, field
from jackfield_http.bindings.styles import (
    encoded,
    header_value,
    in_ascii,
    path_value,
    query_pairs,
    text,
    unreserved,
)
from jackfield_http.bodies import Content, Part, content_body
from jackfield_http.shown_requests import ShownFile, request_shown
from jackfield_http.urls import climbs, compact

_TEMPLATE = re.compile(r"\{([^{}/]+)\}")
_SPLIT = re.compile(r"^/|//")
"""Regular expression of slashes at which servers split a path although they are encoded. Values
with such a slash are encoded twice where the provider says so.
"""
_LONGEST_KEY = 255
"""Default maximum length of an idempotency key, in characters."""
_SEVERAL = re.compile(r"[,*]")
"""Regular expression of media types that name several types or any."""

Json = Mapping[str, Any]


@dataclass(slots=True)
class Request:
    """Request of one call. ``options`` are keyword arguments for the body in
    ``HttpClient.request``.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Files:
    """Stored files that a call refers to by ID. ``opened`` closes their readers after the
    request.
    """

    sources: Mapping[str, Any] = field(default_factory=dict)
    opened: ExitStack = field(default_factory=ExitStack)

    def read(self, value: Any, *place: str | int) -> tuple[Content, str, str | None]:
        """Return content, media type and name (None if unknown) of a file. The content is the
        reader of a stored file, or the bytes of a file passed by value.

        :raises InvalidInput: if the value is not a file.
        """
        if not isinstance(value, Mapping) or value.keys() != {"file"}:
            given = file_of(value, *place)
            return given.content, given.content_type, None
        source = self.sources.get(str(value["file"]))
        if source is None:
            details = [Detail(pointer(*place, "file"), "the file does not exist or has expired")]
            raise InvalidInput("1 input is not valid", details=details, sent=Sent.NOTHING)
        stored = StreamedFile(source)
        return self.content(stored), stored.content_type, stored.name

    def content(self, file: StreamedFile) -> Content:
        """Return the content of a stored file."""
        return self.opened.enter_context(file.open())

    def base64(self, value: Any, key: str) -> Any:
        """Return the content of a file in base64, for a member of a JSON body."""
        content, _, _ = self.read(value, key)
        read = b"".join(content_body(content).chunks())
        return b64encode(read).decode("ascii")


class ShownFiles(Files):
    """Stored files of a call that is only described: none is opened."""

    def read(self, value: Any, *place: str | int) -> tuple[Any, str, str | None]:
        """Return a description in place of the content, with media type and name as ``Files.read``
        does.
        """
        content, content_type, name = super().read(value, *place)
        return (
            ShownFile({"bytes": len(content)}) if isinstance(content, bytes) else content,
            content_type,
            name,
        )

    def content(self, file: StreamedFile) -> Any:
        """Return the description of a stored file."""
        return ShownFile.of(file)

    def base64(self, value: Any, key: str) -> Any:
        """Return a description of the file."""
        return {**self.read(value, key)[0].about, "encoding": "base64"}


UNSHOWN = "CONNECTION"
"""Placeholder for a value of the connection where a request is displayed."""


def request_of(
    binding: Json,
    inputs: Json,
    files: Files | None = None,
    connection: Callable[[str], str] = lambda _name: UNSHOWN,
) -> Request:
    """Build the request of a call. ``files`` are the stored files; ``connection`` returns a value
    of the connection by its name.

    :raises InvalidInput: if a value does not fit into its place.
    """
    placed = _Placed()
    if "idempotencyInput" in binding:
        inputs = _keyed(binding["idempotencyInput"], inputs)
    for row in binding.get("parameters", ()):
        if inputs.get(row["input"]) is not None:
            placed.put(row, inputs[row["input"]])
    for row in binding.get("connection", ()):
        placed.put({**row, "input": row["value"]}, connection(row["value"]))
    fixed = [placed.filled(binding["query"])] if "query" in binding else []
    path = placed.filled(binding["path"])
    if climbs(path):
        raise InvalidInput(
            "the inputs do not fit into the URL: together they contain '.' or '..' as a segment",
            sent=Sent.NOTHING,
        )
    made = Request(
        binding["method"],
        path,
        "&".join([*fixed, *placed.query]),
        {**binding.get("headers", {}), **placed.headers},
    )
    if placed.cookies:
        made.headers["Cookie"] = "; ".join(placed.cookies)
    accept = binding["response"].get("accept")
    if accept is not None:
        made.headers["Accept"] = f"{accept}, */*;q=0.1"
    key, call = binding.get("idempotencyHeader"), current_call()
    if key is not None and call is not None:
        made.headers[key] = call.idempotency_key
    if "body" in binding:
        made.options = _options(binding["body"], inputs, files or Files())
    return made


def _keyed(about: Json, inputs: Json) -> Json:
    """Return the inputs with the idempotency key in the input that takes it, if the caller has left
    that out. A key that is longer than the provider takes becomes its digest.
    """
    call = current_call()
    if call is None:
        return inputs
    key, longest = call.idempotency_key, about.get("longest", _LONGEST_KEY)
    fitting = key if len(key) <= longest else sha256(key.encode()).hexdigest()[:longest]
    return inputs if inputs.get(about["input"]) is not None else {**inputs, about["input"]: fitting}


def described(made: Request, server: str | None = None) -> dict[str, Any]:
    """Describe a request as JSON. ``server`` is given if it differs from the connection's."""
    return request_shown(made.method, made.path, made.query, made.headers, made.options, server)


def _options(row: Json, inputs: Json, stored: Files) -> dict[str, Any]:
    """Return the body of a request: one input, or an object of several inputs. Empty if all of them
    are omitted.
    """
    if "members" in row:
        value: dict[str, Any] = {}
        for key, name in row["members"].items():
            if key in inputs:
                _put(
                    value,
                    name,
                    stored.base64(inputs[key], key)
                    if name in row.get("base64", ())
                    else inputs[key],
                )
        keys = {name: key for key, name in row["members"].items()}
        value = {**row.get("defaults", {}), **value}
        return (
            _body(row, value, stored, lambda name: (keys[name],))
            if value or row.get("required")
            else {}
        )
    owner = row["input"]
    if owner not in inputs:
        return {}
    given = inputs[owner]
    given = {**row["defaults"], **given} if "defaults" in row and isinstance(given, dict) else given
    return _body(row, given, stored, lambda name: (owner, name))


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    """Set a member of a body. A JSON Pointer as name sets a nested member; lists on the way have
    one item.
    """
    if not name.startswith("/"):
        body[name] = value
        return
    owner: Any = body
    steps = name.split("/")[1:]
    for step, below in pairwise(steps):
        empty: Any = [{}] if below == "0" else {}
        owner = owner[0] if step == "0" else owner.setdefault(step, empty)
    owner[steps[-1]] = value


@dataclass(slots=True)
class _Placed:
    """Parameters of a request, by their places."""

    in_path: dict[str, str] = field(default_factory=dict)
    query: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Objects that become header fields as JSON, by the names of the fields."""

    def filled(self, template: str) -> str:
        """Replace the placeholders of a path, or of the query in it, by values."""
        return _TEMPLATE.sub(
            lambda found: (
                self.in_path[found[1]] if found[1] in self.in_path else _missing(found[1])
            ),
            template,
        )

    def put(self, row: Json, value: Any) -> None:
        """Encode one parameter."""
        name, place = row.get("name", row["input"]), row["in"]
        if "member" in row:
            self.objects.setdefault(name, {})[row["member"]] = value
            value = self.objects[name]
        if row.get("quote") == "odata":
            # OData 4.01, URL Conventions §5.1.1.6.1
            value = text(value).replace("'", "''")
        if row.get("encode") == "twice" and _SPLIT.search(text(value)):
            value = encoded(text(value))
        if row.get("encode") == "json":
            value = compact(value) if place != "header" else in_ascii(compact(value))
        style = row.get("style", "form" if place in ("query", "cookie") else "simple")
        explode = row.get("explode", style == "form")
        if place == "path":
            self.in_path[name] = _in_path(value, row["input"], name, style, explode=explode)
        elif place == "query":
            encode = unreserved if row.get("allowReserved") else encoded
            self.query += [
                f"{key}={item}"
                for key, item in query_pairs(value, name, style, explode=explode, encode=encode)
            ]
        elif place == "header":
            self.headers[name] = header_value(value, explode=explode)
        else:
            self.cookies += [
                f"{key}={item}" for key, item in query_pairs(value, name, style, explode=explode)
            ]


def _in_path(value: Any, key: str, name: str, style: str, *, explode: bool) -> str:
    found = path_value(value, name if style == "matrix" else key, style, explode=explode)
    return found.replace(".", "%2E") if found.strip(".") == "" else found


def _missing(name: str) -> str:
    reason = f"'{name}' is missing: it is part of the URL's path"
    raise InvalidInput(reason, details=[Detail(pointer(name), reason)], sent=Sent.NOTHING)


def _body(
    row: Json, value: Any, stored: Files, place: Callable[[str], tuple[str, ...]]
) -> dict[str, Any]:
    """Encode a body. ``place`` maps a member of the body to its place in the inputs."""
    media, way = row["contentType"], row["encode"]
    if way == "json":
        return {"content": _json(value), "content_type": media}
    if way == "text":
        return {
            "content": text(value).encode("utf-8", "replace"),
            "content_type": media if "charset" in media else f"{media}; charset=utf-8",
        }
    if way == "bytes":
        content, content_type, _ = stored.read(value, row["input"])
        return {"content": content, "content_type": media if "*" not in media else content_type}
    members = value if isinstance(value, dict) else {}
    if way == "form":
        pairs = [
            pair
            for name, item in members.items()
            for pair in _form_pairs(name, item, row.get("encoding", {}).get(name, {}))
        ]
        joined = "&".join(f"{name}={item}" for name, item in pairs).replace("%20", "+")
        return {"content": joined.encode("ascii"), "content_type": media}
    files, encoding = frozenset(row.get("files", ())), row.get("encoding", {})
    given = {name: item for name, item in members.items() if item is not None}
    return {
        "multipart": {
            name: _file_part(name, item, place(name), stored)
            if name in files
            else _value_part(item, encoding.get(name, {}))
            for name, item in given.items()
        }
    }


def _json(value: Any) -> bytes:
    return compact(value).encode("utf-8", "surrogatepass")


def _form_pairs(name: str, value: Any, about: Json) -> Any:
    style = about.get("style", "form")
    if "style" not in about and isinstance(value, dict):
        return [(encoded(name), encoded(value))]
    return query_pairs(
        value,
        name,
        style if style != "simple" else "form",
        explode=about.get("explode", style == "form"),
    )


def _file_part(name: str, value: Any, place: tuple[str, ...], stored: Files) -> Any:
    if isinstance(value, list):
        return [_part(name, stored.read(item, *place, number)) for number, item in enumerate(value)]
    return _part(name, stored.read(value, *place))


def _part(name: str, file: tuple[Content, str, str | None]) -> Part:
    content, content_type, filename = file
    return Part(content, filename or name, content_type)


def _value_part(value: Any, about: Json) -> Any:
    """Return the form part of a value, or one part per item of a list. Objects become JSON, unless
    the document names another media type.
    """
    if isinstance(value, list):
        return [_value_part(item, about) for item in value]
    media = about.get("contentType", "application/json" if isinstance(value, dict) else None)
    return (
        text(value)
        if media is None or _SEVERAL.search(media)
        else Part(text(value).encode("utf-8", "replace"), None, media)
    )


def file_of(value: Any, *place: str | int) -> File:
    """Return a file from its JSON form.

    :raises InvalidInput: if the value is no file.
    """
    try:
        found: File = TypeAdapter(File).validate_python(value)
    except ValidationError as error:
        reason = str(
            error.errors(include_url=False, include_input=False)[0]
            .get("ctx", {})
            .get("error", "is not a file")
        )
        raise InvalidInput(
            "1 input is not valid", details=[Detail(pointer(*place), reason)], sent=Sent.NOTHING
        ) from None
    return found
