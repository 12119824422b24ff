"""What an overlay says about a connector as a whole: its headers, its error map, its connection
types, and examples of its actions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import InvalidInput
from jackfield.invocation.provider_ids import marked_places
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.hints import worded
from jackfield.testing import Answer, Provider
from jackfield_openapi.conversion import Choices, converted
from openapi_rig import document, generate, installed, operation

_ERRORS = {
    "code": "/error",
    "requestId": ["x-acme-id"],
    "failed": {"member": "/ok", "equals": False},
    "rows": [
        {"codes": ["slow_down"], "error": "rate_limited"},
        {"codes": ["no_channel"], "error": "not_found", "hint": "Look up the channel."},
        {"codes": ["fatal"], "error": "unavailable", "sent": "unknown"},
        {"status": 402, "error": "rejected"},
    ],
}


def _acme(**extension: Any) -> dict[str, Any]:
    example = {"inputs": {"text": "x"}}
    content = {
        "application/json": {
            "schema": {"type": "object", "properties": {"text": {"type": "string"}}}
        }
    }
    shown = {
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "examples": {"one": {"$ref": "#/components/examples/Sent"}},
            }
        }
    }
    post = operation(
        operationId="post",
        requestBody={"content": content},
        responses={"200": {"description": "", **shown}},
        **{"x-jackfield": {"examples": [example], "permissions": {"acme": ["post"]}}},
    )
    schemes = {"token": {"type": "http", "scheme": "bearer"}}
    components = {
        "securitySchemes": schemes,
        "examples": {"Sent": {"value": {"ok": True, "list": [1, 2, 3]}}},
    }
    return document({"/post": {"post": post}}, components=components, **{"x-jackfield": extension})


def test_the_manifest_has_the_curation(tmp_path: Path) -> None:
    """Texts, permissions and examples come from the overlay; an example's output is the documented
    one, with one item of each list.
    """
    about = {"setup": "Ask Ada.", "key": "acmeToken", "fields": {"token": {"title": "Bot token"}}}
    manifest = generate(
        tmp_path,
        _acme(icon="data:,x", categories=["chat"], license="MIT", connections={"token": about}),
    )
    assert (manifest["icon"], manifest["categories"], manifest["license"]) == (
        "data:,x",
        ["chat"],
        "MIT",
    )
    kind, action = manifest["connectionTypes"][0], manifest["actions"][0]
    assert (kind["key"], kind["setup"], kind["schema"]["properties"]["token"]["title"]) == (
        "acmeToken",
        "Ask Ada.",
        "Bot token",
    )
    assert action["permissions"] == {"acme": ["post"]}
    example = action["examples"][0]
    assert (example["invocation"]["inputs"], example["result"]["output"]) == (
        {"text": "x"},
        {"ok": True, "list": [1]},
    )


@pytest.mark.parametrize(
    ("answers", "code", "requests"),
    [
        (
            [
                Answer({"ok": False, "error": "slow_down"}, headers={"Retry-After": "0"}),
                Answer({"ok": True}),
            ],
            "succeeded",
            2,
        ),
        (
            [Answer({"ok": False, "error": "no_channel"}, headers={"X-Acme-Id": "r-1"})],
            "not_found",
            1,
        ),
        ([Answer({"ok": False, "error": "other"})], "rejected", 1),
        ([Answer({"ok": False, "error": "fatal"})], "in_doubt", 1),
        ([Answer({"error": "pay"}, 402)], "rejected", 1),
    ],
)
def test_an_error_map_is_data(
    tmp_path: Path, answers: list[Answer], code: str, requests: int
) -> None:
    """A failure with status 200 is one; its code decides whether the write may be repeated, and
    headers go with every request.
    """
    manifest = generate(tmp_path, _acme(errors=_ERRORS, headers={"Acme-Version": "7"}))
    with (
        Provider(answers) as provider,
        installed(tmp_path, manifest, {"token": "t", "server": provider.url}) as jackfield,
    ):
        result = jackfield.invoke(
            {"connector": "acme", "action": "post", "connection": "main", "inputs": {"text": "x"}}
        )
    assert (result.error.code if result.error else result.status) == code
    assert len(provider.requests) == requests
    assert {name.lower(): value for name, value in provider.requests[0].headers.items()}[
        "acme-version"
    ] == "7"
    if code == "not_found":
        assert result.error is not None
        assert result.error.provider is not None
        assert (result.error.hint, result.error.provider.request_id) == (
            "Look up the channel.",
            "r-1",
        )


@pytest.mark.parametrize(
    "extension",
    [
        {"titel": "x"},
        {"errors": {"rows": [{"codes": ["a"], "error": "oops"}]}},
        {"connections": {"token": {"fields": {"tokens": {}}}}},
        {"connections": [1]},
        {"connections": {"token": None}},
        {"connections": {"token": {"fields": {"token": "x"}}}},
        {"errors": True},
        {"errors": {"code": "error"}},
        {"errors": {"rows": [{"error": []}]}},
        {"headers": {"X-A": 1}},
        {"categories": "a"},
    ],
)
def test_a_slip_in_the_overlay_is_refused(tmp_path: Path, extension: dict[str, Any]) -> None:
    """A member, an error or a field that does not exist is named, instead of being ignored."""
    with pytest.raises(InvalidInput):
        generate(tmp_path, _acme(**extension))


def _tickets(**source: Any) -> dict[str, Any]:
    """A document with a list of a board's people, which is the choice of who does a ticket."""
    people = {"type": "array", "items": {"type": "object"}}
    board = {"name": "board", "in": "path", "required": True, "schema": {"type": "string"}}
    listed = operation(
        operationId="listPeople",
        parameters=[
            board,
            {"name": "page", "in": "query", "schema": {"type": "integer", "default": 1}},
            {"name": "size", "in": "query"},
        ],
        responses={"200": {"description": "", "content": {"application/json": {"schema": people}}}},
    )
    ticket = {
        "title": {"type": "string"},
        "owner": {"type": "string"},
        "seers": {"type": "array", "items": {"type": "string"}},
    }
    made = operation(
        operationId="createTicket",
        parameters=[board],
        requestBody={
            "content": {"application/json": {"schema": {"type": "object", "properties": ticket}}}
        },
    )
    about = {
        "title": "People",
        "description": "Who works on a board.",
        "action": "listPeople",
        "items": "/items",
        "value": "/id",
    }
    sources = {
        "people": {
            **about,
            "fields": ["owner", "createTicket.seers"],
            "dependsOn": ["board"],
            **source,
        }
    }
    components = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
    paths = {"/boards/{board}/people": {"get": listed}, "/boards/{board}/tickets": {"post": made}}
    return document(paths, components=components, **{"x-jackfield": {"optionSources": sources}})


