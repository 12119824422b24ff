"""Meaning of exceptions of botocore and of the wire: the failure on the way to AWS, and whether
anything may have been sent.
"""

from __future__ import annotations

import binascii
import re
import ssl
from collections.abc import Iterator, Mapping
from typing import cast
from urllib.parse import SplitResult, urlsplit

import botocore.exceptions

from jackfield.connector import (
    Detail,
    Internal,
    InvalidConnection,
    InvalidInput,
    JackfieldError,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
    WireFault,
    exhausted,
)
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.wire.faults import NAMES, no_handshake
from jackfield_aws.limits import current_deadline


@dataclass(frozen=True, slots=True)
class _Fault:
    """Meaning of an exception. ``says`` may use ``{host}``; ``path`` points at the faulty value.

    ``ended`` marks faults that the deadline may also cause: the connection was shut down, or had no
    time left.
    """

    kind: type[JackfieldError]
    says: str
    hint: str | None = None
    sent: Sent = Sent.NOTHING
    repeatable: bool = True
    path: str | None = None
    ended: bool = False


_NAMES: Mapping[str, str] = {
    **NAMES,
    "url": "the region, or the endpoint",
    "authority": "AWS_CA_BUNDLE",
    "login": "user name and password in HTTPS_PROXY",
    "proxy": "JACKFIELD_OUTBOUND_PROXY, HTTPS_PROXY and NO_PROXY",
}
"""Names of settings in the wire's hints."""
_NETWORK = "Check the region, the endpoint, DNS, proxy and firewall."
_CONFIG = (
    "Check the AWS configuration of this machine: AWS_PROFILE, ~/.aws/config and "
    "~/.aws/credentials."
)
_IDENTITY = (
    "Give an access key, or set up AWS credentials on this machine (environment, profile, "
    "container or instance role)."
)
_LOGIN = "Sign in again on this machine: aws sso login, or aws login."

