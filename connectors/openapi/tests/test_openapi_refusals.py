"""What a file says of a provider's refusals: waits in the body, quotas, several places of the
message, codes of GraphQL, ended approvals, ends of lists by their total, and values of paths that
are encoded twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

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
_ROWS: list[Json] = [
    {
        "status": 429,
        "when": {"member": "/policy", "equals": "DAILY"},
        "error": "quota_exceeded",
        "hint": "Wait until midnight.",
    },
    {"status": 429, "message": "per month", "error": "quota_exceeded"},
    {
        "status": 429,
        "error": "rate_limited",
        "wait": {"member": "/parameters/retry_after", "seconds": 30},
    },
    {"codes": ["LOCKED"], "error": "rate_limited"},
    {"status": 530, "error": "rate_limited"},
    {"status": 502, "when": {"member": "/slow", "equals": True}, "error": "rate_limited"},
    {"codes": ["BUSY"], "status": 400, "error": "rate_limited", "wait": {"member": "/wait"}},
    {"status": 420, "when": {"member": "/fatal", "equals": True}, "error": "forbidden"},
]
_PLACES = ["/message", "/fields", "/errors"]
_LIST = {
    "200": {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}}
}


def _source(**more: Any) -> dict[str, Any]:
    """A document of an API with a table of errors, a list by offset, and a path with an ID."""
    pages = {
        "kind": "offset",
        "input": "start",
        "items": "/rows",
        "total": "/total",
        "totalEnds": True,
    }
    start = {"name": "start", "in": "query", "schema": {"type": "integer"}}
    thing = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "x-jackfield": {"encode": "twice"},
    }
    paths = {
        "/things": {
            "post": operation(operationId="makeThing"),
            "get": operation(operationId="showThings"),
        },
        "/rows": {
            "get": {
                "operationId": "listRows",
                "parameters": [start],
                "responses": _LIST,
                "x-jackfield": {"pagination": pages},
            }
        },
        "/things/{id}/parts": {"get": operation(operationId="getThing", parameters=[thing])},
    }
    errors = {"code": "/code", "message": _PLACES, "rows": _ROWS}
    return document(
        paths,
        servers=[{"url": "https://api.acme.example"}],
        **{"x-jackfield": {"errors": errors}, **more},
    )


@contextmanager
def _running(folder: Path, clock: FakeClock, database: str) -> Iterator[Jackfield]:
    """Run a runtime that has the generated connector."""
    declare(
        folder / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    home = {"JACKFIELD_HOME": str(folder)}
    with (
        plugged(folder / "made"),
        Jackfield(
            catalog=Catalog.installed(), database_url=database, clock=clock, environment=home
        ) as found,
    ):
        yield found


def _called(
    folder: Path, action: str, *answers: Any, source: Json | None = None, **inputs: Any
) -> tuple[Any, Provider, FakeClock]:
    """Invoke an action against a provider that answers by a script; its waits cost nothing."""
    clock = FakeClock()
    generate(folder, _source() if source is None else source, "--key", "acme")
    with Provider(list(answers)) as provider, _running(folder, clock, "none") as jackfield:
        connection = {"type": "acme/anonymous", "values": {"server": provider.url}}
        call = {
            "connector": "acme",
            "action": action,
            "connection": connection,
            "inputs": inputs,
            "timeoutSeconds": 600,
        }
        return jackfield.invoke(call), provider, clock


def _limit(status: int = 429, **members: Any) -> Answer:
    headers = members.pop("headers", {})
    return Answer(members, status, headers)


@pytest.mark.parametrize(
    "answer",
    [
        _limit(503, code="LOCKED"),
        _limit(500, code="LOCKED"),
        _limit(529, code="LOCKED"),
        _limit(502, slow=True),
    ],
    ids=["503", "500", "529", "member"],
)
def test_a_throttling_code_is_a_refusal_whatever_its_status(tmp_path: Path, answer: Answer) -> None:
    """A write whose answer names a limit by its code or a member was not carried out: the write is
    repeated.
    """
    result, provider, _ = _called(tmp_path, "makeThing", answer, Answer({"id": 1}))
    assert (result.status, len(provider.requests)) == ("succeeded", 2)


@pytest.mark.parametrize(
    "answer", [_limit(530), _limit(503, code="OTHER"), _limit(503), _limit(502, slow=False)]
)
def test_a_failure_of_the_server_alone_leaves_a_write_in_doubt(
    tmp_path: Path, answer: Answer
) -> None:
    """A status from 500 without such a code leaves open whether the write was carried out, also if
    a row calls the status a limit.
    """
    result, provider, _ = _called(tmp_path, "makeThing", answer, Answer({"id": 1}))
    assert (result.status, len(provider.requests)) == ("in_doubt", 1)


WAITS: dict[str, tuple[Answer, float]] = {
    "in the body": (_limit(parameters={"retry_after": 35}), 35),
    "as text": (_limit(parameters={"retry_after": "35"}), 35),
    "as a duration": (_limit(parameters={"retry_after": "1m5s"}), 65),
    "with a fraction": (_limit(parameters={"retry_after": 1.5}), 1.5),
    "the body beats the field": (
        _limit(parameters={"retry_after": 35}, headers={"Retry-After": "3"}),
        35,
    ),
    "in the field": (_limit(headers={"Retry-After": "7"}), 7),
    "documented alone": (_limit(), 30),
    "null": (_limit(parameters={"retry_after": None}), 30),
    "an object": (_limit(parameters={"retry_after": {}}), 30),
    "true": (_limit(parameters={"retry_after": True}), 30),
    "words": (_limit(parameters={"retry_after": "soon"}), 30),
    "of a code and a status": (_limit(400, code="BUSY", wait=12), 12),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_wait_is_kept(tmp_path: Path, name: str) -> None:
    """The request is sent again after what the body says, a header field, or the documentation."""
    refusal, seconds = WAITS[name]
    result, provider, clock = _called(tmp_path, "makeThing", refusal, Answer({}))
    assert (result.status, len(provider.requests)) == ("succeeded", 2)
    assert seconds <= clock.waited < seconds + 1


def test_a_wait_beyond_the_deadline(tmp_path: Path) -> None:
    """It is told, and nothing is sent for nothing."""
    result, provider, _ = _called(tmp_path, "makeThing", _limit(parameters={"retry_after": 3_600}))
    assert (result.error.code, result.error.retry_after, len(provider.requests)) == (
        "rate_limited",
        3_600,
        1,
    )


QUOTAS = [
    _limit(policy="DAILY", parameters={"retry_after": 1}),
    _limit(message="10,000 requests Per Month are used up"),
]


@pytest.mark.parametrize("refusal", QUOTAS, ids=["by a member", "by words"])
def test_a_quota_is_none_of_rate(tmp_path: Path, refusal: Answer) -> None:
    """A limit of the day has the status of one of seconds: it is told by a member or by its words,
    and not tried again.
    """
    result, provider, _ = _called(tmp_path, "showThings", refusal)
    assert (result.error.code, result.error.retryable, len(provider.requests)) == (
        "quota_exceeded",
        False,
        1,
    )


@pytest.mark.parametrize(
    ("fatal", "code"),
    [(True, "forbidden"), (1, "rejected"), ("true", "rejected"), (None, "rejected")],
)
def test_a_member_is_compared_as_it_is(tmp_path: Path, fatal: Any, code: str) -> None:
    """True is not 1, and no text."""
    assert _called(tmp_path, "makeThing", _limit(420, fatal=fatal))[0].error.code == code


MESSAGES: dict[str, tuple[Json, str]] = {
    "one": ({"message": "No."}, "No."),
    "two": ({"message": "Not valid", "fields": ["name is missing"]}, "Not valid; name is missing"),
    "an object": (
        {"errors": {"summary": "You must specify a summary"}},
        "summary: You must specify a summary",
    ),
    "lists in an object": (
        {"errors": {"email": ["is taken", "is bad"]}},
        "email: is taken; email: is bad",
    ),
    "objects with words": (
        {"errors": [{"Message": "Must be unique", "Id": 7}, {"message": "Again"}]},
        "Must be unique; Again",
    ),
    "each once": ({"message": "No.", "fields": ["No.", "no"]}, "No.; no"),
    "at most five": ({"fields": [f"f{number}" for number in range(9)]}, "f0; f1; f2; f3; f4"),
    "none of them": ({"detail": "Elsewhere"}, "Elsewhere"),
    "empty ones": ({"message": "", "fields": [], "errors": {}, "detail": "Elsewhere"}, "Elsewhere"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_of_several_places(tmp_path: Path, name: str) -> None:
    """The texts of all that are there are one message, so that it names what to correct."""
    body, message = MESSAGES[name]
    error = _called(tmp_path, "makeThing", Answer({"code": "X", **body}, 400))[0].error
    assert (error.provider.message, message in error.message) == (message, True)


TOTALS: dict[str, tuple[list[Json], int, bool]] = {
    "one page": ([{"rows": [1, 2], "total": 2}], 1, True),
    "as text": ([{"rows": [1, 2], "total": "2"}], 1, True),
    "two pages": ([{"rows": [1, 2], "total": 3}, {"rows": [3], "total": 3}], 2, True),
    "nothing, without its list": ([{"total": "0"}], 1, True),
    "without its list, behind the last": ([{"rows": [1], "total": 2}, {"total": 1}], 2, True),
    "no total": ([{"rows": [1]}, {"rows": []}], 2, True),
    "no number": ([{"rows": [1], "total": "many"}, {"rows": [], "total": True}], 2, True),
    "fewer than its total": ([{"rows": [1], "total": 5}, {"total": 5}], 2, False),
}


@pytest.mark.parametrize("name", TOTALS)
def test_a_list_ends_by_its_total(tmp_path: Path, name: str) -> None:
    """Once so many items were read, nothing is asked for any more; a page without its list ends
    nothing before.
    """
    pages, count, is_complete = TOTALS[name]
    result, provider, _ = _called(
        tmp_path, "listRows", *(Answer(page) for page in pages), fetchAll=True
    )
    assert (result.status, len(provider.requests), result.meta.complete) == (
        "succeeded",
        count,
        is_complete,
    )


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("abc==", "abc%3D%3D"),
        ("a/b", "a%2Fb"),
        ("/ajXp112QmuoKj4854875==", "%252FajXp112QmuoKj4854875%253D%253D"),
        ("a//b", "a%252F%252Fb"),
        ("%2Fa", "%252Fa"),
    ],
)
def test_a_value_that_is_encoded_twice(tmp_path: Path, given: str, sent: str) -> None:
    """One that begins with a slash, or has two in a row, is: servers split a path at those although
    they are encoded.
    """
    result, provider, _ = _called(tmp_path, "getThing", Answer({}), id=given)
    assert (result.status, provider.requests[0].path) == ("succeeded", f"/things/{sent}/parts")


def _graphql(query: str, **more: Any) -> dict[str, Any]:
    about = {"graphql": {"query": query, "result": "/data/viewer"}}
    paths = {"/graphql": {"post": operation(operationId="createAsk", **{"x-jackfield": about})}}
    return document(
        paths, servers=[{"url": "https://api.acme.example"}], **{"x-jackfield": {"errors": more}}
    )


CODES: dict[str, tuple[Json, str]] = {
    "UNAUTHENTICATED": ({"code": "UNAUTHENTICATED"}, "unauthenticated"),
    "FORBIDDEN": ({"code": "FORBIDDEN"}, "forbidden"),
    "NOT_FOUND": ({"code": "NOT_FOUND"}, "rejected"),
    "a status of what was asked for": ({"code": "X", "status": 404}, "rejected"),
    "THROTTLED": ({"code": "THROTTLED"}, "rate_limited"),
    "RATELIMITED": ({"code": "RATELIMITED"}, "rate_limited"),
    "a status": ({"code": "X", "status_code": 429}, "rate_limited"),
    "a status in another form": ({"statusCode": 403}, "forbidden"),
    "a status of Apollo": ({"code": "X", "http": {"status": 401}}, "unauthenticated"),
    "a status that is none": ({"code": "X", "status": 200}, "rejected"),
    "a word as status": ({"status": "429"}, "rejected"),
    "another code": ({"code": "BAD_USER_INPUT"}, "rejected"),
    "nothing": ({}, "rejected"),
}


@pytest.mark.parametrize(
    "query", ["query { viewer { id } }", "mutation { viewer { id } }"], ids=["query", "mutation"]
)
@pytest.mark.parametrize("name", CODES)
def test_codes_of_graphql(tmp_path: Path, name: str, query: str) -> None:
    """An error in a success has a code or a status in its extensions, which counts as that of HTTP
    does.
    """
    extensions, code = CODES[name]
    refusal = Answer({"errors": [{"message": "No.", "extensions": extensions}], "data": None})
    result, provider, _ = _called(tmp_path, "createAsk", refusal, source=_graphql(query))
    assert (result.error.code, len(provider.requests) > 1) == (code, code == "rate_limited")


def test_a_wait_of_graphql(tmp_path: Path) -> None:
    """It stands in the extensions, too."""
    rows = [
        {
            "codes": ["MINUTE"],
            "error": "rate_limited",
            "wait": {"member": "/errors/0/extensions/retry_in_seconds"},
        }
    ]
    refusal = Answer(
        {"errors": [{"message": "No.", "extensions": {"code": "MINUTE", "retry_in_seconds": 20}}]}
    )
    answers = (refusal, Answer({"data": {"viewer": {"id": 1}}}))
    result, _, clock = _called(
        tmp_path, "createAsk", *answers, source=_graphql("mutation { viewer { id } }", rows=rows)
    )
    assert (result.status, 20 <= clock.waited < 21) == ("succeeded", True)


_OF_SERVER: dict[str, list[Json]] = {
    "its code": [{"code": "INTERNAL_SERVER_ERROR"}],
    "a code of time": [{"code": "TIMEOUT"}],
    "a code of load": [{"code": "SERVICE_UNAVAILABLE"}],
    "a status": [{"code": "X", "status_code": 500}],
    "a status in another form": [{"statusCode": 502}],
    "a status of Apollo": [{"http": {"status": 504}}],
    "its code beside a status of success": [{"code": "INTERNAL_SERVER_ERROR", "status_code": 200}],
    "of the second error": [{"code": "X"}, {"status": 503}],
}


@pytest.mark.parametrize("data", [None, {}, [], {"viewer": None}], ids=str)
@pytest.mark.parametrize("name", _OF_SERVER)
def test_a_failure_of_a_graphql_server(tmp_path: Path, name: str, data: Any) -> None:
    """As with HTTP's 500, nobody knows what was done: a write is in doubt, and what may be repeated
    is.
    """
    failure = {
        "errors": [{"message": "No.", "extensions": one} for one in _OF_SERVER[name]],
        "data": data,
    }
    answers = (Answer(failure), Answer({"data": {"viewer": {"id": 1}}}))
    for folder, query, effect, status in (
        ("write", "mutation { viewer { id } }", "write", "in_doubt"),
        ("idempotent", "mutation { viewer { id } }", "idempotent", "succeeded"),
        ("read", "query { viewer { id } }", "read", "succeeded"),
    ):
        (tmp_path / folder).mkdir()
        source = _graphql(query)
        source["paths"]["/graphql"]["post"]["x-jackfield"]["effect"] = effect
        result, provider, _ = _called(tmp_path / folder, "createAsk", *answers, source=source)
        assert (effect, result.status, len(provider.requests)) == (
            effect,
            status,
            1 if effect == "write" else 2,
        )


@pytest.mark.parametrize(
    ("extensions", "code"),
    [
        ({"code": "TAKEN", "status": 500}, "conflict"),
        ({"code": "INTERNAL_SERVER_ERROR", "status": 404}, "rejected"),
        ({"code": "INTERNAL_SERVER_ERROR", "status": 401}, "unauthenticated"),
        ({"code": "THROTTLED", "status": 503}, "rate_limited"),
    ],
)
def test_a_graphql_error_that_says_more_than_failure(
    tmp_path: Path, extensions: Json, code: str
) -> None:
    """A row for its code, and a status of the caller's fault, say that nothing was done."""
    refusal = Answer({"errors": [{"message": "No.", "extensions": extensions}], "data": None})
    source = _graphql(
        "mutation { viewer { id } }", rows=[{"codes": ["TAKEN"], "error": "conflict"}]
    )
    result = _called(tmp_path, "createAsk", refusal, source=source)[0]
    assert (result.status, result.error.code) == ("failed", code)


