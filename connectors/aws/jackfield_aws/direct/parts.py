"""Parts of a botocore client for direct calls: models, serializer, parser, endpoint rules and
credentials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import NoCredentialsError, NoRegionError

from jackfield.kernel.dataclass import dataclass
from jackfield_aws.direct.signing import Credentials, Scope
from jackfield_aws.direct.wires import Reach


@dataclass(frozen=True, slots=True, repr=False)
class Service:
    """Service as seen by one client. ``sign_as`` is the default scope of signatures, unless the
    endpoint rules name another.
    """

    model: Any
    serializer: Any
    parser: Any
    rules: Any
    region: str | None
    config: Any
    sign_as: Scope
    credentials: Callable[[], Credentials]
    """Function that returns the current credentials. botocore refreshes expiring credentials."""
    user_agent: str
    has_host_prefix: bool
    reach: Reach


def service_of(client: Any, reach: Reach) -> Service:
    """Return the parts of a client."""
    model, signer = client.meta.service_model, client._request_signer
    return Service(
        model=model,
        serializer=client._serializer,
        parser=client._endpoint._response_parser_factory.create_parser(model.resolved_protocol),
        rules=client._ruleset_resolver,
        region=client.meta.region_name,
        config=client.meta.config,
        sign_as=Scope(signer.region_name, signer.signing_name),
        credentials=_credentials(signer),
        user_agent=client._user_agent_creator.to_string(),
        has_host_prefix=client._client_config.inject_host_prefix,
        reach=reach,
    )


def _credentials(signer: Any) -> Callable[[], Credentials]:
    def frozen() -> Credentials:
        if signer._credentials is None:
            raise NoCredentialsError
        found: Credentials | None = signer._credentials.get_frozen_credentials()
        if found is None:
            raise NoCredentialsError
        if signer.region_name is None:
            raise NoRegionError
        return found

    return frozen
