"""AWS's own suites against our signer, requests and readers of answers: ``sigv4`` and
``protocols``, from botocore's tests.

``protocols`` builds each request and reads each answer as a call does (``jackfield_aws.direct``),
for ec2, query, json, rest-json, rest-xml and rpc-v2-cbor. Cases that botocore's own list sets aside
are counted apart.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite, isnan
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import quote
from xml.etree import ElementTree as ET

from botocore.errorfactory import ClientExceptionsFactory
from botocore.exceptions import ClientError
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import ResponseParserFactory, RpcV2CBORParser
from botocore.serialize import create_serializer
from botocore.utils import parse_timestamp

from benchmarks.public_sources import BOTOCORE, checkout
from benchmarks.public_suites import _printed, run
from jackfield_aws.direct import signing
from jackfield_aws.direct.answers import Answers
from jackfield_aws.direct.parts import Service
from jackfield_aws.direct.qualify import PLAIN
from jackfield_aws.direct.requests import Operation, Requests
from jackfield_aws.direct.signing import Scope, Signer

_KEYS = SimpleNamespace(
    access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token=None
)
_ADDED = ("x-amz-date", "x-amz-security-token")
_CBOR = "smithy-rpc-v2-cbor"


def sigv4() -> int:
    """Sign each request of the suite; the header must be the suite's."""
    counts = Counter[str]()
    for path in sorted(
        (checkout(BOTOCORE) / "tests" / "unit" / "auth" / "aws4_testsuite").rglob("*.req")
    ):
        wanted, found = path.with_suffix(".authz").read_text(encoding="utf-8"), _signed(path)
        counts[
            "signed alike" if found == wanted else f"WRONG: {path.stem}: {found} and not {wanted}"
        ] += 1
    return _printed("SigV4", counts)