@pytest.mark.parametrize(("code", "status"), [("GONE", "ended"), ("OTHER", "granted")])
def test_an_approval_that_has_ended(tmp_path: Path, code: str, status: str) -> None:
    """A code of the provider ends it at once, and the connection says so; another one does when it
    comes twice.
    """
    flow = {"authorizationUrl": "/auth", "tokenUrl": "/token", "scopes": {}}
    schemes = {"login": {"type": "oauth2", "flows": {"authorizationCode": flow}}}
    about = {"connections": {"loginAccount": {"refusedGrants": ["GONE"]}}}
    source = document(
        {"/me": {"get": operation(operationId="whoAmI", security=[{"login": []}])}},
        components={"securitySchemes": schemes},
        servers=[{"url": "https://api.acme.example"}],
        **{"x-jackfield": about},
    )
    kind = generate(tmp_path, source, "--key", "acme")["connectionTypes"][0]
    tokens = Answer({"access_token": "at-1", "refresh_token": "rt-1", "expires_in": 30})
    names = {name.lower().removeprefix("login"): name for name in kind["schema"]["properties"]}
    script = [tokens, Answer({"status": code, "message": "no"}, 400)]
    with (
        Provider(script) as provider,
        _running(tmp_path, FakeClock(), f"sqlite:///{tmp_path}/j.db") as jackfield,
    ):
        given = {"clientid": "c", "clientsecret": "s", "server": provider.url}
        given |= {"tokenurl": f"{provider.url}/token", "authorizationurl": f"{provider.url}/auth"}
        values = {names[name]: value for name, value in given.items() if name in names}
        jackfield.connections.add(code, f"acme/{kind['key']}", values, test=False)
        begun = jackfield.connections.authorizing().begin(code, "http://127.0.0.1/cb")
        state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
        jackfield.connections.authorizing().complete(begun["id"], {"state": state, "code": "x"})
        error = jackfield.invoke(
            {"connector": "acme", "action": "whoAmI", "connection": code, "inputs": {}}
        ).error
        shown = jackfield.connections.show(code)["authorization"]
    assert error is not None
    assert (shown["status"], error.code == "invalid_connection") == (status, status == "ended")
    assert ("Connect it: " in str(error)) is (status == "ended")


