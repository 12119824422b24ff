"""Parts of boto3 Sessions over a connection: credentials without stored keys, and clients bound to
the connection. They refuse pickling.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials, RefreshableCredentials

from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.frames import bordered
from jackfield.kernel.secrecy import SecretHolder

if TYPE_CHECKING:
    from jackfield_aws.keys import Keys

_NO_PROFILE: Mapping[str, Any] = {"profile": (None, [], None, None)}
"""Override of botocore's profile: a profile in the environment may not exist, and has other
credentials.
"""
_CALL = "_make_api_call"
"""Name of the method through which a botocore client makes all calls."""


class ConnectionCredentials(SecretHolder, RefreshableCredentials):  # type: ignore[misc]
    """Credentials that store no key: ``find`` returns the current keys, which jackfield leases,
    shares and renews.
    """

    def __init__(self, find: Callable[[], Keys]) -> None:
        self._find = find
        self.method = "jackfield"

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the current keys."""
        found = self._find()
        return ReadOnlyCredentials(
            found.access_key_id, found.secret_access_key, found.session_token, None
        )

    def refresh_needed(self, *_: object, **__: object) -> bool:
        """Return False: jackfield's lease renews the keys."""
        return False

    @property
    def access_key(self) -> str:
        """Current access key ID."""
        return str(self._find().access_key_id)

    @property
    def secret_key(self) -> str:
        """Current secret access key."""
        return str(self._find().secret_access_key)

    @property
    def token(self) -> str | None:
        """Current session token; None for credentials without a session."""
        return self._find().session_token

    @property
    def account_id(self) -> None:
        """Always None: an endpoint that depends on the account would break lists of allowed
        hosts.
        """


class _Provider:
    """Provider of a connection's credentials, in place of botocore's chain of sources."""

    def __init__(self, credentials: ConnectionCredentials) -> None:
        self._credentials = credentials

    def load_credentials(self) -> ConnectionCredentials:
        """Return the connection's credentials."""
        return self._credentials


class BotocoreSession(ProcessLocal, SecretHolder, botocore.session.Session):  # type: ignore[misc]
    """botocore Session of a connection, whose clients get its credentials and endpoint. ``adapt``
    completes a client's arguments and returns a function that is called with the new client.
    """

    def __init__(
        self,
        find: Callable[[], Keys],
        adapt: Callable[[str, dict[str, Any]], Callable[[Any], None]],
        region: str | None,
    ) -> None:
        super().__init__(session_vars=dict(_NO_PROFILE))
        self._adapt = adapt
        self._making = threading.RLock()
        self.register_component("data_loader", model_loader())
        self.register_component("credential_provider", _Provider(ConnectionCredentials(find)))
        self.set_config_variable("sts_regional_endpoints", "regional")
        if region is not None:
            self.set_config_variable("region", region)

    def create_client(self, service_name: str, region_name: str | None = None, **given: Any) -> Any:
        """Create a client; thread-safe, unlike botocore's own method."""
        with self._making:
            watch = self._adapt(service_name, given)
            client = super().create_client(service_name, region_name, **given)
        watch(client)
        setattr(client, _CALL, bordered(getattr(client, _CALL)))
        return client


class Session(SecretHolder, boto3.Session):  # type: ignore[misc]
    """boto3 Session of a connection. It cannot be pickled, and reveals secrets only through
    ``get_credentials``.
    """

    def _setup_loader(self) -> None:
        # it knows boto3's resources already
        self._loader = self._session.get_component("data_loader")


@cache
def model_loader() -> Any:
    """Return the process's cached loader of service models and boto3's resources: loading them is
    most of a Session's cost.
    """
    places = botocore.session.get_session().get_config_variable("data_path")
    loader = botocore.loaders.create_loader(places)
    loader.search_paths.append(os.path.join(os.path.dirname(boto3.__file__), "data"))
    return loader


def config_at(endpoint: str | None) -> Config:
    """Return botocore's settings for clients at an endpoint; None means AWS's own endpoint."""
    # a prefix of the host name would not exist at an endpoint that the connection names
    return Config(inject_host_prefix=endpoint is None, account_id_endpoint_mode="disabled")
