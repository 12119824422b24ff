"""``/v1/connections``: made, shown masked, changed by the version that was seen, tested,
removed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from http_stand import Client, Stand, say, standing
from jackfield.callers import Rules

VALUES = {"token": "s3cret-4711", "greeting": "hello"}


def made(client: Client, name: str, **values: Any) -> Any:
    """A new connection."""
    answer = client.post(
        "/v1/connections", {"name": name, "type": "echo/token", "values": {**VALUES, **values}}
    )
    assert answer.status == 201, answer.body
    return answer


def test_a_connection_as_the_contract_shows_it(client: Client) -> None:
    """201, its place, its ETag; name, type, masked values, version, account, status, steps of its
    test.
    """
    answer = made(client, "whole")
    assert (answer.headers["location"], answer.headers["etag"]) == ("/v1/connections/whole", '"1"')
    shown = client.get("/v1/connections/whole").json
    assert shown == answer.json
    assert shown["values"] == {"token": "***", "greeting": "hello"}
    assert (shown["version"], shown["status"]) == (1, "ok")
    assert shown["account"] == {"id": "echo-1", "label": "The echo in the hall"}
    step = shown["lastTest"]["steps"][0]
    assert (
        step.items()
        >= {"key": "token", "title": "Present the token", "passed": True, "mandatory": True}.items()
    )


def test_saving_tests(client: Client) -> None:
    """One whose test fails is not kept, says why, and is kept by force or untested."""
    bad = {"name": "bad", "type": "echo/token", "values": {"token": "bad"}}
    refused = client.post("/v1/connections", bad)
    assert (refused.status, refused.json["code"]) == (422, "invalid_connection")
    assert "does not know the token" in refused.json["detail"]
    assert client.get("/v1/connections/bad").status == 404
    assert client.post("/v1/connections?force=true", bad).json["status"] == "failing"
    assert client.call("DELETE", "/v1/connections/bad").status == 204
    assert client.post("/v1/connections?test=false", bad).json["status"] == "untested"
    assert client.call("DELETE", "/v1/connections/bad").status == 204


LARGE = {f"m{number}": "a" for number in range(30_000)}
NEW = {"name": "x", "type": "echo/token", "values": VALUES}
CONNECTIONS, DRAFT, SAME = (
    "POST /v1/connections",
    "POST /v1/connections:test",
    "PUT /v1/connections/same",
)


@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [
        (CONNECTIONS, {"name": "x", "type": "echo/token"}, 400),
        (CONNECTIONS, {**NEW, "values": []}, 400),
        (CONNECTIONS, {**NEW, "name": 1}, 400),
        (CONNECTIONS, {**NEW, "name": ""}, 400),
        (CONNECTIONS, {**NEW, "type": ""}, 400),
        (CONNECTIONS, {**NEW, "more": 1}, 400),
        (CONNECTIONS, b"{", 400),
        (CONNECTIONS, {**NEW, "name": "same"}, 409),
        (CONNECTIONS, b"x" * (1024 * 1024 + 1), 413),
        (CONNECTIONS, b"name=x", 415),
        (CONNECTIONS, {**NEW, "name": "a/b"}, 400),
        (CONNECTIONS, {**NEW, "name": "."}, 400),
        (CONNECTIONS, {**NEW, "name": ".."}, 400),
        (CONNECTIONS, {**NEW, "type": "echo/nope"}, 422),
        (CONNECTIONS, {**NEW, "values": {}}, 422),
        (CONNECTIONS, {**NEW, "values": {"token": {"$env": "HOME"}}}, 422),
        (CONNECTIONS, {**NEW, "type": "aws/awsDefault", "values": {}}, 422),
        (CONNECTIONS, {**NEW, "values": LARGE}, 422),
        (DRAFT, {**NEW, "values": LARGE}, 422),
        (SAME, {"name": "", "values": {}}, 400),
        (SAME, {"type": "", "values": {}}, 400),
        (SAME, {"name": "other", "values": VALUES}, 409),
        (SAME, {"type": "aws/awsDefault", "values": VALUES}, 409),
    ],
    ids=lambda value: (
        None
        if isinstance(value, bytes) or (isinstance(value, dict) and value.get("values") is LARGE)
        else str(value)
    ),
)
def test_what_cannot_be_kept_is_a_problem(
    client: Client, operation: str, body: Any, status: int
) -> None:
    """Refusals are problem details, with code and details where values are at fault; a form from
    another site is no request, and values that are too large are refused by their size, before they
    are judged.
    """
    client.post("/v1/connections", {**NEW, "name": "same"})
    before = client.get("/v1/connections").json
    kind = "application/x-www-form-urlencoded" if status == 415 else "application/json"
    method, path = operation.split()
    answer = client.call(method, path, body, Content_Type=kind)
    assert (answer.status, answer.headers["content-type"], answer.json["status"]) == (
        status,
        "application/problem+json",
        status,
    )
    assert (answer.json.get("code") == "invalid_connection") == (status == 422)
    assert (
        not isinstance(body, dict)
        or body.get("values") is not LARGE
        or "bytes as JSON; the maximum is 262,144" in answer.body.decode()
    )
    assert client.get("/v1/connections").json == before


def test_a_stale_version_is_412(client: Client) -> None:
    """``If-Match`` with the version that was seen changes it; with an older one nothing is written,
    for PUT and DELETE.
    """
    made(client, "versions")
    path = "/v1/connections/versions"
    changed = client.call("PUT", path, {"values": {"greeting": "again"}}, If_Match='"1"')
    assert (changed.status, changed.headers["etag"], changed.json["values"]["greeting"]) == (
        200,
        '"2"',
        "again",
    )
    assert client.call("DELETE", path, If_Match="").status == 400
    for tag in ('"1"', 'W/"1"', '"x"', "2"):
        stale = client.call("PUT", path, {"values": {"greeting": "lost"}}, If_Match=tag)
        assert (stale.status, stale.headers["content-type"]) == (412, "application/problem+json")
        assert client.call("DELETE", path, If_Match=tag).status == 412
    assert client.get(path).json["values"]["greeting"] == "again"
    assert (
        client.call("PUT", path, {"values": {"greeting": "any"}}, If_Match="*").json["version"] == 3
    )
    assert (
        client.call("PUT", path, {"values": {"greeting": "two"}}, If_Match='"1", "3"').json[
            "version"
        ]
        == 4
    )
    # as proxies that compress pass a tag on
    for tag, version in (('W/"4"', 5), ('"5-gzip"', 6), ('"6-br"', 7)):
        assert client.get(path, If_None_Match=tag).status == 304
        assert (
            client.call("PUT", path, {"values": {"greeting": "more"}}, If_Match=tag).json["version"]
            == version
        )
    assert client.get(path, If_None_Match="*").status == 304
    assert client.call("DELETE", path, If_Match='"7"').status == 204
    assert client.get(path).status == 404


def test_l25_a_connection_of_a_file_is_409(tmp_path: Path) -> None:
    """A connection of a file cannot be replaced or removed: the answer is 409, and says which file
    to edit.
    """
    file = tmp_path / "connections.json"
    file.write_text(
        json.dumps({"connections": {"filed": {"type": "echo/token", "values": {"token": "t"}}}}),
        encoding="utf-8",
    )
    with standing(tmp_path, JACKFIELD_CONNECTIONS=str(file)) as stand:
        caller = stand.client()
        assert caller.get("/v1/connections/filed").status == 200
        for method, body in (("PUT", {"values": {"token": "u"}}), ("DELETE", None)):
            refused = caller.call(method, "/v1/connections/filed", body)
            assert (refused.status, "connections.json" in refused.json["detail"]) == (409, True)


def test_l25_parameters_are_refused_by_the_patterns_of_the_document(client: Client) -> None:
    """The document has a pattern for each text in a query; what one takes is never refused for its
    form, and what none takes is 400.
    """
    document = client.get("/openapi.json").json
    for path, operation in (
        (path, item["get"])
        for path, item in document["paths"].items()
        if path.startswith("/v1/") and "get" in item
    ):
        for parameter in (
            item
            for item in operation["parameters"]
            if item["in"] == "query" and item["schema"]["type"] == "string"
        ):
            schema, name = parameter["schema"], parameter["name"]
            assert (
                "enum" in schema
                or name in ("since", "until", "from", "to", "fields")
                or "pattern" in schema
            ), (path, name)
    for cursor in ("1.5~0", "0~01890a5d-ac96-774b-bcce-b302099a8057"):
        assert client.get(f"/v1/invocations?cursor={cursor}").status == 200
    for path in (
        "invocations?cursor=x~y",
        "audit?cursor=-1",
        "actions?cursor=1e3",
        "connectors?cursor=a/b",
        "triggers?cursor=s-k6M",
        "audit?cursor=s-k6M",
    ):
        assert "must be a cursor that a list returned" in client.get(f"/v1/{path}").json["detail"]


def test_a_test_answers_its_steps(client: Client) -> None:
    """A connection that is tested, and a draft that is not kept."""
    made(client, "tried")
    assert client.post("/v1/connections/tried/test").json["lastTest"]["steps"][0]["passed"] is True
    draft = client.post("/v1/connections:test", {"type": "echo/token", "values": {"token": "bad"}})
    assert (draft.status, draft.json["status"]) == (200, "failing")
    assert draft.json["lastTest"]["steps"][0]["hint"]


def test_the_list_is_paged_by_name(client: Client) -> None:
    """Each connection is on one page; ``q`` narrows, and so does a type, also one that is not
    installed.
    """
    for number in range(5):
        made(client, f"page-{number}")
    names, cursor = [], ""
    while True:
        page = client.get(f"/v1/connections?q=page-&limit=2{cursor}").json
        assert len(page["items"]) <= 2
        names += [item["name"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert names == [f"page-{number}" for number in range(5)]
    assert client.get("/v1/connections?type=nowhere/unknown").json == {
        "items": [],
        "nextCursor": None,
    }
    for wrong in (
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=1&limit=2",
        "cursor=%00",
        "cursor=a/b",
        "limt=1",
    ):
        assert client.get(f"/v1/connections?{wrong}").status == 400, wrong


def test_secrets_never_come_out(client: Client) -> None:
    """No answer about a connection holds its secret."""
    made(client, "quiet")
    answers = [
        client.get("/v1/connections/quiet"),
        client.get("/v1/connections"),
        client.post("/v1/connections/quiet/test"),
        client.call("PUT", "/v1/connections/quiet", {"values": {"greeting": "hi"}}),
        client.post("/v1/invocations", say("say", "quiet", text="x", reveal=True)),
    ]
    assert [answer.status for answer in answers] == [200] * 5
    assert not [answer for answer in answers if b"s3cret-4711" in answer.body]


MAILBOX = {
    "hostname": "email-smtp.eu-west-1.amazonaws.com",
    "username": "AKIAUSER12345678",
    "password": "hunter2-secret",
}
KEYS = {
    "accessKeyId": "AKIAUSER12345678",
    "secretAccessKey": "hunter2-secret",
    "sessionToken": "session-secret",
    "region": "eu-west-1",
}


@pytest.mark.parametrize(
    ("name", "kind", "values", "moved", "secrets"),
    [
        ("smtp", "aws-ses/smtp", MAILBOX, {"hostname": "mail.attacker.example"}, ["/password"]),
        ("smtp-port", "aws-ses/smtp", MAILBOX, {"port": 465}, ["/password"]),
        (
            "keys",
            "aws/apiKeySecret",
            KEYS,
            {"endpoint": "https://attacker.example"},
            ["/secretAccessKey", "/sessionToken"],
        ),
    ],
)
@pytest.mark.parametrize("masks", [True, False], ids=["masked", "left out"])
def test_kept_secrets_are_not_sent_elsewhere(
    client: Client,
    name: str,
    kind: str,
    values: dict[str, Any],
    moved: dict[str, Any],
    secrets: list[str],
    masks: bool,
) -> None:
    """Who may change a connection and never saw its secrets cannot have them sent to a host of
    their own; with new ones they can.
    """
    name = f"{name}-{masks}"
    assert (
        client.post(
            "/v1/connections?test=false", {"name": name, "type": kind, "values": values}
        ).status
        == 201
    )
    path = f"/v1/connections/{name}?test=false"
    shown = client.get(f"/v1/connections/{name}").json["values"]
    known = (
        shown
        if masks
        else {field: value for field, value in values.items() if f"/{field}" not in secrets}
    )
    refused = client.call("PUT", path, {"values": {**known, **moved}})
    assert (refused.status, [detail["path"] for detail in refused.json["details"]]) == (
        422,
        secrets,
    )
    assert client.get(f"/v1/connections/{name}").json["values"] == shown
    assert client.call("PUT", path, {"values": {**known, "sender": "a@example.com"}}).status == 200
    anew = {secret.removeprefix("/"): "another-secret" for secret in secrets}
    assert client.call("PUT", path, {"values": {**known, **moved, **anew}}).status == 200


def test_a_replacement_may_name_the_type_as_its_creation_did(client: Client) -> None:
    """A type of a family has several names. Any of them is the stored one, and another type is none
    of them.
    """
    names = ["aws-ses/apiKeySecret", "aws/apiKeySecret", "apiKeySecret"]
    body = {"name": "either", "type": names[0], "values": KEYS}
    assert client.post("/v1/connections?test=false", body).json["type"] == names[1]
    path = "/v1/connections/either?test=false"
    for name in names:
        assert client.call("PUT", path, {**body, "type": name}).status == 200, name
    for name in (
        "aws-ses/smtp",
        "aws-ses/awsDefault",
        "aws-ses/apikeysecret",
        "nowhere/apiKeySecret",
    ):
        assert client.call("PUT", path, {**body, "type": name}).status == 409, name


def test_an_inline_connection_cannot_choose_an_external_id_for_the_host(
    stand: Stand, client: Client
) -> None:
    """The External ID of somebody else's role must not be used with the platform's own identity,
    unless the operator lets the workspace choose; with keys of their own callers deceive nobody.
    """
    values = {
        "roleARN": "arn:aws:iam::123456789012:role/victim",
        "externalId": "jf-HUT",
        "stsEndpoint": "http://127.0.0.1:9",
    }
    inputs = {
        "awsRegion": "eu-west-1",
        "to": ["a@example.com"],
        "sender": "b@example.com",
        "subject": "x",
        "text": "y",
    }

    def sent(**more: str) -> Any:
        inline = {"type": "awsAssumeRole", "values": {**values, **more}}
        mail = {
            "connector": "aws-ses",
            "action": "sendEmail",
            "connection": inline,
            "inputs": inputs,
            "timeoutSeconds": 1,
        }
        return client.post("/v1/invocations", mail).json["error"]

    workspaces = stand.host.runtime("default").access.workspaces
    try:
        workspaces.set("default", {"allowAmbient": True})
        refused = sent()
        assert (refused["code"], [detail["path"] for detail in refused["details"]]) == (
            "invalid_connection",
            ["/externalId"],
        )
        assert sent(accessKeyId="AKIAUSER12345678", secretAccessKey="x")["code"] in (
            "unavailable",
            "timeout",
        )
        workspaces.set("default", {"allowOwnExternalId": True})
        assert "chosen" not in sent()["message"]
    finally:
        workspaces.set("default", {"allowAmbient": False, "allowOwnExternalId": False})


@pytest.mark.parametrize(
    ("kind", "name", "values"),
    [
        (
            "aws/apiKeySecret",
            "endpoint",
            {
                "accessKeyId": "a",
                "secretAccessKey": "b",
                "region": "eu-west-1",
                "endpoint": "http://10.0.0.1:90",
            },
        ),
        ("aws-ses/smtp", "hostname", {"hostname": "10.0.0.1", "username": "a", "password": "b"}),
    ],
)
def test_n11_a_refused_host_is_told_at_its_value(
    client: Client, kind: str, name: str, values: dict[str, str]
) -> None:
    """N11: a connection that is not saved because of an internal host points at the value that
    names it.
    """
    refused = client.post("/v1/connections", {"name": "inside", "type": kind, "values": values})
    assert (refused.status, refused.json["code"]) == (422, "invalid_connection")
    (detail,) = refused.json["details"]
    assert detail["path"] == f"/{name}"
    assert "'10.0.0.1' is inside the operator's network" in detail["message"]


def test_rules_that_name_a_connection_let_it_be_added_first(tmp_path: Path) -> None:
    """Who may manage what is named ``hall`` adds it where there is no connection yet, under that
    name only, and then sees its actions.
    """
    with standing(tmp_path) as stand:
        client = stand.client(rules=Rules(("connection:hall",)))
        draft = {"type": "echo/token", "values": {"token": "t-4711"}}
        assert client.post("/v1/connections", {"name": "attic", **draft}).status == 403
        assert client.post("/v1/connections:test", {"name": "hall", **draft}).status == 200
        added = client.post("/v1/connections", {"name": "hall", **draft})
        assert (added.status, added.json["type"], added.json["values"]["token"]) == (
            201,
            "echo/token",
            "***",
        )
        assert client.post("/v1/invocations", say("say", "hall", text="x")).status == 200
        assert [row["key"] for row in client.get("/v1/connectors").json["items"]] == ["echo"]