FAULTS: dict[str, Json] = {
    "a wait of nothing": {"rows": [{"status": 429, "error": "rate_limited", "wait": {}}]},
    "a negative wait": {
        "rows": [{"status": 429, "error": "rate_limited", "wait": {"seconds": -1}}]
    },
    "a wait at no pointer": {
        "rows": [{"status": 429, "error": "rate_limited", "wait": {"member": "retry"}}]
    },
    "a member without its value": {
        "rows": [{"status": 429, "error": "rate_limited", "when": {"member": "/a"}}]
    },
    "no places": {"message": []},
    "a place that is none": {"message": ["message"]},
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_a_table(name: str) -> None:
    """What says nothing is refused where the file is read."""
    with pytest.raises(InvalidInput):
        converted(
            document(
                {"/a": {"get": operation(operationId="a")}},
                **{"x-jackfield": {"errors": FAULTS[name]}},
            ),
            Choices(),
        )


_STEP: Json = {"totalEnds": None, "total": None, "step": "/limit"}


@pytest.mark.parametrize(
    "pages",
    [
        {"kind": "page"},
        {"totalEnds": "yes"},
        {"total": None},
        _STEP,
        {"lastHeader": "X-Last"},
        {"step": "limit"},
    ],
)
def test_faults_of_a_total(pages: Json) -> None:
    """Only a list by offset counts its items."""
    given = {
        "kind": "offset",
        "input": "start",
        "items": "/rows",
        "total": "/total",
        "totalEnds": True,
        **pages,
    }
    given = {name: value for name, value in given.items() if value is not None}
    start = {"name": "start", "in": "query", "schema": {"type": "integer"}}
    about = {
        "operationId": "listRows",
        "parameters": [start],
        "responses": _LIST,
        "x-jackfield": {"pagination": given},
    }
    with pytest.raises(InvalidInput, match="not valid"):
        converted(document({"/rows": {"get": about}}), Choices())
