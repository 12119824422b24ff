"""A Result and its errors pass through what hosts pass things through: encoders, frameworks,
pickles, pools, sets.
"""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import importlib
import json
import multiprocessing
import pickle
import pprint
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastapi
import flask
import jsonschema
import orjson
import pydantic
import pytest
from celery import Celery
from fastapi.encoders import jsonable_encoder
from fastapi.testclient import TestClient

import jackfield
import jackfield.kernel.errors
from host_provider import Provider, request
from jackfield import Invocation, InvocationFailed, Jackfield, JackfieldError, Result
from jackfield.connector import Progress, RateLimit
from jackfield.invocation import Meta
from jackfield.kernel.errors import Conflict, Detail, InvalidInput, LimitReached, NotYet, Sent
from jackfield.kernel.errors import Provider as Said
from jackfield.kernel.hints import NextStep

_META = Meta(
    "0197a2f0-0000-7000-8000-000000000000",
    connector="echo",
    action="say",
    attempts=1,
    duration_ms=2.5,
    warnings=({"path": "/a"},),
)
_SAID = Said("E1", "no", 409, "r-1", {"a": [1]})
_HINT = NextStep("action_schema", connector="echo", action="say")
_RESULTS = {
    "succeeded": Result("succeeded", _META, output={"a": [1, {"b": None}], "é": 1.5}),
    "empty": Result("succeeded", Meta("i")),
    "failed": Result(
        "failed",
        _META,
        error=Conflict(
            "it is there", details=[Detail("/a", "twice", "k")], hint=_HINT, provider=_SAID
        ),
    ),
    "in_doubt": Result(
        "in_doubt", _META, error=jackfield.kernel.errors.InDoubt("unclear", sent=Sent.UNKNOWN)
    ),
    "running": Result("running", Meta("i"), progress={"fraction": 0.5, "text": "half"}),
    "queued": Result("queued", Meta("i")),
}
each = pytest.mark.parametrize("result", _RESULTS.values(), ids=_RESULTS)


class Held(pydantic.BaseModel):
    """A host's model."""

    result: Result
    error: JackfieldError | None = None
    meta: Meta | None = None
    progress: Progress | None = None
    limit: RateLimit | None = None


class Own(JackfieldError):
    """An author's error, with arguments of its own."""

    code = "rejected"

    def __init__(self, order: str, *, line: int) -> None:
        super().__init__(f"the order {order} is refused")
        self.order, self.line = order, line


def _application() -> fastapi.FastAPI:
    made = fastapi.FastAPI()

    @made.post("/typed")
    def typed(result: Result) -> Result:
        return result

    @made.post("/untyped", response_model=None)
    def untyped(result: Result) -> Any:
        return result

    @made.post("/listed", response_model=list[Result])
    async def listed(held: Held) -> list[Result]:
        return [held.result, held.result]

    return made


@each
def test_a_result_is_what_dataclasses_say_it_is(result: Result) -> None:
    """Its fields are data: asdict, astuple and fields return them, and encoders write them, of
    failures, too.
    """
    fields = dataclasses.asdict(result)
    assert list(fields) == ["status", "meta", "output", "error", "progress"]
    assert orjson.loads(orjson.dumps(result)) == json.loads(json.dumps(fields))
    assert jsonable_encoder(result) == json.loads(json.dumps(fields))
    with flask.Flask(__name__).app_context():
        assert flask.jsonify(result).get_json() == json.loads(json.dumps(fields))
    if result.error is not None:
        assert fields["error"]["code"] == result.error.code
    assert dataclasses.astuple(result)[0] == result.status
    assert pprint.pformat(result)


