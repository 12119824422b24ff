"""Meaning of a failed fetch of the machine's identity: an outage, or a refusal with the cure for
its source.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

from botocore.exceptions import ClientError

from jackfield.connector import (
    Detail,
    InvalidConnection,
    JackfieldError,
    RateLimited,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
    exhausted,
)
from jackfield.kernel.dataclass import replace
from jackfield_aws.answers import principal_in, role_of_session
from jackfield_aws.endpoints import names_endpoint
from jackfield_aws.machine.cures import CURES, EXPIRED, LABELS, MALFORMED, Cure
from jackfield_aws.machine.processes import kind_of_exit
from jackfield_aws.machine.sources import (
    CONTAINER,
    INSTANCE,
    LOGIN,
    PROCESS,
    ROLE,
    SSO,
    WEB_IDENTITY,
    Metadata,
    MfaNeeded,
    NoCredentials,
    ProcessHangs,
    Sources,
)
from jackfield_aws.machine.web_tokens import claims_of, federated_trust
from jackfield_aws.policies import trust_policy
from jackfield_aws.sts_errors import STS_ERRORS
from jackfield_aws.transport import explain_transport

_OPERATIONS = {
    "AssumeRoleWithWebIdentity": WEB_IDENTITY,
    "AssumeRole": ROLE,
    "GetRoleCredentials": SSO,
    "CreateToken": SSO,
    "CreateOAuth2Token": LOGIN,
}
"""Sources by the operation that they call."""
_PROVIDERS = {"EcsContainer": CONTAINER, "Ec2InstanceMetadata": INSTANCE}
"""Sources by their names in a profile's ``credential_source``."""
_HIDING = ("SSOError", "TokenRetrievalError", "LoginError")
"""Exceptions of botocore that hide why a sign-in could not be renewed."""
_GARBLED = (LookupError, TypeError, AttributeError, ValueError)
"""Exceptions of botocore for a malformed response."""
_OUTAGES = (408, 425, 429)
_SERVER, _BAD = 500, 400
_SECRET = re.compile(r"[A-Za-z0-9+/=_.-]{40,}")
_LONGEST = 500
_NO_IDENTITY = (
    "this machine has no AWS identity of its own (environment, profile, container or instance role)"
)


def explain(
    error: Exception, sources: Sources | None, path: str, before: str | None = None
) -> JackfieldError:
    """Return the error for a failed fetch. ``path`` points at the connection's value that decides
    the identity; ``before`` is the source of the last credentials.

    Only services that issue credentials were called, so nothing is ever in doubt.
    """
    found = _explained(error, sources, before)
    if isinstance(found, InvalidConnection) and not found.details:
        found.details = (Detail(path, found.message),)
    found.sent, found.stale_credentials, found.expired = Sent.NOTHING, False, False
    return found


def _explained(error: Exception, sources: Sources | None, before: str | None) -> JackfieldError:
    if isinstance(error, JackfieldError):
        return error
    short = exhausted(error, Sent.NOTHING)
    if short is not None or sources is None:
        return short or explain_transport(error) or _unreadable(error)
    return _Judge(sources).of(error, before)


def _unreadable(error: Exception) -> JackfieldError:
    hint = (
        "Check the AWS configuration of this machine: AWS_PROFILE, ~/.aws/config and "
        "~/.aws/credentials."
    )
    return InvalidConnection(
        f"this machine's AWS configuration cannot be used ({type(error).__name__})", hint=hint
    )


