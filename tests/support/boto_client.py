"""boto3 as a caller has it: a client of the fake AWS that tries once, so that a test sees each
answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

KEY = "AKIAEXAMPLE"
"""The access key of who brings no credentials; its secret is ``secret``."""

_NAMES = {
    "AccessKeyId": "aws_access_key_id",
    "SecretAccessKey": "aws_secret_access_key",
    "SessionToken": "aws_session_token",
}


@cache
def _session() -> Any:
    return boto3.Session(
        region_name="eu-west-1", aws_access_key_id=KEY, aws_secret_access_key="secret"
    )


def boto_client(
    url: str,
    service: str = "sesv2",
    credentials: Mapping[str, Any] | None = None,
    *,
    attempts: int = 1,
    timeout: float = 5,
    connections: int = 10,
    **more: Any,
) -> Any:
    """A client; ``credentials`` are in STS's words, ``connections`` is how many calls it may make
    at once.
    """
    retries = {"mode": "standard", "total_max_attempts": attempts}
    config = Config(
        retries=retries, read_timeout=timeout, max_pool_connections=connections, proxies={}
    )
    given = (
        {ours: credentials[theirs] for theirs, ours in _NAMES.items() if theirs in credentials}
        if credentials
        else {}
    )
    return _session().client(service, endpoint_url=url, config=config, **{**given, **more})