def test_the_choices_of_a_field_are_a_list_of_the_provider(tmp_path: Path) -> None:
    """An overlay says which action lists them; inputs that they depend on are passed on, pages are
    followed, each value is there once.
    """
    manifest = generate(
        tmp_path, _tickets(label=["/name", "/town"], where={"/kind": "title"}, inputs={"size": 2})
    )
    fields = next(action for action in manifest["actions"] if action["key"] == "createTicket")[
        "inputs"
    ]["properties"]
    assert (
        fields["owner"]["x-jackfield"]
        == fields["seers"]["items"]["x-jackfield"]
        == {"options": "people"}
    )

    def script(number: int, _request: Any) -> Answer:
        pages = [
            [{"id": 7, "name": "Ada", "town": "Bath", "kind": "a"}, {"id": 8, "kind": "b"}],
            [{"id": 7, "kind": "a"}, {"id": 9}],
            [],
        ]
        return Answer(pages[min(number, 3) - 1])

    with (
        Provider(script) as provider,
        installed(tmp_path, manifest, {"token": "t", "server": provider.url}) as jackfield,
    ):

        def asked(**inputs: Any) -> list[dict[str, str]]:
            return jackfield.options("acme", "people", connection="main", inputs=inputs)

        assert asked(board="b/1") == [
            {"value": "7", "label": "Ada · Bath"},
            {"value": "8", "label": "8"},
            {"value": "9", "label": "9"},
        ]
        assert provider.requests[0].path.startswith("/boards/b%2F1/people?")
        assert all("size=2" in request.path for request in provider.requests)
        with pytest.raises(InvalidInput) as refused:
            asked(title="x")
        assert [detail.path for detail in refused.value.details] == ["/board"]
        assert (
            worded(refused.value.hint, "cli")
            == "Write jackfield options acme people board=… --connection NAME."
        )
        # everything that is missing is named at once
        with pytest.raises(InvalidInvocation) as nothing:
            jackfield.options("acme", "people")
        assert [detail.path for detail in nothing.value.details] == ["/connection", "/inputs/board"]


