"""Three pages of any list of AWS, made up from its model and answered in its service's own
protocol.

moto answers most lists with one page. This server answers the first three requests with three
pages, whatever they ask for.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import jmespath
from moto.core.model import ServiceModel
from moto.core.serialize import get_serializer_class

from aws_shapes import valid_inputs
from jackfield.testing import Answer, Provider, Request
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
    "list": [],
    "map": {},
    "boolean": False,
    "integer": 1,
    "long": 1,
    "float": 1.5,
    "double": 1.5,
    "blob": b"x",
    "timestamp": datetime(2026, 1, 31, tzinfo=UTC),
}


class Pages(Provider):
    """Server that answers with the pages set as ``answers``, in their order; ``asked`` are its
    requests.
    """

    def __init__(self) -> None:
        super().__init__(self._next, keeps=True)
        self.answers: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def _next(self, _number: int, request: Request) -> Answer:
        """Note the request, and send the next page."""
        fields = "".join(f"{name}: {value}\n" for name, value in request.headers.items())
        self.asked.append(
            unquote_plus(request.path) + unquote_plus(request.body.decode("latin-1")) + fields
        )
        page = self.answers[min(len(self.asked), len(self.answers)) - 1]
        content = page["body"].encode() if isinstance(page["body"], str) else page["body"]
        return Answer(
            status=page["status_code"],
            headers={name: str(value) for name, value in page["headers"].items()},
            content=content,
        )


def lists(service: str) -> list[str]:
    """Return the names of a service's operations that have pages."""
    model = models.service_model(service)
    return [
        name
        for name in models.operations(service)
        if pages_of(service, model.operation_model(name)) is not None
    ]


def complaint(rig: Rig, server: Pages, service: str, name: str) -> str | None:
    """Fetch the three pages of a list at once; return what is wrong, an empty text if nothing is,
    None if no pages can be made up.
    """
    paging: Any = describe(service, name, texts=False).pagination
    model = models.service_model(service).operation_model(name)
    made = [
        page
        for number in range(_PAGES)
        if (page := _page(model.output_shape, paging, number)) is not None
    ]
    if len(made) < _PAGES:
        return None
    answering = ServiceModel(model.service_model._service_description, service).operation_model(
        name
    )
    try:
        serializer = get_serializer_class(service, model.service_model.resolved_protocol)(answering)
        server.answers, server.asked = [serializer.serialize(page) for page in made], []
    except (KeyError, TypeError):  # moto writes no CBOR, and not every structure
        return None
    found = rig.result(f"{service}/{action_key(name)}", **_inputs(model, paging), fetchAll=True)
    if found.error is not None:
        return (
            f"{found.error.code}: {found.error.message[:150]} "
            f"{[f'{item.path} {item.message[:80]}' for item in found.error.details[:2]]}"
        )
    count = len(jmespath.search(paging.items, found.output) or ())
    if (count, found.meta.complete, len(server.asked)) != (_PAGES * _EACH, True, _PAGES):
        return (
            f"{count} of {_PAGES * _EACH} items, complete {found.meta.complete}, "
            f"{len(server.asked)} requests"
        )
    lost = [
        number + 2
        for number in range(_PAGES - 1)
        if any(token not in server.asked[number + 1] for token in _tokens(made[number], paging))
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
    paths = [
        *paging.merged,
        *(first for first, _ in whole),
        *([paging.more] if paging.more else []),
    ]
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
    members = list(shape.members.items())[
        : 1 if shape.is_tagged_union else _MOST_MEMBERS if depth else None
    ]
    # a union without a member cannot be read
    is_shallow = depth < _DEEPEST or shape.is_tagged_union
    return {
        name: _sample(member, depth + 1)
        for name, member in members
        if is_shallow or member.type_name != "structure"
    }
