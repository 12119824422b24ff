"""Parts of direct calls without a botocore client, whose modules take longer to import than a
request takes. They work with keys, unless a setting in this process or on this machine changes how
AWS is called.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import botocore
from botocore.exceptions import BotoCoreError
from botocore.model import ServiceModel
from botocore.parsers import ResponseParserFactory
from botocore.regions import EndpointResolverBuiltins as Names
from botocore.regions import EndpointRulesetResolver
from botocore.serialize import create_serializer
from botocore.utils import is_valid_endpoint_url, is_valid_ipv6_endpoint_url

from jackfield.connector import Guard
from jackfield_aws.agents import user_agent
from jackfield_aws.direct.parts import Service
from jackfield_aws.direct.qualify import judge
from jackfield_aws.direct.signing import Scope
from jackfield_aws.direct.wires import Reach
from jackfield_aws.endpoints import USUAL_S3
from jackfield_aws.json_answers import parse_as_json
from jackfield_aws.keys import Keys
from jackfield_aws.service_models import ServiceModels
from jackfield_aws.sessions import ClientSpec, hush, make_client, pointer_to_endpoint

TABLE = os.path.join(os.path.dirname(__file__), "plain.json")
_VARIABLES = re.compile(
    r"AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|SECURITY_TOKEN|PROFILE|DEFAULT_PROFILE|REGION|DEFAULT_REGION|DEFAULT_OUTPUT|PAGER"
    r"|MAX_ATTEMPTS|RETRY_MODE|EXECUTION_ENV|EC2_METADATA_\w+|CONTAINER_\w+|WEB_IDENTITY_TOKEN_FILE|ROLE_ARN|ROLE_SESSION_NAME|LAMBDA_\w+"
    r"|STS_REGIONAL_ENDPOINTS|ACCOUNT_ID_ENDPOINT_MODE|CONFIG_FILE|SHARED_CREDENTIALS_FILE|CA_BUNDLE)"
)
"""AWS environment variables that do not affect a client with keys, or that this module reads."""
_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
"""Environment variables that do not affect a client with its own endpoint."""
_SETTINGS = re.compile(
    r"region|output|aws_(access_key_id|secret_access_key|session_token|account_id)|role_arn|role_session_name|source_profile|external_id"
    r"|credential_(source|process)|mfa_serial|duration_seconds|web_identity_token_file|sso_\w+|cli_\w+|max_attempts|retry_mode"
    r"|sts_regional_endpoints"
)
"""Settings of a profile that do not affect a client with keys."""
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")


class _Fixed(NamedTuple):
    """Credentials in the form of botocore's signers."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        return "_Fixed(…)"


class _Silent:
    """Emitter without listeners."""

    def emit(self, _event: str, **_about: Any) -> list[Any]:
        """Return an empty list, as no listener answers."""
        return []


def light_service(spec: ClientSpec, read_timeout: float) -> tuple[Service, frozenset[str]] | None:
    """Return a service as botocore would make it for a client, and its operations that need
    botocore; None if only botocore can make it.
    """
    identity, without = spec.identity, _table().get(spec.service)
    if (
        without is None
        or spec.s3 != USUAL_S3
        or not isinstance(identity, Keys)
        or not _REGION.fullmatch(spec.region or "")
        or not _is_plain(spec)
    ):
        return None
    model = ServiceModel(
        _loader().load_service_model(spec.service, "service-2"), service_name=spec.service
    )
    parsers = ResponseParserFactory()
    if spec.as_json:
        parse_as_json(parsers)
    hush()
    reach = reach_by_environment(spec.guard, pointer_to_endpoint(spec), read_timeout)
    fixed = _Fixed(identity.access_key_id, identity.secret_access_key, identity.session_token)
    service = Service(
        model=model,
        serializer=create_serializer(model.resolved_protocol, include_validation=spec.validates),
        parser=parsers.create_parser(model.resolved_protocol),
        rules=_rules(model, spec),
        region=spec.region,
        config=None,
        sign_as=Scope(spec.region or "", model.signing_name),
        credentials=lambda: fixed,
        user_agent=user_agent(),
        has_host_prefix=spec.endpoint is None,
        reach=reach,
    )
    return service, without


def reach_by_environment(guard: Guard, guard_path: str, read_timeout: float) -> Reach:
    """Return how requests reach AWS by this machine's environment variables for proxies and
    certificate authorities.
    """
    return Reach(
        os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE"),
        guard,
        guard_path,
        read_timeout,
    )