class _Judge:
    """Interpreter of one failed fetch."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def of(self, error: Exception, before: str | None) -> JackfieldError:
        """Return the error for an exception of a credential source."""
        found = self._own(error, before) or self._hidden(error)
        if found is not None:
            return found
        if isinstance(error, ClientError):
            return self._error_of_response(error)
        provider = str(getattr(error, "kwargs", {}).get("provider", ""))
        method = _PROVIDERS.get(provider, provider) or self._sources.method
        if (
            method == INSTANCE
            and self._sources.instance is not None
            and self._sources.instance.asked
        ):
            return self._metadata(self._sources.instance, INSTANCE)
        if type(error).__name__ in ("CredentialRetrievalError", "MetadataRetrievalError"):
            return self._not_retrieved(error, method)
        if isinstance(error, RuntimeError):
            hint = self._hint(EXPIRED.get(method, "Set this machine's clock (NTP)."), method)
            return Unauthenticated(
                self._says(method, "gave credentials that have expired already"), hint=hint
            )
        return self._unusual(error, method)

    def _own(self, error: Exception, before: str | None) -> JackfieldError | None:
        """Return the error for an exception of this package; None for other exceptions."""
        if isinstance(error, NoCredentials):
            return self._nobody(before)
        if isinstance(error, MfaNeeded):
            return self._mfa()
        if isinstance(error, ProcessHangs):
            hint = self._hint(CURES[PROCESS, ""][0].hint, PROCESS)
            return Unavailable(
                self._says(PROCESS, "did not end in time, and was stopped"), hint=hint
            )
        return None

    def _hidden(self, error: Exception) -> JackfieldError | None:
        """Return the error for a sign-in that could not be renewed, which botocore hides behind its
        expiry; None if no service was called.
        """
        fault, method = self._sources.fault, self._sources.method
        if fault is None or not any(kind.__name__ in _HIDING for kind in type(error).__mro__):
            return None
        found = (
            self._error_of_response(fault)
            if isinstance(fault, ClientError)
            else explain_transport(fault)
        )
        if found is None or found.retryable:
            return found
        said = (
            found.provider.message
            if found.provider is not None and found.provider.message
            else "refused"
        )
        hint = self._hint(CURES[SSO if method not in (SSO, LOGIN) else method, ""][0].hint, method)
        return Unauthenticated(
            self._says(method, f"does not renew the sign-in any more: {said}"),
            hint=hint,
            provider=found.provider,
        )

    def _unusual(self, error: Exception, method: str) -> JackfieldError:
        """Return the error for an exception without a service's response: a network failure, or a
        fault of the configuration.
        """
        name = type(error).__name__
        if name == "ParamValidationError" or _is_of_files(error):
            return self._malformed(method)
        found = (
            explain_transport(error)
            if not isinstance(error, _GARBLED) or _is_of_botocore(error)
            else None
        )
        if found is None:
            return self._garbled(error, method)
        if isinstance(found, Unauthenticated) and method in (SSO, LOGIN):
            found.hint = self._hint(CURES[method, ""][0].hint, method)
        return self._prefixed(found, method)

    def _mfa(self) -> JackfieldError:
        text = (
            f"the profile '{self._sources.profile}' needs a code of multi-factor "
            "authentication (mfa_serial), which a server cannot give"
        )
        hint = (
            "Use a profile without mfa_serial, whose role's trust policy has no condition on "
            "aws:MultiFactorAuthPresent, or an access key "
            "with a session token."
        )
        return InvalidConnection(text, hint=hint)

    def _nobody(self, before: str | None) -> JackfieldError:
        if before is not None:
            place = LABELS.get(before, "the source of this machine's AWS identity")
            return Unavailable(
                f"{place} gives no credentials any more",
                hint=f"Find out why {place} does not answer.",
            )
        return InvalidConnection(
            _NO_IDENTITY, hint="Give an access key, or set up AWS credentials on this machine."
        )

    def _error_of_response(self, error: Any) -> JackfieldError:
        """Return the error for a response of STS, IAM Identity Center or the sign-in service."""
        method = _OPERATIONS.get(error.operation_name, self._sources.method)
        found = STS_ERRORS.explain(
            error, renewable=False, elsewhere=names_endpoint(None, os.environ)
        ) or Unavailable("AWS gave no answer")
        if found.retryable or isinstance(found, RateLimited) or found.sent is Sent.UNKNOWN:
            return self._prefixed(found, method)
        provider = found.provider
        message, code = (
            (provider.message or "", (provider.code or "").removesuffix("Exception"))
            if provider
            else ("", "")
        )
        cure = _cure(method, code, message)
        kind: type[JackfieldError] = (
            Unauthenticated if isinstance(found, Unauthenticated) else InvalidConnection
        )
        if cure is not None:
            kind = cure.kind
        principal = principal_in(message)
        hint = found.hint if cure is None else self._hint(cure.hint, method, principal)
        said = self._clean(message or code)
        provider = (
            None if provider is None else replace(provider, message=self._clean(message) or None)
        )
        role = self._role(method)
        place = f"{error.operation_name}{f' on {role}' if role else ''} was refused: {said}"
        return kind(f"{self._prefix(method)}: {place}", hint=hint, provider=provider)

    def _not_retrieved(self, error: Any, method: str) -> JackfieldError:
        """Return the error for an exception that holds only text: from the end of the last request,
        or from the process's output.
        """
        if method == PROCESS:
            return self._process(str(error.kwargs.get("error_msg") or ""))
        if method == CONTAINER and self._sources.container is not None:
            return self._metadata(self._sources.container, CONTAINER)
        return self._malformed(method)

    def _process(self, output: str) -> JackfieldError:
        """Return the error for a process without credentials: ended by a signal, with an exit
        status, or with incomplete JSON.
        """
        said = self._clean(output) or "it wrote nothing to its standard error"
        status = self._sources.program.returncode if self._sources.program is not None else None
        if not status:
            return self._malformed(PROCESS, said)
        hint = self._hint(CURES[PROCESS, ""][0].hint, PROCESS)
        if status < 0:
            return Unavailable(
                self._says(PROCESS, f"was ended by signal {-status}: {said}"), hint=hint
            )
        return kind_of_exit(status, output)(
            self._says(PROCESS, f"ended with exit status {status}: {said}"), hint=hint
        )

    def _metadata(self, service: Metadata, method: str) -> JackfieldError:
        """Return the error for the end of the last request to a metadata service."""
        if service.status is None:
            hint = f"Find out why {LABELS[method]} does not answer."
            if method == INSTANCE:
                hint += " In a container on EC2, set the instance's metadata hop limit to 2."
            return Unavailable(self._says(method, "gave no answer"), hint=hint)
        if service.status >= _SERVER or service.status in _OUTAGES:
            return Unavailable(
                self._says(method, f"answered with HTTP status {service.status}"),
                hint=f"See the log of {LABELS[method]}.",
            )
        refusal = _refusal_in(service.body)
        if service.status >= _BAD or refusal:
            text = (
                "refused them with HTTP status "
                f"{service.status}{f': {self._clean(refusal)}' if refusal else ''}"
            )
            return Unauthenticated(self._says(method, text), hint=CURES[method, ""][0].hint)
        return Unavailable(
            self._says(method, "gave an answer that is not in its form"),
            hint=f"Find out who answers as {LABELS[method]}.",
        )

    def _malformed(self, method: str, said: str = "") -> JackfieldError:
        hint = self._hint(
            MALFORMED.get(
                method, "Check AWS_PROFILE, ~/.aws/config and ~/.aws/credentials of this machine."
            ),
            method,
        )
        return InvalidConnection(
            f"{self._prefix(method)}: it is misconfigured{f': {said}' if said else ''}", hint=hint
        )

    def _garbled(self, error: Exception, method: str) -> JackfieldError:
        del error  # it may quote the answer, which holds secrets
        sources = self._sources
        if sources.fault is None and not sources.has_answer:  # so none of AWS's services was asked
            for service, name in ((sources.container, CONTAINER), (sources.instance, INSTANCE)):
                if service is not None and service.asked:
                    return self._metadata(service, name)
        if sources.has_answer:
            return Unavailable(
                self._says(method, "gave an answer that is not in its form"),
                hint="Check AWS_ENDPOINT_URL_STS and proxies.",
            )
        return self._malformed(method)

    def _prefixed(self, found: JackfieldError, method: str) -> JackfieldError:
        if isinstance(found, TimedOut):  # the deadline of the fetch, which is no caller's
            return Unavailable(
                self._says(method, "did not answer in time"),
                hint=f"Find out why {LABELS.get(method, 'it')} does not answer.",
            )
        found.message = f"{self._prefix(method)}: {self._clean(found.message)}"
        found.args = (found.message,)
        return found

    def _prefix(self, method: str) -> str:
        return (
            "this machine's AWS identity could not be fetched from "
            f"{LABELS.get(method, 'its source')}"
        )

    def _says(self, method: str, text: str) -> str:
        return (
            "this machine's AWS identity could not be fetched: "
            f"{LABELS.get(method, 'its source')} {text}"
        )

    def _role(self, method: str) -> str | None:
        if method == WEB_IDENTITY:
            return os.environ.get("AWS_ROLE_ARN") or self._sources.setting(
                "role_arn", beside="web_identity_token_file"
            )
        return self._sources.setting("role_arn") if method == ROLE else None

    def _hint(self, template: str, method: str, principal: str | None = None) -> str:
        """Fill in a hint's template with values of this machine's configuration and token."""
        role = self._role(method) or "the role"
        file = os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") or self._sources.setting(
            "web_identity_token_file", beside="role_arn"
        )
        claims = claims_of(file if method == WEB_IDENTITY else None)
        account = (role.split(":") + [""] * 5)[4] or "of the role"
        if method == WEB_IDENTITY:
            statement = federated_trust(role, claims)
        else:
            known = (
                role_of_session(principal)
                if principal
                else "<ARN of the user or role that the profile's source is>"
            )
            shown = "<external_id of the profile>" if self._sources.setting("external_id") else None
            statement = trust_policy(known, shown)["Statement"][0]
        return template.format(
            profile=f"'{self._sources.profile}'",
            role=role,
            account=account,
            issuer=claims.issuer,
            provider=claims.provider,
            audience=claims.audience,
            trust=json.dumps(statement),
        )

    def _clean(self, text: str) -> str:
        """Mask possible secrets, since STS quotes values and processes may print anything. ARNs
        stay.
        """
        external = self._sources.setting("external_id")
        text = text.replace(f"'{external}'", "'***'") if external else text
        words = (
            word if "arn:" in word else _SECRET.sub("***", word)
            for word in re.split(r"(\s+)", text)
        )
        return "".join(words).strip()[:_LONGEST]


def _cure(method: str, code: str, message: str) -> Cure | None:
    rows = CURES.get((method, code)) or CURES.get((method, ""), ())
    return next((cure for cure in rows if cure.phrase in message.casefold()), None)


def _refusal_in(body: str) -> str:
    """Return the message of an error in a metadata response; empty for credentials."""
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(found, dict) or "AccessKeyId" in found:
        return ""
    return str(
        found.get("Message") or found.get("message") or found.get("Code") or found.get("code") or ""
    )


def _is_of_botocore(error: Exception) -> bool:
    return type(error).__module__.startswith("botocore.")


def _is_of_files(error: Exception) -> bool:
    """Return whether an operating system's error concerns a file or a program. Connection errors
    are botocore's, some of which derive from ``OSError``.
    """
    return (
        isinstance(error, OSError)
        and not isinstance(error, ConnectionError | TimeoutError)
        and not _is_of_botocore(error)
    )