@each
def test_a_result_is_copied_and_pickled_whole(result: Result) -> None:
    """By every protocol, and by both ways to copy; equal ones have equal hashes."""
    copies = [
        pickle.loads(pickle.dumps(result, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for found in (*copies, copy.copy(result), copy.deepcopy(result), dataclasses.replace(result)):
        assert found == result
        assert hash(found) == hash(result)
        assert found.to_json("cli") == result.to_json("cli")
    assert len({result, *copies}) == 1
    assert result != dataclasses.replace(result, meta=Meta("other"))
    assert result != result.to_json()


def test_a_copy_still_opens_its_files_and_waits(provider: Provider) -> None:
    """What a copy is asked, its runtime answers as it answers the Result; a pickle has left it
    behind.
    """
    with Jackfield(connections=[provider.connection()], database_url="none") as made:
        result = made.invoke(request())
    assert copy.copy(result).opener is result.opener
    assert copy.deepcopy(result).opener is result.opener
    assert pickle.loads(pickle.dumps(result)).opener is None


@each
def test_a_result_is_a_field_of_a_pydantic_model(result: Result) -> None:
    """It is written as its JSON, in both modes, read from that, from its fields and as it is;
    garbage is refused.
    """
    held = Held(result=result, error=result.error, meta=result.meta, progress=Progress(0.5, "x"))
    assert held.result is result
    assert json.loads(held.model_dump_json())["result"] == json.loads(json.dumps(result.to_json()))
    assert held.model_dump()["result"] == result.to_json()
    for given in (held.model_dump_json(), json.dumps({"result": dataclasses.asdict(result)})):
        assert Held.model_validate_json(given).result.to_json() == result.to_json()
    assert Held.model_validate(held.model_dump()).meta == result.meta
    for mode in ("validation", "serialization"):
        assert Held.model_json_schema(mode=mode)["properties"]["result"]


def test_frameworks_describe_a_result_once() -> None:
    """As a component that says what a program may read, whatever uses it."""
    schema = pydantic.TypeAdapter(list[Held]).json_schema()
    assert schema["$defs"]["Held"]["properties"]["result"] == {"$ref": "#/$defs/Result"}
    described = schema["$defs"]["Result"]
    assert described["properties"]["error"]["required"] == ["code", "message", "retryable"]
    assert described["anyOf"] == [
        {"required": ["status", "meta"]},
        {"required": ["status", "invocationId"]},
    ]
    for result in _RESULTS.values():
        jsonschema.validate(result.to_json(), described)
    with pytest.raises(pydantic.ValidationError, match="has no 'invocationId'"):
        pydantic.TypeAdapter(Result).validate_python({"status": "succeeded"})


def test_a_failure_comes_whole_out_of_a_queue_that_sends_json() -> None:
    """A backend of Celery sends an exception's arguments as JSON, and makes it of them again."""
    backend = Celery("shop", broker="memory://", backend="cache+memory://").backend
    for status in ("failed", "in_doubt"):
        failure = InvocationFailed(_RESULTS[status])
        back = backend.exception_to_python(
            json.loads(json.dumps(backend.prepare_exception(failure)))
        )
        assert (type(back), str(back), repr(back)) == (
            InvocationFailed,
            str(failure),
            repr(failure),
        )
        assert back.result.to_json() == _RESULTS[status].to_json()


@pytest.mark.parametrize(
    "given",
    [
        {},
        [],
        None,
        1,
        "x",
        {"status": "odd", "meta": {"invocationId": "i"}},
        {"status": "failed", "meta": 1},
    ],
)
def test_what_is_no_result_is_refused_by_a_model(given: Any) -> None:
    """As any value of a model is: by a ValidationError that names the field."""
    with pytest.raises(pydantic.ValidationError, match="result"):
        Held.model_validate({"result": given})


@each
def test_fastapi_takes_and_returns_results(result: Result) -> None:
    """As a body, as a response model, in lists and without a model, and describes them in its
    OpenAPI document.
    """
    client = TestClient(_application())
    body = json.loads(json.dumps(result.to_json()))
    assert client.post("/typed", json=body).json() == body
    assert client.post("/listed", json={"result": body}).json() == [body, body]
    assert client.post("/untyped", json=body).status_code == 200
    assert client.post("/typed", json={"status": "odd"}).status_code == 422
    assert client.get("/openapi.json").json()["paths"]["/typed"]


def _errors() -> Iterator[Exception]:
    """Yield one error of every class that the packages define, with all that it can have."""
    common: dict[str, Any] = {
        "details": [Detail("/a", "m", "k")],
        "hint": _HINT,
        "provider": _SAID,
        "sent": Sent.REFUSED,
    }
    special: dict[type, Callable[[], Exception]] = {
        NotYet: lambda: NotYet("not yet", within=60.0, until={"/a": 1}, retry_after=1.0, **common),
        LimitReached: lambda: LimitReached("queued", 5),
        Own: lambda: Own("o-1", line=3),
    }
    for kind in _tree(JackfieldError):
        error = special[kind]() if kind in special else _made(kind, common)
        error.add_note("noted")
        yield error
    yield InvocationFailed(_RESULTS["failed"])


def _tree(kind: type[JackfieldError]) -> list[type[JackfieldError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _tree(child))]


def _made(kind: type[JackfieldError], common: dict[str, Any]) -> JackfieldError:
    error = kind.__new__(kind, "said")  # whatever its own __init__ takes
    JackfieldError.__init__(error, "said", **common)
    return error


def _import_all_with_errors() -> None:
    """Import the modules that define errors of the tree."""
    names = "|".join({kind.__name__ for kind in _tree(JackfieldError)})
    for name in ("jackfield", "jackfield_http", "jackfield_aws", "jackfield_market"):
        (folder,) = importlib.import_module(name).__path__
        for path in sorted(Path(folder).rglob("*.py")):
            if re.search(
                rf"^class \w+\((?:{names})\b", path.read_text(encoding="utf-8"), re.MULTILINE
            ):
                importlib.import_module(
                    ".".join([name, *path.relative_to(folder).with_suffix("").parts]).removesuffix(
                        ".__init__"
                    )
                )


def _raise(error: Exception) -> None:
    raise error


def _same(one: Any, other: Any) -> bool:
    texts = [
        json.dumps({**vars(error), "args": error.args}, default=str, sort_keys=True)
        for error in (one, other)
    ]
    return type(one) is type(other) and texts[0] == texts[1] and str(one) == str(other)


def test_every_class_of_errors_is_pickled_and_copied_whole() -> None:
    """By every protocol: class, arguments, attributes and notes, of authors' own classes, too,
    whatever their ``__init__`` takes.
    """
    _import_all_with_errors()
    errors = [*_errors()]
    assert len(errors) > 25
    for error in errors:
        found = [
            pickle.loads(pickle.dumps(error, protocol))
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ]
        for other in (*found, copy.copy(error), copy.deepcopy(error)):
            assert _same(other, error), error


def test_every_class_of_errors_comes_out_of_a_pool() -> None:
    """A child raises it, and the parent gets it: none hangs the pool."""
    errors = [*_errors()]
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        for error, raised in [(error, pool.submit(_raise, error)) for error in errors]:
            assert _same(raised.exception(timeout=60), error)


def test_encoders_read_an_error_by_what_it_shows() -> None:
    """Those that read dataclasses find what ``to_json`` has, of a class that is defined after the
    first was read, too.
    """
    shown = ("code", "message", "retryable", "details", "hint", "provider")
    for error in (InvalidInput("no", hint=_HINT), Own("o-1", line=3)):
        assert tuple(dataclasses.asdict(error)) == shown  # type: ignore[call-overload]  # to type checkers it is none
        assert tuple(orjson.loads(orjson.dumps(error))) == shown

    class Later(Own):
        """Another one."""

    assert orjson.loads(orjson.dumps(Later("o-2", line=1)))["message"] == "the order o-2 is refused"
    assert pprint.pformat(Later("o-2", line=1)) == "Later('the order o-2 is refused')"


def test_what_is_frozen_can_be_hashed() -> None:
    """Equal ones have equal hashes, although some of their members are mappings."""
    for make in (
        lambda: Invocation("echo", "say", {"a": [1]}),
        lambda: Said("E1", details={"a": 1}),
        lambda: Detail("/a", "b"),
    ):
        assert make() == make()
        assert len({make(), make()}) == 1
