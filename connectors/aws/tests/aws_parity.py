"""Requests as botocore's client sends them and as a direct call does, for generated inputs of any
operation.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest import mock

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from jackfield.connector import ANYWHERE
from jackfield_aws.direct import light, qualify, requests, signing
from jackfield_aws.direct import parts as botocore_parts
from jackfield_aws.direct.wires import Reach
from jackfield_aws.keys import Keys
from jackfield_aws.service_models import find_by_name
from jackfield_aws.sessions import ClientSpec

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "token")
MOMENT = datetime(2026, 11, 21, 12, tzinfo=UTC)
_TOKEN = "00000000-0000-4000-8000-000000000000"
_TEXT = "a b/ü&c=+~x"
_TEXTS = {
    "region": "eu-west-1",
    "accountid": "123456789012",
    "bucket": "123456789012",
    "arn": "123456789012",
}
_UNSIGNED = ("user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "x-amzn-trace-id")
"""Fields that botocore adds after it has signed, and those that it never signs."""
_DEEP, _DEEPEST = 2, 6
_REFUSALS = (BotoCoreError, ValueError, requests.Unfit)
"""What the serializer, the endpoint rules and the builder raise."""


@dataclass
class Tally:
    """Outcome of a comparison. ``refused`` counts inputs that both refuse, ``unfit`` those
    that the client is left; ``light`` operations are built without a client."""

    operations: int = 0
    qualified: int = 0
    same: int = 0
    refused: int = 0
    unfit: int = 0
    light: int = 0
    different: list[str] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)


class _Caught(Exception):
    """Ends a call of botocore before its request is sent."""


def session() -> Any:
    """Return a Session with static credentials."""
    made = botocore.session.Session(session_vars={"profile": (None, [], None, None)})
    made.set_credentials(KEYS.access_key_id, KEYS.secret_access_key, KEYS.session_token)
    find_by_name(made)
    return made


def compare(parts: int = 1, part: int = 0, services: list[str] | None = None) -> Tally:
    """Compare the requests of each operation whose name's checksum is ``part`` modulo ``parts``,
    with all inputs and with required ones.

    Unless ``services`` are given, they are those whose name's checksum is that: to load a model
    takes longer than to compare its requests.
    """
    tally, made = Tally(), session()
    for name in services or [
        one for one in made.get_available_services() if zlib.crc32(one.encode()) % parts == part
    ]:
        client, made_light = (
            None,
            light.light_service(ClientSpec(name, "eu-west-1", None, KEYS, validates=False), 60.0),
        )
        for operation in _chosen(made, name, parts, part):
            if client is None:
                client = _client(made, name)
            _compare(tally, client, operation, made_light)
    return tally


def _chosen(made: Any, name: str, parts: int, part: int) -> Iterator[str]:
    names = made.get_component("data_loader").load_service_model(name, "service-2")["operations"]
    return (one for one in names if zlib.crc32(f"{name}.{one}".encode()) % parts == part)


def _client(made: Any, name: str) -> Any:
    config = Config(
        parameter_validation=False,
        retries={"mode": "standard", "total_max_attempts": 1},
        account_id_endpoint_mode="disabled",
    )
    client = made.create_client(name, region_name="eu-west-1", config=config)
    identity = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister(f"needs-retry.{identity}", unique_id=f"retry-config-{identity}")
    return client


def _compare(tally: Tally, client: Any, name: str, made: Any) -> None:
    tally.operations += 1
    model = client.meta.service_model.operation_model(name)
    verdict = qualify.judge(client, model)
    service = client.meta.service_model.service_name
    if made is not None and (name in made[1]) is not bool(
        verdict.reasons or verdict.before or verdict.after
    ):
        tally.different.append(
            f"{service}.{name}: run `make awsindex`, since direct/plain.json does not say what "
            "is true of it"
        )
    for reason in verdict.reasons:
        tally.reasons[reason] = tally.reasons.get(reason, 0) + 1
    if verdict.reasons:
        return
    tally.qualified += 1
    operation = requests.Operation.of(model, verdict)
    if made is not None and name not in made[1]:
        tally.light += 1
        operation = requests.Operation.of(model, qualify.PLAIN)
        builder = requests.Requests(made[0])
    else:
        builder = requests.Requests(
            botocore_parts.service_of(client, Reach(None, ANYWHERE, "", 60.0))
        )
    for whole in (True, False):
        given = sample(model.input_shape, whole=whole) if model.input_shape else {}
        given.update(dict.fromkeys(model.idempotent_members, _TOKEN))
        theirs, ours = (
            _theirs(client, name, dict(given)),
            _ours(builder, operation, client, dict(given)),
        )
        if (
            isinstance(theirs, Exception)
            and isinstance(ours, Exception)
            and type(theirs) is type(ours)
        ):
            tally.refused += 1
        elif theirs == ours:
            tally.same += 1
        elif isinstance(ours, requests.Unfit):
            tally.unfit += 1
        else:
            tally.different.append(
                f"{client.meta.service_model.service_name}.{name}: {theirs!r} != {ours!r}"[:1500]
            )


def _theirs(client: Any, name: str, given: dict[str, Any]) -> Any:
    caught: list[Any] = []

    def catch(request: Any, **_: Any) -> None:
        caught.append(request)
        raise _Caught

    client.meta.events.register_last("before-send", catch)
    try:
        with mock.patch("botocore.auth.get_current_datetime", _moment):
            client._make_api_call(name, given)
    except _Caught:
        pass
    except _REFUSALS as error:
        return error
    finally:
        client.meta.events.unregister("before-send", catch)
    sent = caught[0]
    fields = {
        key.lower(): _text(value)
        for key, value in sent.headers.items()
        if key.lower() not in _UNSIGNED
    }
    body = _bytes(sent.body)
    if body:
        fields.setdefault("content-length", str(len(body)))  # as urllib3 does
    fields.setdefault("accept-encoding", "identity")
    return sent.method, sent.url, fields, body


def _ours(
    builder: requests.Requests, operation: requests.Operation, client: Any, given: dict[str, Any]
) -> Any:
    try:
        with mock.patch.object(signing, "now", _moment):
            sent = builder.build(
                operation, given, client._request_signer._credentials.get_frozen_credentials
            )
    except _REFUSALS as error:
        return error
    fields = {key.lower().decode(): value.decode() for key, value in sent.fields()}
    for name in (*_UNSIGNED, "host"):
        fields.pop(name, None)
    return sent.method, sent.url, fields, sent.body


def _moment(*_given: object, **_named: object) -> datetime:
    return MOMENT


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def sample(shape: Any, depth: int = 0, name: str = "", *, whole: bool) -> Any:
    """Return a value of a shape: with all members up to a depth of two, or only with those that are
    required.
    """
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, depth, whole=whole)
    if kind == "list":
        return [sample(shape.member, depth + 1, whole=whole)] if depth < _DEEPEST else []
    if kind == "map":
        return (
            {sample(shape.key, depth + 1, whole=whole): sample(shape.value, depth + 1, whole=whole)}
            if depth < _DEEPEST
            else {}
        )
    if kind == "string":
        return _string(shape, name)
    if kind in ("integer", "long"):
        return max(3, shape.metadata.get("min", 0) or 0)
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return {
        "float": 1.5,
        "double": 1.5,
        "boolean": True,
        "timestamp": moment,
        "blob": b"\x00\xffblob",
        "bigdecimal": 1,
    }.get(kind, "x")


def _structure(shape: Any, depth: int, *, whole: bool) -> Any:
    if getattr(shape, "is_document_type", False):
        return {"a": 1}
    members, required = list(shape.members.items()), set(shape.required_members)
    if getattr(shape, "is_tagged_union", False):
        members = members[:1]
        required = {name for name, _ in members}
    return {
        name: sample(member, depth + 1, name, whole=whole)
        for name, member in members
        if depth < _DEEPEST and (name in required or (whole and depth < _DEEP))
    }


def _string(shape: Any, name: str) -> str:
    if shape.enum:
        return str(shape.enum[0])
    text = (
        "abc  def"
        if shape.serialization.get("location") == "header"
        else _TEXTS.get(name.lower(), _TEXT)
    )
    least = shape.metadata.get("min", 0) or 0
    return text * (least // len(text) + 1) if len(text) < least else text