_CERTIFICATE = _Fault(
    Unavailable,
    "the TLS certificate of {host} could not be verified",
    "Look at the server's certificate.",
    repeatable=False,
)
_UNREACHABLE = _Fault(Unavailable, "{host} could not be reached", _NETWORK)
_REFUSED = _Fault(Unavailable, "{host} refused the connection", _NETWORK)
_NO_ADDRESS = _Fault(Unavailable, "the host '{name}' does not resolve to an address", _NETWORK)
_NO_RESOLVER = _Fault(
    Unavailable,
    "the host '{name}' could not be looked up: the resolver did not answer",
    "Check the resolver of this machine (/etc/resolv.conf). The name may well exist.",
    ended=True,
)
_LATE = _Fault(Unavailable, "{host} could not be reached in time", _NETWORK, ended=True)
_HANDSHAKE = _Fault(
    Unavailable,
    "{host} refused the TLS connection",
    "Check the endpoint's scheme and port, and any proxy in between.",
    ended=True,
)
_AT_PROXY = _Fault(
    Unavailable,
    "the proxy refused to connect to {host}",
    "AWS was not asked. Check HTTPS_PROXY, NO_PROXY and the proxy's own log.",
    ended=True,
)
_PROXY_LOGIN = _Fault(
    Unavailable,
    "the proxy refused the login, and passes nothing on to {host}",
    "Check the user name and the password in HTTPS_PROXY or HTTP_PROXY. Only Basic is spoken: "
    "the proxy has to offer it.",
    repeatable=False,
)
_PROXY = _Fault(
    Unavailable,
    "the proxy could not be reached",
    "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY.",
    ended=True,
)
_CUT = _Fault(
    Unavailable,
    "the connection to {host} broke before AWS answered",
    _NETWORK,
    Sent.UNKNOWN,
    ended=True,
)
_SLOW = _Fault(
    TimedOut,
    "{host} did not answer in time",
    "Raise 'timeoutSeconds', or find out what is slow.",
    Sent.UNKNOWN,
    ended=True,
)
_GARBLED = _Fault(
    Unavailable,
    "AWS's answer could not be read",
    "A proxy or an endpoint that is not AWS may have answered instead.",
    Sent.UNKNOWN,
    ended=True,
)
_DAMAGED = _Fault(
    Unavailable,
    "AWS's answer was damaged on its way: its checksum differs",
    _NETWORK,
    Sent.UNKNOWN,
    ended=True,
)
_NO_ALGORITHM = "Unsupported checksum algorithm"
"""botocore's message for an unsupported checksum of a request
(``resolve_request_checksum_algorithm``).
"""
_UNKNOWN_CHECKSUM = _Fault(
    InvalidInput,
    "the checksum algorithm that the inputs name cannot be made here",
    "Use CRC32, SHA1 or SHA256, or leave the member out.",
)
_UNSENDABLE = _Fault(
    InvalidConnection,
    "the request could not be built: a key or an endpoint contains characters that HTTP does not "
    "allow",
    "Store the Access Key ID, the session token and the endpoint again, without line breaks or "
    "spaces.",
)
_UNWRITABLE = _Fault(
    InvalidInput,
    "the request could not be built: an input contains characters that HTTP does not allow in a "
    "header or a path",
    "Leave out line breaks and control characters.",
)
_BAD_PROXY = _Fault(
    InvalidConnection,
    "the proxy that HTTPS_PROXY or HTTP_PROXY names is not a URL",
    "Set the variable of this machine to a URL such as http://proxy.example:3128, or unset it.",
    path="",
)
_BAD_BUNDLE = _Fault(
    InvalidConnection,
    "the certificate authorities of this machine cannot be loaded",
    "Set AWS_CA_BUNDLE (or REQUESTS_CA_BUNDLE, or 'ca_bundle' in ~/.aws/config) to a readable "
    "file in PEM form, or unset it.",
    path="",
)
_NO_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Characters not allowed in a header line (RFC 9110 §5.5); http.client reports them only once the
request counts as begun.
"""
_SIGNED = ("Authorization", "X-Amz-Security-Token")
_NO_IDENTITY = _Fault(InvalidConnection, "no AWS credentials were found", _IDENTITY, path="")
_RETRIEVAL = _Fault(Unauthenticated, "this machine's AWS credentials could not be fetched", _CONFIG)
_SIGNED_OUT = _Fault(Unauthenticated, "this machine's AWS sign-in has ended", _LOGIN)
_BAD_CONFIG = _Fault(
    InvalidConnection, "this machine's AWS configuration cannot be used", _CONFIG, path=""
)
_BAD_IDENTITY = _Fault(
    InvalidConnection,
    "this machine's AWS identity is misconfigured: its role or web identity cannot be used",
    "Check AWS_WEB_IDENTITY_TOKEN_FILE (the file must be readable and contain a token), "
    "AWS_ROLE_ARN and AWS_ROLE_SESSION_NAME (2 to 64 "
    "characters), or the role of the profile in ~/.aws/config.",
    path="",
)
_BUG = _Fault(Internal, "the connector called an operation that the AWS API does not have")

_FAULTS: Mapping[str, _Fault] = {
    "EndpointConnectionError": _UNREACHABLE,
    "ConnectTimeoutError": _LATE,
    "ProxyConnectionError": _PROXY,
    "ReadTimeoutError": _SLOW,
    "SSLError": _CUT,
    "ConnectionClosedError": _CUT,
    "HTTPClientError": _CUT,
    "ResponseStreamingError": _CUT,
    "IncompleteReadError": _CUT,
    "HTTPError": _CUT,
    "ResponseParserError": _GARBLED,
    "ParserError": _GARBLED,
    "FlexibleChecksumError": _DAMAGED,
    "ChecksumError": _DAMAGED,
    "ParamValidationError": _BUG,
    "OperationNotPageableError": _BUG,
    "UnknownServiceError": _BUG,
    "NoCredentialsError": _NO_IDENTITY,
    "PartialCredentialsError": _Fault(
        InvalidConnection, "this machine's AWS credentials are incomplete", _CONFIG, path=""
    ),
    "ProfileNotFound": _Fault(
        InvalidConnection, "this machine has no such AWS profile", _CONFIG, path="/profile"
    ),
    "CredentialRetrievalError": _RETRIEVAL,
    "TokenRetrievalError": _RETRIEVAL,
    "MetadataRetrievalError": _RETRIEVAL,
    "RefreshWithMFAUnsupportedError": _RETRIEVAL,
    "NoAuthTokenError": _Fault(
        InvalidConnection,
        "this service takes bearer tokens of IAM Identity Center, which AWS connections do not "
        "have",
        "Use the AWS CLI or an SDK for it, after 'aws sso login'.",
        path="",
    ),
    "MissingDependencyException": _Fault(
        InvalidConnection,
        "this call needs the AWS Common Runtime, for a Signature Version 4A or a checksum such "
        "as CRC32C",
        "Install awscrt beside botocore: pip install 'botocore[crt]'. A checksum may be left "
        "out, or be CRC32, SHA1 or SHA256.",
        path="",
    ),
    "SSOError": _SIGNED_OUT,
    "LoginError": _SIGNED_OUT,
    "UnknownCredentialError": _BAD_CONFIG,
    "ConfigParseError": _BAD_CONFIG,
    "ConfigNotFound": _BAD_CONFIG,
    "InvalidConfigError": _BAD_CONFIG,
    "InvalidProxiesConfigError": _BAD_CONFIG,
    "InvalidRetryConfigurationError": _BAD_CONFIG,
    "InvalidRegionError": _Fault(
        InvalidInput,
        "the AWS region is not valid",
        "Use a region such as eu-west-1.",
        path="/awsRegion",
    ),
    "NoRegionError": _Fault(
        InvalidConnection,
        "no AWS region is given",
        "Set 'region' in the connection, or 'awsRegion' in the call.",
        path="/region",
    ),
    "BaseEndpointResolverError": _Fault(
        InvalidConnection,
        "AWS has no endpoint for this service in that region",
        _NETWORK,
        path="/region",
    ),
    "EndpointProviderError": _Fault(
        InvalidConnection,
        "AWS has no endpoint for this service in that region",
        _NETWORK,
        path="/region",
    ),
}
"""Faults by exception class name, nearest ancestor first: importing the classes would import
botocore. botocore's messages are never repeated, since they quote header lines (keys, tokens) and
values. Over a proxy that requires TLS, event streams raise urllib3's errors, whose base is
``HTTPError``.
"""
_WIRE_FAULTS: Mapping[str, tuple[str, _Fault]] = {
    "resolve": ("EndpointConnectionError", _NO_ADDRESS),
    "refused": ("EndpointConnectionError", _REFUSED),
    "unreachable": ("EndpointConnectionError", _UNREACHABLE),
    "connect-late": ("ConnectTimeoutError", _LATE),
    "certificate": ("SSLError", _CERTIFICATE),
    "tls": ("SSLError", _HANDSHAKE),
    "client-certificate": ("SSLError", _HANDSHAKE),
    "resolver": ("EndpointConnectionError", _NO_RESOLVER),
    "proxy": ("ProxyConnectionError", _AT_PROXY),
    "proxy-late": ("ProxyConnectionError", _AT_PROXY),
    "proxy-denied": ("ProxyConnectionError", replace(_AT_PROXY, repeatable=False, ended=False)),
    "proxy-login": ("ProxyConnectionError", _PROXY_LOGIN),
    "unsendable": ("HTTPClientError", _UNWRITABLE),
    "exhausted": ("HTTPClientError", _CUT),
    "cut": ("ConnectionClosedError", _CUT),
    "late": ("ReadTimeoutError", _SLOW),
    "garbled": ("ConnectionClosedError", _GARBLED),
    "large": ("HTTPClientError", _GARBLED),
}
"""botocore's exception class and the fault by the wire's kind of failure. The wire itself reports
what was sent.
"""
_LIBRARIES = ("botocore.", "urllib3.")
"""Libraries whose exceptions are explained."""


def explain_transport(error: Exception) -> JackfieldError | None:
    """Return the error for an exception of botocore or of urllib3 below it; None for any other.

    Call it while the attempt's deadline is set (``current_deadline``): failures that the deadline
    caused are reported as such.
    """
    guarded = next(
        (cause for cause in _causes(error) if isinstance(cause, InvalidConnection)), None
    )
    if guarded is not None:  # the guard's refusal, raised just before connecting
        return guarded
    inner = getattr(error, "kwargs", {}).get("error")
    # the response is too large or not AWS's, or the wire's failure is explained already
    if isinstance(inner, JackfieldError):
        return inner
    names = [
        kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith(_LIBRARIES)
    ]
    fault = next((_FAULTS[name] for name in names if name in _FAULTS), _unreadable(error))
    if fault in (None, _BUG) and _found_credentials(error):
        fault = _BAD_IDENTITY  # not caused by the connector's request
    if fault is None:
        return None
    if fault is _DAMAGED and _NO_ALGORITHM in str(error):
        fault = _UNKNOWN_CHECKSUM
    refused = next(
        (cause for cause in _causes(error) if isinstance(cause, ssl.SSLCertVerificationError)), None
    )
    if fault is _CUT and refused is not None:  # over a proxy that requires TLS
        fault = _refused_certificate(no_handshake(refused))
    place = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url") or ""))
    return _late(fault, fault.sent, place) or _error_from(fault, place)


def raised_by_wire(fault: WireFault | JackfieldError, url: str) -> Exception:
    """Return the exception that botocore's client would raise for a failed request; it wraps the
    error to report. Call it while the attempt's deadline is set.
    """
    if isinstance(fault, JackfieldError):
        return cast("Exception", botocore.exceptions.HTTPClientError(error=fault))
    name, meaning = _WIRE_FAULTS[fault.kind]
    if name == "ProxyConnectionError":
        meaning = _refused_by_proxy(meaning, fault.reason)
    if meaning is _CERTIFICATE:
        meaning = _refused_certificate(fault)
    elif meaning.hint == _NETWORK or name == "ProxyConnectionError":
        meaning = replace(meaning, hint=fault.advice(_NAMES))
    meaning, place = replace(meaning, sent=fault.sent), urlsplit(url)
    short = exhausted(fault.__cause__, fault.sent) if fault.__cause__ is not None else None
    found = short or _late(meaning, fault.sent, place) or _error_from(meaning, place)
    return cast(
        "Exception", getattr(botocore.exceptions, name)(endpoint_url=url, proxy_url="", error=found)
    )


def unusable_proxy() -> JackfieldError:
    """Return the error for a proxy that is no URL."""
    return _error_from(_BAD_PROXY, urlsplit(""))


def unusable_bundle() -> JackfieldError:
    """Return the error for certificate authorities that cannot be loaded."""
    return _error_from(_BAD_BUNDLE, urlsplit(""))


def _late(fault: _Fault, sent: Sent, place: SplitResult) -> JackfieldError | None:
    """Return the error for a failure that the deadline caused; None for others."""
    deadline = current_deadline()
    if not fault.ended or deadline is None or deadline.remaining() > 0:
        return None
    late = fault if fault is _NO_RESOLVER else _LATE if sent is Sent.NOTHING else _SLOW
    return deadline.passed(sent, _error_from(late, place))


def check_sendable(headers: Mapping[str, str | bytes]) -> None:
    """Check that a signed request's keys fit into header lines; botocore writes all other headers.

    :raises InvalidConnection: if a key or token of this machine contains characters not allowed in
        a header line.
    """
    for name in _SIGNED:
        value = headers.get(name, "")
        if _NO_HEADER.search(value if isinstance(value, str) else value.decode("latin-1")):
            raise InvalidConnection(_UNSENDABLE.says, hint=_UNSENDABLE.hint, sent=Sent.NOTHING)


def _error_from(fault: _Fault, place: SplitResult) -> JackfieldError:
    message = fault.says.format(host=place.netloc.rpartition("@")[2] or "AWS", name=place.hostname)
    details = [] if fault.path is None else [Detail(fault.path, message)]
    return fault.kind(
        message, details=details, hint=fault.hint, sent=fault.sent, repeatable=fault.repeatable
    )


def _refused_certificate(fault: WireFault) -> _Fault:
    return replace(
        _CERTIFICATE,
        says=f"{_CERTIFICATE.says}: {_written(fault.reason)}",
        hint=fault.advice(_NAMES),
    )


def _written(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _refused_by_proxy(fault: _Fault, reason: str) -> _Fault:
    return replace(fault, says=f"the proxy {_written(reason)}: it passes nothing on to {{host}}")


def _unreadable(error: Exception) -> _Fault | None:
    """Return the fault of a response that botocore could not read: well-formed but of another type
    than its model (an array), or with a checksum that is not Base64. None for another exception.
    """
    *_, last = ["", *_modules(error)]
    if last == "botocore.parsers":
        return _GARBLED
    return (
        _DAMAGED
        if isinstance(error, binascii.Error) and "botocore.httpchecksum" in _modules(error)
        else None
    )


def _found_credentials(error: Exception) -> bool:
    """Return whether botocore failed while searching for this machine's credentials (a missing
    token file, a session name too short).
    """
    return not {"botocore.credentials", "botocore.tokens"}.isdisjoint(_modules(error))


def _modules(error: Exception) -> list[str]:
    """Return the modules in an exception's traceback, from the one that caught it to the one that
    raised it.
    """
    found, traceback = [], error.__traceback__
    while traceback is not None:
        found.append(str(traceback.tb_frame.f_globals.get("__name__")))
        traceback = traceback.tb_next
    return found


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and all its causes, each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) not in seen:
            seen.add(id(current))
            yield current
            inner = (
                current.__cause__,
                current.__context__,
                *current.args,
                *getattr(current, "kwargs", {}).values(),
            )
            waiting.extend(item for item in inner if isinstance(item, BaseException))
