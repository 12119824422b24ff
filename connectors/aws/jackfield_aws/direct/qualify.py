"""Rule for operations without botocore's client: the client's event system must add nothing to
their calls beyond the work of this package's modules.

There is no list of services or operations. A call emits events, and botocore's emitter knows the
functions that listen to them. An operation falls back to the client if a function listens that is
not named here: from a later botocore, or from a connector's author.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from botocore.utils import get_token_from_environment

from jackfield.kernel.dataclass import dataclass

_EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "before-parse",
    "response-received",
    "needs-retry",
    "after-call",
    "after-call-error",
)
"""Events of a call whose full names end with service and operation."""
_RESOLUTION = "before-endpoint-resolution"
"""Event whose full name ends with the service."""
_DONE = frozenset(
    {
        # what requests.py does itself
        "botocore.handlers.generate_idempotent_uuid",
        "botocore.handlers.add_recursion_detection_header",
        "botocore.signers.RequestSigner.handler",
        "botocore.useragent.UserAgentString.rebuild_and_replace_user_agent_handler",
        # what has no effect on an operation that qualifies, since _of_model asks for the same
        "botocore.handlers.set_operation_specific_signer",
        "botocore.handlers._set_auth_scheme_preference_signer",
        "botocore.handlers.inject_api_version_header_if_needed",
        "botocore.handlers._handle_request_validation_mode_member",
        "botocore.discovery.block_endpoint_discovery_required_operations",
        # what serves botocore's retries, which are off: their headers are added after signing, and
        # tell nothing of the request
        "botocore.handlers.add_retry_headers",
        "botocore.retries.standard.RetryQuotaChecker.release_retry_quota",
        "botocore.retries.standard.MaxAttemptsSeeder.seed_max_attempts",
        # the hooks of watch, which client.py replaces
        "jackfield_aws.foreign_answers.check_answer",
        "jackfield_aws.client_hooks._note_host",
        "jackfield_aws.client_hooks._check_host",
        "jackfield_aws.client_hooks._limit",
        "jackfield_aws.client_hooks._begin",
        "jackfield_aws.client_hooks._mark",
        "jackfield_aws.client_hooks._note_header",
        "jackfield_aws.client_hooks._note_parsed",
    }
)
"""Listeners that direct calls may skip."""
_BEFORE = frozenset(
    {
        "botocore.handlers.ParameterAlias.alias_parameter_in_call",
        "botocore.handlers.base64_encode_user_data",
        "botocore.handlers.fix_route53_ids",
    }
)
"""Listeners of ``before-parameter-build`` that only change parameters: direct calls call them."""
_AFTER = frozenset(
    {
        "botocore.handlers._handle_sqs_compatible_error",
        "botocore.handlers.json_decode_policies",
        "botocore.handlers.decode_console_output",
        "botocore.handlers.json_decode_template_body",
    }
)
"""Listeners of ``after-call`` that only change or read the parsed response: direct calls call
them.
"""
_SIGNATURE = "v4"
_OWN_FIELDS = frozenset(
    {"authorization", "content-length", "date", "host", "x-amz-date", "x-amz-security-token"}
)
"""Header fields that an input must not set, since the request sets them."""

Listener = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Verdict on an operation: the reasons why it needs botocore's client (empty if it does not),
    and botocore's functions for direct calls.
    """

    reasons: frozenset[str]
    before: tuple[Listener, ...] = ()
    after: tuple[Listener, ...] = ()


PLAIN = Verdict(frozenset())
"""Verdict on an operation to which botocore adds nothing."""


def judge(client: Any, operation: Any) -> Verdict:
    """Return the verdict on an operation, by its model, the client's settings and the functions
    that listen to its calls.
    """
    reasons = {*_of_client(client), *_of_model(operation)}
    called: dict[str, list[Listener]] = {}
    for event, listener in _listeners(client.meta.events, operation):
        name = name_of(listener)
        if (event == "before-parameter-build" and name in _BEFORE) or (
            event == "after-call" and name in _AFTER
        ):
            called.setdefault(event, []).append(listener)
        elif name not in _DONE:
            reasons.add(f"{event}: {name}")
    return Verdict(
        frozenset(reasons),
        tuple(called.get("before-parameter-build", ())),
        tuple(called.get("after-call", ())),
    )


def registrations(client: Any) -> object:
    """Return an object that botocore replaces when a function is added to the client's events or
    removed from them.
    """
    return client.meta.events._emitter._lookup_cache


def name_of(listener: Any) -> str:
    """Return the full name of a function or method."""
    while isinstance(listener, functools.partial):
        listener = listener.func
    owner = getattr(listener, "__self__", None)
    kind = listener if owner is None else type(owner)
    name = getattr(listener, "__name__", "") if owner is not None else ""
    return ".".join(
        part
        for part in (kind.__module__, getattr(kind, "__qualname__", type(kind).__qualname__), name)
        if part
    )


def _listeners(events: Any, operation: Any) -> Iterator[tuple[str, Listener]]:
    service = operation.service_model.service_id.hyphenize()
    names = {event: f"{event}.{service}.{operation.name}" for event in _EVENTS} | {
        _RESOLUTION: f"{_RESOLUTION}.{service}"
    }
    for event, name in names.items():
        alias = events._alias_event_name(name)
        for listener in events._emitter._handlers.prefix_search(alias):
            yield event, listener


def _of_client(client: Any) -> Iterator[str]:
    """Yield the settings of a client that direct calls do not support."""
    config = client.meta.config
    if config.signature_version != _SIGNATURE:
        yield f"signature {config.signature_version}"
    if config.auth_scheme_preference:
        yield "preferred authentication schemes"
    if client._ruleset_resolver is None:
        yield "no endpoint rules"
    if config.client_cert or config.proxies_config:
        yield "client certificate"
    if _has_bearer_token(client.meta.service_model):
        yield "bearer token of the environment"


def _has_bearer_token(model: Any) -> bool:
    if "smithy.api#httpBearerAuth" not in (model.metadata.get("auth") or ()):
        return False
    return get_token_from_environment(model.signing_name) is not None


def _of_model(operation: Any) -> Iterator[str]:
    """Yield the features of an operation's model that direct calls do not support."""
    if operation.resolved_auth_type not in (_SIGNATURE, None):
        yield f"authentication {operation.resolved_auth_type}"
    asked = {
        "checksums": operation.http_checksum or getattr(operation, "http_checksum_required", False),
        "streamed input": operation.has_streaming_input,
        "streamed output": operation.has_streaming_output,
        "stream of events": operation.has_event_stream_input or operation.has_event_stream_output,
        "unsigned body": operation.unsigned_payload,
        "compression": getattr(operation, "request_compression", None),
        "endpoint discovery": (operation.endpoint_discovery or {}).get("required")
        or operation.is_endpoint_discovery_operation,
        "endpoint from nested inputs": operation.operation_context_parameters,
        "input in a header field of the request": any(
            _is_own_field(member) for member in _members(operation)
        ),
    }
    yield from (reason for reason, is_asked in asked.items() if is_asked)


def _members(operation: Any) -> Iterator[Any]:
    yield from () if operation.input_shape is None else operation.input_shape.members.values()


def _is_own_field(member: Any) -> bool:
    serialization = member.serialization
    return (
        serialization.get("location") == "header"
        and str(serialization.get("name", "")).lower() in _OWN_FIELDS
    )