def _signed(path: Path) -> str:
    head, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    first, *lines = head.split("\n")
    method, target = first.split(" ", 1)
    headers: dict[str, str] = {}
    for line in _unfolded(lines):
        name, _, value = line.partition(":")
        headers[name] = f"{headers[name]},{value.strip()}" if name in headers else value.strip()
    stamp, host = headers.pop("X-Amz-Date"), headers.pop("Host")
    token = re.search(
        r"^x-amz-security-token:(.*)$",
        path.with_suffix(".creq").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    headers.pop("X-Amz-Security-Token", None)
    where, _, query = target.rpartition(" ")[0].partition("?")
    at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    keys: Any = SimpleNamespace(**{**vars(_KEYS), "token": token and token[1]})
    with patch.object(signing, "now", lambda: at):
        encoded = quote(query, safe="-_.~=&%")
        Signer().sign(
            method,
            where,
            encoded,
            headers,
            body.encode(),
            keys,
            Scope("us-east-1", "service"),
            host,
        )
    return headers["Authorization"]


def _unfolded(lines: list[str]) -> list[str]:
    found: list[str] = []
    for line in lines:
        if line[:1].isspace():
            found[-1] += f" {line.strip()}"
        elif line:
            found.append(line)
    return found


def protocols() -> int:
    """Judge each request and each answer of botocore's suites, the legacy ones included."""
    folder, counts = checkout(BOTOCORE) / "tests" / "unit" / "protocols", Counter[str]()
    aside = json.loads((folder / "protocol-tests-ignore-list.json").read_text(encoding="utf-8"))
    for side, judge in (("input", _request_fault), ("output", _answer_fault)):
        for path in sorted(folder.rglob(f"{side}/*.json")):
            for suite in json.loads(path.read_text(encoding="utf-8")):
                for case in (
                    one
                    for one in suite["cases"]
                    if ("params" if side == "input" else "response") in one
                ):
                    counts[_outcome(path.stem, side, suite, case, judge, aside)] += 1
    return _printed("protocols", counts)


def _outcome(
    stem: str,
    side: str,
    suite: Mapping[str, Any],
    case: dict[str, Any],
    judge: Callable[..., str | None],
    aside: Mapping[str, Any],
) -> str:
    model = ServiceModel(
        {**suite, "operations": {case["given"].get("name", "OperationName"): case}}, "suite"
    )
    operation = OperationModel(case["given"], model)
    if operation.has_event_stream_input or operation.has_event_stream_output:
        return (
            f"{model.metadata['protocol']}, {side}: a stream of events, which goes through "
            "botocore's client"
        )
    try:
        fault = judge(model, operation, case)
    except Exception as error:  # noqa: BLE001 (whatever is raised is a finding)
        fault = f"{type(error).__name__}: {error}"
    if fault is None:
        return f"{model.metadata['protocol']}, {side}: as the suite says"
    lists = [
        aside.get("general", {}).get(side, {}),
        aside.get("protocols", {}).get(stem, {}).get(side, {}),
    ]
    if any(
        case.get("id") in one.get("cases", ()) or suite["description"] in one.get("suites", ())
        for one in lists
    ):
        return f"{model.metadata['protocol']}, {side}: set aside by botocore"
    return (
        f"WRONG: {stem}, {side}: {suite['description']}, "
        f"{case.get('id') or case.get('description')}: {fault[:300]}"
    )


class _Rules:
    """Endpoint rules that always give one endpoint."""

    def __init__(self, url: str) -> None:
        self._url = url

    def construct_endpoint(self, **_given: object) -> SimpleNamespace:
        """Return the endpoint."""
        return SimpleNamespace(url=self._url, properties={}, headers={})


def _service(model: ServiceModel, url: str) -> Service:
    parsers = ResponseParserFactory()
    parsers.set_parser_defaults(timestamp_parser=lambda value: parse_timestamp(value).timestamp())
    reach: Any = SimpleNamespace(wire=lambda _url: (None, False))
    protocol = model.metadata["protocol"]
    return Service(
        model,
        create_serializer(protocol, include_validation=False),
        parsers.create_parser(protocol),
        _Rules(url),
        "us-east-1",
        None,
        Scope("us-east-1", "service"),
        lambda: _KEYS,
        "agent",
        True,
        reach,
    )


def _request_fault(
    model: ServiceModel, operation: OperationModel, case: dict[str, Any]
) -> str | None:
    wanted, given = case["serialized"], _with_floats(case["params"])
    service = _service(
        model, model._service_description.get("clientEndpoint") or "https://example.com"
    )
    made = Requests(service).build(Operation(operation, PLAIN, (), ()), given, lambda: _KEYS)
    fields = {
        name.lower(): value for name, value in made.headers.items() if name.lower() not in _ADDED
    }
    faults = [
        f"{name}: {fields.get(name.lower())!r} and not {value!r}"
        for name, value in _expected(wanted.get("headers", {}), model.metadata["protocol"])
        if _unspaced(fields.get(name.lower(), "")) != _unspaced(value)
    ]
    faults += [
        f"{name} was not to be sent"
        for name in wanted.get("forbidHeaders", ())
        if name.lower() in fields
    ]
    if made.path != (wanted.get("uri") or "/"):
        faults.append(f"path {made.path!r} and not {wanted.get('uri')!r}")
    if "host" in wanted and made.host != wanted["host"].partition("/")[0]:
        faults.append(f"host {made.host!r}")
    if wanted.get("method", made.method) != made.method:
        faults.append(f"method {made.method}")
    if "body" in wanted and not _same_body(made.body, wanted["body"], model.metadata["protocol"]):
        faults.append(f"body {made.body!r} and not {wanted['body']!r}")
    return "; ".join(faults) or None


def _expected(headers: Mapping[str, str], protocol: str) -> Iterator[tuple[str, str]]:
    """Return the header fields that botocore sends as the suite has them; it names the charset of
    forms, and no type of streams and XML.
    """
    for name, value in headers.items():
        if name.lower() != "content-type":
            yield name, value
        elif protocol in ("query", "ec2"):
            yield name, value if "charset" in value else f"{value}; charset=utf-8"
        elif protocol not in ("rest-xml", "rest-json") or (
            protocol == "rest-json" and value == "application/json"
        ):
            yield name, value


def _unspaced(text: str) -> str:
    return text.replace(", ", ",")


def _same_body(made: bytes, wanted: str, protocol: str) -> bool:
    if protocol == _CBOR:
        return _of_cbor(made) == _of_cbor(base64.b64decode(wanted))
    with suppress(ValueError, ET.ParseError):
        if protocol in ("json", "rest-json"):
            return bool(json.loads(made) == json.loads(wanted))
        if protocol == "rest-xml":
            return ET.canonicalize(made.decode(), strip_text=True) == ET.canonicalize(
                wanted, strip_text=True
            )
    return made == wanted.encode()


def _of_cbor(content: bytes) -> object:
    if not content:
        return None
    parser = RpcV2CBORParser()
    return _plain(parser.parse_data_item(parser.get_peekable_stream_from_bytes(content)))


def _answer_fault(
    model: ServiceModel, operation: OperationModel, case: dict[str, Any]
) -> str | None:
    response, protocol = case["response"], model.metadata["protocol"]
    shape = operation.output_shape
    if protocol == "query" and "error" not in case and shape is not None and shape.members:
        shape.serialization["resultWrapper"] = f"{operation.name}Result"
    empty = "<xml/>" if protocol == "query" else ""
    body = response.get("body", empty).encode()
    if protocol == _CBOR:
        body = base64.b64decode(body)
    fields = [
        (name.encode(), value.encode()) for name, value in response.get("headers", {}).items()
    ]
    answers = Answers(
        _service(model, "https://example.com").parser,
        lambda: ClientExceptionsFactory().create_client_exceptions(model),
    )
    status = response.get("status_code", 200)
    try:
        operation_of = Operation(operation, PLAIN, (), ())
        found = answers.read(operation_of, status, fields, body, None, "")
    except ClientError as error:
        found = {
            **error.response,
            "Error": {name: error.response["Error"].get(name, "") for name in ("Code", "Message")},
        }
    found.pop("ResponseMetadata", None)
    wanted = case.get("result", {})
    if "error" in case:
        wanted = {
            "Error": {"Code": case.get("errorCode", ""), "Message": case.get("errorMessage", "")},
            **case["error"],
        }
    return None if _plain(found) == _plain(wanted) else f"{_plain(found)!r} and not {wanted!r}"


def _plain(value: object) -> object:
    """Return a value as the suite writes it: bytes as text, floats that are no numbers by name."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _with_floats(given: dict[str, Any]) -> dict[str, Any]:
    names = {"Infinity", "-Infinity", "NaN"}
    return {
        name: float(value) if isinstance(value, str) and value in names else value
        for name, value in given.items()
    }


if __name__ == "__main__":
    sys.exit(run({"sigv4": sigv4, "protocols": protocols}, sys.argv[1:]))
