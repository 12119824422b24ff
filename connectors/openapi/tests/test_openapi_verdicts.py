"""What a file says of successes: members by which they failed, in whole or in part, are not ready,
or say that there is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from jackfield.catalog import Catalog
from jackfield.connector import InvalidInput
from jackfield.testing import Answer, Provider
from jackfield_openapi.conversion import Choices, converted
from jackfield_store.runtime import Jackfield
from openapi_rig import document, generate, operation
from plugboard import declare, plugged

Json = Mapping[str, Any]
_ANSWERED = {
    "200": {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}}
}
_START = {"name": "start", "in": "query", "schema": {"type": "integer"}}
_NAMES = {"name": "names", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}


def _called(
    folder: Path,
    told: Json | list[Json],
    *answers: Any,
    read: bool = False,
    errors: Json | None = None,
    bare: bool = False,
    **more: Any,
) -> Any:
    """Invoke an action with the rules ``told`` against a provider that answers by a script; its
    waits cost nothing.
    """
    folder.mkdir(exist_ok=True)
    own = {
        "x-jackfield": {"failed": told, **more.pop("own", {})},
        "responses": more.pop("answered", _ANSWERED),
    }
    about = {
        "/things": {
            "get" if read else "post": operation(
                operationId="doThing", parameters=[_START, _NAMES], **own
            )
        }
    }
    table = {
        "code": ["/code", "/errors/0/code"],
        "message": "/message",
        "messageHeader": "X-Message",
        **({} if bare else {"failed": {"member": "/fault"}}),
        **(errors or {}),
    }
    generate(
        folder,
        document(
            about,
            servers=[{"url": "https://api.acme.example"}],
            **{"x-jackfield": {"errors": table}},
        ),
        "--key",
        "acme",
    )
    declare(
        folder / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    options: dict[str, Any] = {
        "database_url": "none",
        "clock": FakeClock(),
        "environment": {"JACKFIELD_HOME": str(folder)},
    }
    with (
        Provider(list(answers)) as provider,
        plugged(folder / "made"),
        Jackfield(catalog=Catalog.installed(), **options) as jackfield,
    ):
        connection = {"type": "acme/anonymous", "values": {"server": provider.url}}
        call = {
            "connector": "acme",
            "action": "doThing",
            "connection": connection,
            "inputs": more.pop("inputs", {}),
            "timeoutSeconds": 9,
        }
        return jackfield.invoke({**call, **more}).to_json()


_DONE: Json = {"member": "/state", "equals": ["failed", "refused"]}
_CODE: Json = {"member": "/code", "unless": [200, "200"]}
_WORDS: Json = {"member": "/note", "contains": "not all", "onlyWarns": True}


@pytest.mark.parametrize(
    ("rule", "body", "status"),
    [
        (_DONE, {"state": "failed"}, "failed"),
        (_DONE, {"state": "refused"}, "failed"),
        (_DONE, {"state": "running"}, "succeeded"),
        (_DONE, {"state": ["failed"]}, "succeeded"),
        (_DONE, {}, "succeeded"),
        (_DONE, {"fault": "no"}, "failed"),
        (_CODE, {"code": 401}, "failed"),
        (_CODE, {"code": 200}, "succeeded"),
        (_CODE, {"code": "200"}, "succeeded"),
        (_CODE, {}, "succeeded"),
        (_CODE, {"code": None}, "succeeded"),
        (_CODE, {"code": 0}, "failed"),
        (_WORDS, {"note": "Sent, but Not All got it."}, "warned"),
        (_WORDS, {"note": "Sent."}, "succeeded"),
        (_WORDS, {"note": 7}, "succeeded"),
        (_WORDS, {"note": "not all", "fault": "no"}, "failed"),
        ([_WORDS, _DONE], {"note": "not all", "state": "failed"}, "failed"),
        ([_DONE, _WORDS], {"note": "not all"}, "warned"),
        ({"member": "/deleted", "equals": False}, {"deleted": False}, "failed"),
        ({"member": "/deleted", "equals": False}, {}, "succeeded"),
        ({"member": "/deleted", "equals": False}, {"deleted": 0}, "succeeded"),
        ({"member": "/old", "equals": True, "without": "/rows"}, {"old": True}, "failed"),
        (
            {"member": "/old", "equals": True, "without": "/rows"},
            {"old": True, "rows": [1]},
            "succeeded",
        ),
        (
            {"items": "/images", "member": "", "equals": None},
            {"images": {"a": None, "b": "https://x.example"}},
            "warned",
        ),
        (
            {"items": "/images", "member": "", "equals": None},
            {"images": {"a": "", "b": "x"}},
            "succeeded",
        ),
        (
            {"items": "/parts", "member": "/why", "equals": ["SAFETY", "SPII"]},
            {"parts": [{"why": "SPII"}]},
            "failed",
        ),
        (
            {"items": "/parts", "member": "/why", "unless": "SUCCESS"},
            {"parts": [{"why": "NO"}, {"why": "SUCCESS"}, {}]},
            "warned",
        ),
        (
            [{"items": "/parts"}, {"items": "/groups", "onlyWarns": True}],
            {"parts": [], "groups": ["NO"]},
            "warned",
        ),
        (
            [{"items": "/parts", "member": "/why"}, _WORDS],
            {"parts": [{"why": "NO"}, {}], "note": "not all"},
            "warned",
        ),
    ],
)
def test_a_success_is_what_its_members_say(
    tmp_path: Path, rule: Any, body: Json, status: str
) -> None:
    """The rules of the action and of the whole file count; a failure of the whole beats a
    warning.
    """
    found = _called(tmp_path, rule, Answer(body))
    warned = [one for one in found["meta"].get("warnings", ()) if one.get("code") == "partial"]
    assert (found["status"], bool(warned)) == (
        "succeeded" if status == "warned" else status,
        status == "warned",
    )


_NAMED: Json = {"items": "/done", "input": "/names", "named": "/name"}


@pytest.mark.parametrize(
    ("more", "done", "ends"),
    [
        ({}, ["a", "b"], ("succeeded", [])),
        ({}, ["b"], ("succeeded", ["/names/0"])),
        ({}, [], ("failed", [])),
        ({"onlyWarns": True}, [], ("succeeded", ["/names/0", "/names/1"])),
        ({}, ["b", "c", "a"], ("succeeded", [])),
        ({}, None, ("succeeded", [])),
    ],
)
def test_what_an_answer_leaves_out_was_not_done(
    tmp_path: Path, more: Json, done: Any, ends: Any
) -> None:
    """Supabase lists the files that it deleted, and says nothing of those that a policy keeps: each
    has a warning.
    """
    body = {} if done is None else {"done": [{"name": name} for name in done]}
    found = _called(tmp_path, {**_NAMED, **more}, Answer(body), inputs={"names": ["a", "b"]})
    entries = [
        entry for one in found["meta"].get("warnings", ()) for entry in one.get("entries", ())
    ]
    assert (found["status"], [entry["input"] for entry in entries]) == ends


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ({"member": "/ready", "equals": False, "pending": True}, Answer({"ready": False})),
        ({"status": 202, "pending": True}, Answer({}, 202)),
    ],
)
def test_work_that_goes_on_is_no_result(tmp_path: Path, rule: Json, answer: Answer) -> None:
    """A read asks again until its deadline, which may be tried later; what began the work has a
    warning.
    """
    ready = _called(
        tmp_path / "a", rule, answer, answer, Answer({"ready": True, "rows": [1]}), read=True
    )
    assert (ready["status"], ready["output"]["rows"]) == ("succeeded", [1])
    never = _called(tmp_path / "b", rule, *[answer] * 30, read=True)
    assert (
        never["error"]["code"],
        never["error"]["retryable"],
        never["error"]["retryAfterSeconds"],
    ) == ("timeout", True, 2)
    begun = _called(tmp_path / "c", rule, answer)
    assert (
        begun["status"],
        ["goes on" in one["message"] for one in begun["meta"]["warnings"]],
    ) == ("succeeded", [True])


@pytest.mark.parametrize(
    ("rule", "answer"),
    [
        ({"status": 204, "absent": True}, Answer(None, 204, content=b"")),
        ({"member": "/rows", "equals": [[]], "absent": True}, Answer({"rows": []})),
    ],
)
def test_what_does_not_exist_is_not_found(tmp_path: Path, rule: Json, answer: Answer) -> None:
    """Some providers answer a read of a thing that is not there with a success without it."""
    assert _called(tmp_path, rule, answer, read=True)["error"]["code"] == "not_found"


_BESIDE: Json = {
    "status": 400,
    "member": "/message",
    "contains": "was shared",
    "message": "/message",
    "onlyWarns": True,
}


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"message": "It was shared, but no mail was sent."}, 400, "succeeded"),
        ({"message": "It is there."}, 400, "succeeded"),
        ({"message": "No such person"}, 400, "failed"),
        ({"message": "It was shared"}, 403, "failed"),
        ("<html>was shared</html>", 400, "failed"),
    ],
)
def test_a_refusal_of_something_beside_it_is_a_success(
    tmp_path: Path, body: Any, status: int, told: str
) -> None:
    """A refusal that says that the request was carried out is a success with a warning, also at the
    first attempt.
    """
    found = _called(tmp_path, [_BESIDE, {**_BESIDE, "contains": "is there"}], Answer(body, status))
    assert (found["status"], [one["code"] for one in found["meta"].get("warnings", ())]) == (
        told,
        ["partial"] * (told == "succeeded"),
    )


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"X-Login": "AUTHENTICATED_FAILED"}, 200, "unauthenticated"),
        ({"x-login": "AUTHENTICATED_FAILED"}, 404, "unauthenticated"),
        ({"X-Login": "OK"}, 200, None),
        ({"X-Login": "OK"}, 404, "not_found"),
        ({}, 200, None),
    ],
)
@pytest.mark.parametrize("read", [True, False])
def test_a_header_field_says_that_nobody_was_known(
    tmp_path: Path, headers: Any, status: int, code: str | None, read: bool
) -> None:
    """A provider that answers as to a stranger says so in a header field: an empty list is none,
    and nothing was done before.
    """
    said = {"header": "X-Login", "contains": "authenticated_failed"}
    rows = [{"when": said, "error": "unauthenticated", "hint": "Connect again."}]
    errors: dict[str, Any] = {"rows": rows, "failed": [said, {"member": "/fault"}]}
    found = _called(
        tmp_path, {"member": "/no"}, Answer({"rows": []}, status, headers), read=read, errors=errors
    )
    assert found.get("error", {}).get("code") == code
    if code == "unauthenticated" and not read:
        errors["doneBefore"] = [{"status": 404, "actions": ["doThing"]}]
        lost = _called(
            tmp_path / "lost",
            {"member": "/no"},
            "close",
            Answer({}, 404, headers),
            own={"effect": "idempotent"},
            errors=errors,
        )
        assert lost["status"] != "succeeded"


def test_a_page_that_lacks_something_is_not_complete(tmp_path: Path) -> None:
    """A list of which a page says that it was cut is not complete."""
    pages = {"pagination": {"kind": "offset", "input": "start", "items": "/rows"}}
    rule = {"member": "/state", "equals": "timeout", "onlyWarns": True}
    inputs = {"fetchAll": True}
    for state, complete in (("timeout", False), ("done", True)):
        answers = [Answer({"rows": [1], "state": state}), Answer({"rows": [], "state": "done"})]
        found = _called(tmp_path / state, rule, *answers, read=True, own=pages, inputs=inputs)
        assert (found["status"], found["meta"]["complete"]) == ("succeeded", complete)


def test_a_status_may_say_that_there_was_nothing_to_do(tmp_path: Path) -> None:
    """A change that changes nothing is a success with a warning, though its status is none of a
    success.
    """
    found = _called(tmp_path, {"status": 304, "onlyWarns": True}, Answer(None, 304, content=b""))
    assert (
        found["status"],
        ["nothing to do" in one["message"] for one in found["meta"]["warnings"]],
    ) == ("succeeded", [True])


@pytest.mark.parametrize(
    ("read", "more", "lacks"),
    [(True, {"onlyWarns": True}, True), (False, {"onlyWarns": True}, False), (True, {}, False)],
)
def test_items_of_a_read_that_lack_something(
    tmp_path: Path, *, read: bool, more: Json, lacks: bool
) -> None:
    """Nothing was refused where a list within an item of a read is cut."""
    rule = {"items": "/rows", "member": "/cut", **more}
    result = _called(
        tmp_path, rule, Answer({"rows": {"a": {"cut": True}, "b": {"cut": False}}}), read=read
    )
    said = " ".join(one["message"] for one in result["meta"]["warnings"])
    assert (
        result["status"],
        "the answer lacks something at '/rows/a'" in said,
        "failed" in said,
    ) == ("succeeded", lacks, not lacks)


@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (Answer(None, 202, content=b""), ("timeout", "succeeded")),
        (Answer({"id": "1"}, 202), (None, "in_doubt")),
        (Answer(None, 204, content=b""), (None, "succeeded")),
    ],
)
def test_an_empty_202_that_nobody_declared_is_no_result(
    tmp_path: Path, answer: Answer, ends: tuple[str | None, str]
) -> None:
    """ServiceNow answers so from a full queue: a read is asked again, and a change has a warning
    that it goes on. With content that nobody declared either, it shows no success of a change.
    """
    read = _called(
        tmp_path / "read", [], *[answer] * 20, read=True, errors={"failed": {"member": "/fault"}}
    )
    assert read.get("error", {}).get("code") == ends[0]
    change = _called(tmp_path / "change", [], answer)
    goes_on = [one for one in change["meta"].get("warnings", ()) if "goes on" in one["message"]]
    assert (change["status"], bool(goes_on)) == (ends[1], ends[0] is not None)


_EMPTY = Answer(None, 200, content=b"")


@pytest.mark.parametrize(
    ("read", "answers", "ends"),
    [
        (True, [_EMPTY] * 20, ("failed", "unavailable", 0)),
        (True, [_EMPTY, Answer({"id": "1"})], ("succeeded", None, 0)),
        (True, [Answer(None, 204, content=b"")], ("succeeded", None, 0)),
        (False, [_EMPTY], ("in_doubt", "in_doubt", 0)),
        (False, [Answer(None, 201, content=b"")], ("succeeded", None, 1)),
        (False, [Answer(None, 204, content=b"")], ("succeeded", None, 0)),
    ],
)
def test_a_success_without_its_body_is_no_silent_one(
    tmp_path: Path, read: bool, answers: list[Answer], ends: Any
) -> None:
    """Nothing is read from an empty body: a read asks again, and what changed something says at
    least that its output is missing.
    """
    found = _called(tmp_path, [], *answers, read=read)
    told = [one for one in found["meta"].get("warnings", ()) if "has no body" in one["message"]]
    assert (found["status"], found.get("error", {}).get("code"), len(told)) == ends


_PAGE = b"\n<!DOCTYPE html><html><title>Sign in</title></html>"


@pytest.mark.parametrize(
    ("effect", "answer", "ends"),
    [
        (
            "write",
            Answer(None, 200, {"Content-Type": "text/html; charset=utf-8"}, content=_PAGE),
            ("in_doubt", "in_doubt"),
        ),
        (
            "idempotent",
            Answer(None, 200, {"Content-Type": "text/html"}, content=b"<HTML lang=en>"),
            ("failed", "unavailable"),
        ),
        (
            "write",
            Answer(None, 200, {"Content-Type": "text/html"}, content=b"OK"),
            ("in_doubt", "in_doubt"),
        ),
        (
            "write",
            Answer(None, 200, {"Content-Type": "text/plain"}, content=b"ok"),
            ("in_doubt", "in_doubt"),
        ),
        ("write", Answer({"id": "1"}), ("in_doubt", "in_doubt")),
        ("write", Answer({}), ("succeeded", None)),
        ("write", Answer(None, 200, content=b""), ("succeeded", None)),
        ("write", Answer(None, 204, content=b""), ("succeeded", None)),
    ],
)
def test_what_has_no_body_has_no_success_with_one(
    tmp_path: Path, effect: str, answer: Answer, ends: tuple[str, str | None]
) -> None:
    """A proxy that asks to sign in, or a firewall that checks its visitor, answers 200 with a page
    or a text in place of the provider, whose answer is declared as a 204.
    """
    found = _called(
        tmp_path, [], *[answer] * 20, own={"effect": effect}, answered={"204": {"description": ""}}
    )
    assert (found["status"], found.get("error", {}).get("code")) == ends


@pytest.mark.parametrize("more", [{}, {"code": "/why"}])
def test_a_member_of_the_item_is_no_message_of_a_refusal(tmp_path: Path, more: Json) -> None:
    """What is refused has its code as its reason, and none that some other member looks like."""
    rule = {"items": "/choices", "member": "/why", "equals": "error", **more}
    found = _called(
        tmp_path, rule, Answer({"choices": [{"why": "error", "message": {"role": "assistant"}}]})
    )
    assert (found["error"]["code"], "assistant" in found["error"]["message"]) == ("rejected", False)


def test_lists_beside_the_items_are_joined(tmp_path: Path) -> None:
    """A provider that pages two lists together has all of both in the output of all pages."""
    pages = {
        "pagination": {"kind": "offset", "input": "start", "items": "/rows", "also": ["/folders"]}
    }
    answers = [
        Answer({"rows": [1], "folders": ["a"]}),
        Answer({"rows": [2], "folders": ["b"]}),
        Answer({"rows": []}),
    ]
    found = _called(
        tmp_path, {"member": "/no"}, *answers, read=True, own=pages, inputs={"fetchAll": True}
    )
    assert (found["output"], found["meta"]["complete"]) == (
        {"rows": [1, 2], "folders": ["a", "b"]},
        True,
    )


@pytest.mark.parametrize(
    ("rule", "errors", "status"),
    [
        ({"member": "/cut", "onlyWarns": True}, {}, "succeeded"),
        ({"member": "/state", "equals": "queued", "pending": True}, {}, "succeeded"),
        ({"items": "/rows", "member": "/late", "onlyWarns": True}, {}, "succeeded"),
        ({"member": "/error"}, {}, "in_doubt"),
        ({"member": "/cut", "onlyWarns": True}, {"failed": {"member": "/fault"}}, "in_doubt"),
        (
            [{"member": "/cut", "onlyWarns": True}, {"items": "/rows", "member": "/error"}],
            {},
            "in_doubt",
        ),
    ],
)
def test_a_rule_that_only_warns_makes_no_doubt(
    tmp_path: Path, rule: Any, errors: Json, status: str
) -> None:
    """A body in an unknown charset could only have said what else there is, if the status and the
    type are those declared.
    """
    body = b'{"id": "1", "name": "\xff"}'
    cut = Answer(None, 200, {"Content-Type": "application/json"}, content=body)
    result = _called(tmp_path, rule, cut, errors=errors, bare=True)
    assert result["status"] == status


@pytest.mark.parametrize(
    "told",
    [
        {"member": "/state", "equal": "failed"},
        {"member": "state"},
        {"items": "/rows", "mixed": [200]},
        {"status": 202},
        [{"member": "/a"}, {"status": 400, "member": "/b"}],
        {"member": "/a", "pending": "yes"},
    ],
)
def test_a_rule_with_a_wrong_word_is_refused(told: Any) -> None:
    """Rules of an action are judged as the file's own are: a misspelt one would count for nothing,
    or for too much.
    """
    about = {
        "/things": {
            "post": operation(
                operationId="doThing", responses=_ANSWERED, **{"x-jackfield": {"failed": told}}
            )
        }
    }
    with pytest.raises(InvalidInput, match="'x-jackfield' of POST /things is not valid: 'failed"):
        converted(document(about), Choices())


@pytest.mark.parametrize(
    ("members", "read", "status"),
    [
        ((), True, "failed"),
        ((), False, "in_doubt"),
        (("state",), False, "in_doubt"),
        (("error",), True, "succeeded"),
        (("error",), False, "in_doubt"),
    ],
)
def test_an_error_is_an_output_where_the_document_declares_one(
    tmp_path: Path, members: tuple[str, ...], read: bool, status: str
) -> None:
    """A look at something that failed has an error to tell; elsewhere a body that is only an error
    is no success, and a word that errors have shows none of a change.
    """
    schema = {"type": "object", "properties": {name: {} for name in members}}
    answered = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
    result = _called(
        tmp_path,
        [],
        Answer({"error": "out of paper", "status": "failed"}),
        read=read,
        answered=answered,
        bare=True,
    )
    assert result["status"] == status
