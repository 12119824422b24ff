"""OpenTelemetry's variables: whether spans are exported, and which variables are set that jackfield
does not apply.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_EXPORTER, _DISABLED, _PROPAGATORS = "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED", "OTEL_PROPAGATORS"
_SPOKEN = "http/protobuf"
_OTHER_SIGNALS = frozenset({"OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"})
_OF_INSTRUMENTATION = "OTEL_PYTHON_"
"""Prefix of variables of the Python SDK and its auto-instrumentation, which concern other programs
of the same environment.
"""
APPLIED = frozenset(
    [
        _DISABLED,
        _EXPORTER,
        *_ENDPOINTS,
        *_PROTOCOLS,
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        *(
            f"OTEL_BSP_{name}"
            for name in (
                "SCHEDULE_DELAY",
                "EXPORT_TIMEOUT",
                "MAX_QUEUE_SIZE",
                "MAX_EXPORT_BATCH_SIZE",
            )
        ),
        *(
            f"OTEL_{name}_COUNT_LIMIT"
            for name in ("ATTRIBUTE", "SPAN_ATTRIBUTE", "SPAN_EVENT", "EVENT_ATTRIBUTE")
        ),
        *(f"OTEL_{name}_VALUE_LENGTH_LIMIT" for name in ("ATTRIBUTE", "SPAN_ATTRIBUTE")),
        *(
            f"OTEL_EXPORTER_OTLP_{signal}{name}"
            for signal in ("", "TRACES_")
            for name in (
                "HEADERS",
                "TIMEOUT",
                "COMPRESSION",
                "CERTIFICATE",
                "CLIENT_CERTIFICATE",
                "CLIENT_KEY",
            )
        ),
    ]
)
"""Variables that jackfield, the exporter or the SDK applies to spans."""


def exports_spans(environment: Mapping[str, str]) -> bool:
    """Return whether spans are exported: a collector is named, or OTLP is requested, and nothing
    prevents it.
    """
    return _is_requested(environment) and not _faults(environment)


def remarks(environment: Mapping[str, str]) -> Sequence[str]:
    """Return remarks for an operator about OpenTelemetry's variables: why no span is sent, and
    which variables do not apply.

    The texts name variables, never their values: an endpoint may contain a password.
    """
    if environment.get(_DISABLED, "").lower() == "true":
        return ()
    faults = _faults(environment) if _is_requested(environment) else ()
    unheeded = sorted(
        name
        for name, value in environment.items()
        if name.startswith("OTEL_") and value and not _applies(name, value)
    )
    found = [f"no spans are sent: {fault}" for fault in faults[:1]]
    if unheeded:
        found.append(
            "jackfield sends spans by OTLP over HTTP and nothing else, and does not apply "
            f"{', '.join(unheeded)[:500]}"
        )
    return found


def _is_requested(environment: Mapping[str, str]) -> bool:
    """Return whether spans are requested: by ``OTEL_TRACES_EXPORTER``, or else by a named
    collector.
    """
    exporters = _exporters(environment)
    if environment.get(_DISABLED, "").lower() == "true" or exporters == {"none"}:
        return False
    return bool(exporters) or any(environment.get(name) for name in _ENDPOINTS)


def _exporters(environment: Mapping[str, str]) -> set[str]:
    return {name for part in environment.get(_EXPORTER, "").split(",") if (name := part.strip())}


def _faults(environment: Mapping[str, str]) -> list[str]:
    """Return why requested spans cannot be sent; an empty list if they can."""
    found = []
    exporters = _exporters(environment)
    if exporters and "otlp" not in exporters:
        found.append(
            f"{_EXPORTER} names an exporter that jackfield does not have; it has otlp and none"
        )
    protocol = next((name for name in _PROTOCOLS if environment.get(name)), None)
    if protocol is not None and environment[protocol].strip() != _SPOKEN:
        found.append(
            f"{protocol} is not {_SPOKEN}, which is all that jackfield speaks: name the "
            "collector's HTTP port, by default 4318"
        )
    endpoint = next((name for name in _ENDPOINTS if environment.get(name)), None)
    if endpoint is not None and not _is_url(environment[endpoint]):
        found.append(f"{endpoint} is no URL with a scheme: write it as http://collector:4318")
    if (
        importlib.util.find_spec("opentelemetry") is None
        or importlib.util.find_spec("opentelemetry.sdk") is None
    ):
        found.append("the extra otel is not installed: pip install 'jackfield[otel]'")
    return found


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _applies(name: str, value: str) -> bool:
    """Return whether a variable takes effect, or requests only jackfield's default behaviour."""
    if name == _PROPAGATORS:
        return {part.strip() for part in value.split(",")} <= {"tracecontext", "baggage"}
    if name == _EXPORTER:
        return {part.strip() for part in value.split(",")} <= {"otlp", "none"}
    if name in _OTHER_SIGNALS:
        return value.strip() == "none"
    return name in APPLIED or name.startswith(_OF_INSTRUMENTATION)
