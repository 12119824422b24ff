"""Three pages of any list of AWS, made up from its model and answered in its service's own protocol.

moto answers most lists with one page. This server answers the first three requests with three pages, whatever they ask for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote_plus

import jmespath
from moto.core.model import ServiceModel
from moto.core.serialize import get_serializer_class

from aws_shapes import valid_inputs
from jackfield_aws.virtual import models
from jackfield_aws.virtual.names import action_key
from jackfield_aws.virtual.operations import describe
from jackfield_aws.virtual.pages import pages_of
from moto_quiet import quiet
from moto_rig import Rig

quiet()

_PAGES, _EACH = 3, 2
_DEEPEST = 3
_MOST_MEMBERS = 12
_SAMPLES: dict[str, Any] = {
    "list": [], "map": {}, "boolean": False, "integer": 1, "long": 1, "float": 1.5, "double": 1.5, "blob": b"x",
    "timestamp": datetime(2026, 1, 31, tzinfo=UTC),
}  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    """Answers the requests in their order."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body are sent at once
    server: Any

    def do_POST(self) -> None:
        """Note the request, and send the next page."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append(unquote_plus(self.path) + unquote_plus(body.decode("latin-1")) + str(self.headers))
        page = self.server.answers[min(len(self.server.requests), len(self.server.answers)) - 1]
        content = page["body"].encode() if isinstance(page["body"], str) else page["body"]
        self.send_response(page["status_code"])
        for name, value in {**page["headers"], "Content-Length": str(len(content))}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        """Answer as any other method."""
        self.do_POST()

    def do_PUT(self) -> None:
        """Answer as any other method."""
        self.do_POST()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def pages_server() -> Iterator[Any]:
    """Serve the pages that are set as ``answers``, and note the ``requests``."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.answers, server.requests, server.daemon_threads = [], [], True
    thread = Thread(target=server.serve_forever, name="pages", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


def lists(service: str) -> list[str]:
    """Return the names of a service's operations that have pages."""
    model = models.service_model(service)
    return [name for name in models.operations(service) if pages_of(service, model.operation_model(name)) is not None]


def complaint(rig: Rig, server: Any, service: str, name: str) -> str | None:
    """Fetch the three pages of a list at once; return what is wrong, an empty text if nothing is, None if no pages can be made up."""
    paging: Any = describe(service, name, texts=False).pagination
    model = models.service_model(service).operation_model(name)
    made = [page for number in range(_PAGES) if (page := _page(model.output_shape, paging, number)) is not None]
    if len(made) < _PAGES:
        return None
    answering = ServiceModel(model.service_model._service_description, service).operation_model(name)
    try:
        serializer = get_serializer_class(service, model.service_model.resolved_protocol)(answering)
        server.answers, server.requests = [serializer.serialize(page) for page in made], []
    except (KeyError, TypeError):  # moto writes no CBOR, and not every structure
        return None
    found = rig.result(f"{service}/{action_key(name)}", **_inputs(model, paging), fetchAll=True)
    if found.error is not None:
        return f"{found.error.code}: {found.error.message[:150]} {[f'{item.path} {item.message[:80]}' for item in found.error.details[:2]]}"
    count = len(jmespath.search(paging.items, found.output) or ())
    if (count, found.meta.complete, len(server.requests)) != (_PAGES * _EACH, True, _PAGES):
        return f"{count} of {_PAGES * _EACH} items, complete {found.meta.complete}, {len(server.requests)} requests"
    lost = [
        number + 2
        for number in range(_PAGES - 1)
        if any(token not in server.requests[number + 1] for token in _tokens(made[number], paging))
    ]
    return f"requests {lost} lack the token of the page before" if lost else ""


def _inputs(model: Any, paging: Any) -> dict[str, Any]:
    tokens = {name for name, _ in paging.tokens}
    given = valid_inputs(model.input_shape, random.Random(1), 9)
    return {name: value for name, value in given.items() if name not in tokens}


def _tokens(page: dict[str, Any], paging: Any) -> list[str]:
    found = [jmespath.search(path, page) for _, path in paging.tokens]
    return [token["k"]["S"] if isinstance(token, dict) else str(token) for token in found]


def _page(shape: Any, paging: Any, number: int) -> dict[str, Any] | None:
    """Make up a page; None if its members are no plain paths to lists and tokens."""
    page: dict[str, Any] = _sample(shape, 0)
    is_last = number == _PAGES - 1
    whole = [(path.partition("||")[0].strip(), path) for _, path in paging.tokens]
    paths = [*paging.merged, *(first for first, _ in whole), *([paging.more] if paging.more else [])]
    targets = {path: _at(shape, path) for path in paths}
    if None in targets.values() or targets[paging.items].type_name != "list":
        return None
    for path in paging.merged:
        if targets[path].type_name == "list":
            _put(page, path, [_sample(targets[path].member, 1) for _ in range(_EACH)])
    for first, _ in whole:
        _put(page, first, None if is_last else _token(targets[first], number + 1))
    if paging.more is not None:
        _put(page, paging.more, not is_last)
    return page


def _token(shape: Any, number: int) -> Any:
    if shape.type_name == "map":
        return {"k": {"S": f"page{number}"}}
    return number if shape.type_name in ("integer", "long") else f"token-of-page-{number}"


def _at(shape: Any, path: str) -> Any:
    for step in path.split("."):
        if getattr(shape, "type_name", "") != "structure" or step not in shape.members:
            return None
        shape = shape.members[step]
    return shape


def _put(page: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    for step in above:
        page = page.setdefault(step, {})
    if value is None:
        page.pop(last, None)
    else:
        page[last] = value


def _sample(shape: Any, depth: int) -> Any:
    if shape.type_name == "string":
        return (shape.metadata.get("enum") or ["text"])[0]
    if shape.type_name != "structure":
        return _SAMPLES[shape.type_name]
    members = list(shape.members.items())[: 1 if shape.is_tagged_union else _MOST_MEMBERS if depth else None]
    is_shallow = depth < _DEEPEST or shape.is_tagged_union  # a union without a member cannot be read
    return {name: _sample(member, depth + 1) for name, member in members if is_shallow or member.type_name != "structure"}