def test_choices_end_where_their_list_may_go_on(tmp_path: Path) -> None:
    """A page of choices that is none ends them: those before it are offered, and nothing is asked
    for again.
    """
    manifest = generate(tmp_path, _tickets(label=["/name"]))
    script = [Answer([{"id": 7}]), Answer({"error": "busy"})]
    with (
        Provider(script) as provider,
        installed(tmp_path, manifest, {"token": "t", "server": provider.url}) as jackfield,
    ):
        found = jackfield.options("acme", "people", connection="main", inputs={"board": "b"})
    assert (found, len(provider.requests)) == ([{"value": "7", "label": "7"}], 2)


def test_recipients_are_marked(tmp_path: Path) -> None:
    """An overlay names the inputs that a connection's guard compares, a list as a whole; one that
    no action has is refused.
    """
    found = _tickets(fields=["title"])
    found["x-jackfield"]["recipients"] = ["owner", "createTicket.seers"]
    action = next(
        action for action in generate(tmp_path, found)["actions"] if action["key"] == "createTicket"
    )
    assert [*marked_places(action["inputs"], "recipient")] == [("owner",), ("seers",)]
    found["x-jackfield"]["recipients"] = ["nobody"]
    with pytest.raises(InvalidInput):
        generate(tmp_path, found)


@pytest.mark.parametrize(
    "slip",
    [
        {"action": "createTicket"},
        {"action": "nobody"},
        {"fields": ["nobody"]},
        {"items": "items"},
        {"more": 1},
    ],
)
def test_a_slip_in_an_option_source_is_refused(tmp_path: Path, slip: dict[str, Any]) -> None:
    """A source that could never list a choice, or that no field has, is refused when the connector
    is made.
    """
    with pytest.raises(InvalidInput):
        generate(tmp_path, _tickets(**slip))


@pytest.mark.parametrize("effect", ["bogus", "destructive", "", ["read"]])
def test_an_effect_that_there_is_not_is_refused(effect: object) -> None:
    """A slip must not leave the action what it was: the refusal names the operation and lists the
    effects.
    """
    slip = document({"/post": {"post": operation(**{"x-jackfield": {"effect": effect}})}})
    with pytest.raises(InvalidInput, match="the effect of POST /post is not valid") as refused:
        converted(slip, Choices())
    assert "'idempotent'" in str(refused.value.hint)


@pytest.mark.parametrize(
    "given",
    ["key", {}, {"input": "none"}, {"input": "key", "longest": 0}, {"input": "key", "more": 1}],
)
def test_an_input_that_cannot_take_the_key_is_refused(given: Any) -> None:
    """It names a parameter or a member of the body, and how long a key may be."""
    parameters = [{"name": "key", "in": "query", "schema": {"type": "string"}}]
    about = {"effect": "idempotent", "idempotentBy": "key", "idempotencyInput": given}
    posted = operation(operationId="makeIt", parameters=parameters, **{"x-jackfield": about})
    with pytest.raises(InvalidInput, match="idempotencyInput"):
        converted(document({"/it": {"post": posted}}), Choices())
