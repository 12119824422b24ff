"""Secrets stored in AWS: ``{"$awsSecretsManager": {"secretId": "acme/ses", "key":
"secretAccessKey"}}`` and ``{"$awsParameterStore": …}``.

Secrets are read with this machine's identity and AWS's own variables and files; the runtime caches
them for five minutes. Dapr's secret stores ``secretstores.aws.secretmanager`` and
``secretstores.aws.parameterstore`` may have an access key, a region and an endpoint of their own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from jackfield.connector import Deadline, JackfieldError, Sent, Unavailable
from jackfield.kernel.clock import SystemClock, patience
from jackfield.kernel.dataclass import dataclass, field
from jackfield_aws.errors import AWS_ERRORS
from jackfield_aws.keys import Keys
from jackfield_aws.limits import within
from jackfield_aws.regions import normal_region
from jackfield_aws.sessions import Ambient, ClientSpec, find_keys

_TIMEOUT = 10.0
"""Maximum seconds for reading a secret, including the fetch of the identity."""
_SECRETS_MANAGER = "awsSecretsManager"
_PARAMETER_STORE = "awsParameterStore"
_MEMBERS = {
    _SECRETS_MANAGER: frozenset({"secretId", "key", "region", "versionId", "versionStage"}),
    _PARAMETER_STORE: frozenset({"name", "key", "region"}),
}
_NAMED = {_SECRETS_MANAGER: "secretId", _PARAMETER_STORE: "name"}
_STORE_MEMBERS = frozenset(
    {
        "region",
        "accesskey",
        "secretkey",
        "sessiontoken",
        "endpoint",
        "prefix",
        "multiplekeyvaluespersecret",
        "multiplekeyspersecret",
    }
)
_MISSING = {"ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound"}
_DENIED = {"AccessDeniedException", "AccessDenied"}


def _read(kind: str, reference: object, _environment: Mapping[str, str]) -> str:
    """Return the secret of a reference. AWS's own variables are the process's.

    :raises ValueError: if the reference is invalid, or AWS does not return the secret; the message
        contains no secret.
    """
    wanted = _parse_reference(kind, reference)
    return _part(_fetch_secret(kind, wanted, _Signing()), wanted.get("key"))


@dataclass(frozen=True, slots=True, repr=False)
class _Signing:
    """Identity that reads a secret (default: the machine's), and an endpoint other than AWS's
    own.
    """

    identity: Keys | Ambient = field(default_factory=Ambient)
    endpoint: str | None = None


def _read_for_dapr(kind: str, reference: Mapping[str, Any], _environment: Mapping[str, str]) -> str:
    """Return a secret for a Dapr component. A store's access key is never replaced by the machine's
    identity.

    :raises ValueError: as ``_read``.
    """
    store, name, key = reference["store"], reference["name"], reference["key"]
    unknown = sorted(member for member in store if member not in _STORE_MEMBERS)
    if unknown:
        raise ValueError(
            f"the secret store's metadata {', '.join(unknown)[:200]} is not supported: it reads "
            "with an access key or as this machine"
        )
    if ("accesskey" in store) != ("secretkey" in store):
        raise ValueError(
            "the secret store has one of accessKey and secretKey: give both, or neither to read "
            "as this machine"
        )
    identity = (
        Keys(store["accesskey"], store["secretkey"], store.get("sessiontoken"))
        if "accesskey" in store
        else Ambient()
    )
    wanted = {
        _NAMED[kind]: f"{store.get('prefix', '')}{name}",
        **({"region": store["region"]} if "region" in store else {}),
    }
    text = _fetch_secret(kind, wanted, _Signing(identity, store.get("endpoint")))
    several = any(
        store.get(member, "").lower() == "true"
        for member in ("multiplekeyvaluespersecret", "multiplekeyspersecret")
    )
    return _part(text, key if several or key != name else None)


def _parse_reference(kind: str, reference: object) -> Mapping[str, str]:
    wanted = {_NAMED[kind]: reference} if isinstance(reference, str) else reference
    if (
        not isinstance(wanted, Mapping)
        or not wanted.keys() <= _MEMBERS[kind]
        or not wanted.get(_NAMED[kind])
        or not all(isinstance(value, str) for value in wanted.values())
    ):
        others = ", ".join(sorted(_MEMBERS[kind] - {_NAMED[kind]}))
        raise ValueError(
            f"'${kind}' takes a name, or an object with '{_NAMED[kind]}' and optionally {others}"
        )
    return wanted


def _fetch_secret(kind: str, wanted: Mapping[str, str], signing: _Signing) -> str:
    from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

    name = f"'{wanted[_NAMED[kind]][:100]}'"
    read = _from_secrets_manager if kind == _SECRETS_MANAGER else _from_parameter_store
    try:
        return read(wanted, signing)
    except NoRegionError:
        raise ValueError(
            "no AWS region is set: neither in the reference nor by AWS_REGION or the profile"
        ) from None
    except ClientError as error:
        found = AWS_ERRORS.explain(error)
        if found is not None and found.retryable:
            raise Unavailable(
                f"AWS gives no answer for {name}: {found.message}", sent=Sent.NOTHING
            ) from None
        raise ValueError(
            _refusal(name, str(error.response.get("Error", {}).get("Code", "")))
        ) from None
    except BotoCoreError as error:
        raise Unavailable(
            f"AWS could not be reached for {name}: {type(error).__name__}", sent=Sent.NOTHING
        ) from None
    except JackfieldError as error:
        if error.retryable:
            raise
        raise ValueError(error.message) from None


def _refusal(name: str, code: str) -> str:
    if code in _MISSING:
        return f"AWS has no secret {name} in this region and account"
    if code in _DENIED:
        return f"this machine's AWS identity is not allowed to read {name}"
    return f"AWS refuses access to {name}: {code[:80]}"


def _from_secrets_manager(wanted: Mapping[str, str], signing: _Signing) -> str:
    names = {"secretId": "SecretId", "versionId": "VersionId", "versionStage": "VersionStage"}
    asked = {names[name]: value for name, value in wanted.items() if name in names}
    answer = _call_aws("secretsmanager", wanted, signing, "get_secret_value", asked)
    if "SecretString" in answer:
        return str(answer["SecretString"])
    try:
        return bytes(answer.get("SecretBinary", b"")).decode()
    except UnicodeDecodeError:
        raise ValueError("the secret is not text") from None


def _from_parameter_store(wanted: Mapping[str, str], signing: _Signing) -> str:
    answer = _call_aws(
        "ssm", wanted, signing, "get_parameter", {"Name": wanted["name"], "WithDecryption": True}
    )
    return str(answer.get("Parameter", {}).get("Value", ""))


def _call_aws(
    service: str,
    wanted: Mapping[str, str],
    signing: _Signing,
    operation: str,
    asked: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Make one call with a new client, since secrets are read rarely. The call and the fetch of the
    machine's identity share one timeout.
    """
    from jackfield_aws.direct.client import open_client

    # botocore reads AWS_DEFAULT_REGION and the profile, but not AWS_REGION, which containers and
    # functions set
    region = normal_region(wanted.get("region") or os.environ.get("AWS_REGION", "")) or None
    with within(Deadline.after(patience(_TIMEOUT), SystemClock())):
        if isinstance(signing.identity, Ambient):
            find_keys(signing.identity, region)
        client = open_client(
            ClientSpec(service, region, signing.endpoint, signing.identity),
            begins=False,
            read_timeout=_TIMEOUT,
        )
        try:
            found: Mapping[str, Any] = getattr(client, operation)(**asked)
        finally:
            client.close()
    return found


def _part(text: str, key: str | None) -> str:
    """Return a secret or, with ``key``, that member of its JSON object, the AWS console's format.

    :raises ValueError: if the member is missing or the secret is empty.
    """
    if key is not None:
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            fields = None
        found = fields.get(key) if isinstance(fields, dict) else None
        if not isinstance(found, str):
            raise ValueError(f"the secret is not a JSON object with a string '{key[:80]}'")
        text = found
    if not text:
        raise ValueError("the secret is empty")
    return text


secrets_manager, parameter_store = (
    partial(_read, _SECRETS_MANAGER),
    partial(_read, _PARAMETER_STORE),
)
dapr_secrets_manager, dapr_parameter_store = (
    partial(_read_for_dapr, _SECRETS_MANAGER),
    partial(_read_for_dapr, _PARAMETER_STORE),
)