def _rules(model: Any, spec: ClientSpec) -> Any:
    given = {
        Names.AWS_REGION: spec.region,
        Names.AWS_USE_FIPS: False,
        Names.AWS_USE_DUALSTACK: False,
        Names.AWS_STS_USE_GLOBAL_ENDPOINT: False,
        Names.SDK_ENDPOINT: spec.endpoint,
        Names.ACCOUNT_ID: None,
        Names.ACCOUNT_ID_ENDPOINT_MODE: "disabled",
    }
    loader = _loader()
    ruleset = loader.load_service_model(spec.service, "endpoint-rule-set-1")
    return EndpointRulesetResolver(
        ruleset, loader.load_data("partitions"), model, given, {}, _Silent()
    )


@functools.lru_cache(maxsize=1)
def _loader() -> Any:
    return ServiceModels()


@functools.lru_cache(maxsize=1)
def _stored() -> dict[str, Any]:
    with open(TABLE, "rb") as file:
        found: dict[str, Any] = json.load(file)
    return found


@functools.lru_cache(maxsize=1)
def _table() -> dict[str, frozenset[str]]:
    """Return the table of services, empty if it was made for another release of botocore."""
    found = _stored()
    if found["botocore"] != botocore.__version__:
        return {}
    return {name: frozenset(without) for name, without in found["services"].items()}


def _is_plain(spec: ClientSpec) -> bool:
    """Return whether only ``spec`` decides how AWS is called. Otherwise, a function was added to
    the events of all clients, as moto does, or an environment variable or the AWS configuration has
    an effect.
    """
    # absent while another thread imports the module
    handlers, endpoint = (
        getattr(sys.modules.get("botocore.handlers"), "BUILTIN_HANDLERS", None),
        spec.endpoint,
    )
    if (handlers is not None and len(handlers) != _stored()["handlers"]) or not _is_unset(
        has_endpoint=endpoint is not None
    ):
        return False
    return (
        endpoint is None or is_valid_endpoint_url(endpoint) or is_valid_ipv6_endpoint_url(endpoint)
    )


def _is_unset(*, has_endpoint: bool) -> bool:
    for name in os.environ:
        if (
            name.startswith(("AWS_", "BOTO"))
            and not _VARIABLES.fullmatch(name)
            and not (has_endpoint and name.startswith(_ENDPOINTS))
        ):
            return False
    files = (
        ("AWS_CONFIG_FILE", "~/.aws/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"),
    )
    return all(
        _is_plain_file(os.path.expanduser(os.path.expandvars(os.environ.get(name) or default)))
        for name, default in files
    )


def _is_plain_file(path: str) -> bool:
    if not os.path.isfile(path):
        return True
    from botocore.configloader import raw_config_parse

    try:
        found = raw_config_parse(path)
    except BotoCoreError:
        return False  # botocore's client explains it
    return all(
        _SETTINGS.fullmatch(name)
        for name in found.get("default", {}) | found.get("profile default", {})
    )


def build(services: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the table of the installed botocore: by service, the operations that need its client
    or one of its functions. It contains the services that botocore signs for their own name and
    region everywhere.
    """
    import botocore.handlers
    import botocore.session

    session = botocore.session.Session()
    found = {}
    for name in services or session.get_available_services():
        client = make_client(ClientSpec(name, "eu-west-1", None, Keys("k", "s")))
        model = client.meta.service_model
        verdicts = {one: judge(client, model.operation_model(one)) for one in model.operation_names}
        without = sorted(
            one
            for one, verdict in verdicts.items()
            if verdict.reasons or verdict.before or verdict.after
        )
        if len(without) < len(verdicts) and _signs_for_itself(session, model):
            found[name] = without
    return {
        "botocore": botocore.__version__,
        "handlers": len(botocore.handlers.BUILTIN_HANDLERS),
        "services": found,
    }


def _signs_for_itself(session: Any, model: Any) -> bool:
    """Return whether botocore signs the service's requests with its own name and the request's
    region in all regions.
    """
    from botocore.client import ClientEndpointBridge

    resolver = session._get_internal_component("endpoint_resolver")
    bridge = ClientEndpointBridge(
        resolver, {}, None, service_signing_name=model.metadata.get("signingName")
    )
    regions = {
        one for partition in resolver._endpoint_data["partitions"] for one in partition["regions"]
    }
    resolved = ((region, bridge.resolve(model.endpoint_prefix, region)) for region in regions)
    return all(
        (one["signing_region"], one["signing_name"]) == (region, model.signing_name)
        for region, one in resolved
    )
