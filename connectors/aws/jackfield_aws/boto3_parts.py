"""Parts of boto3 Sessions over a connection: credentials that hold no key, clients that are completed and watched, no pickles."""

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
"""A profile that the environment names may not exist, and has other credentials."""
_CALL = "_make_api_call"
"""Method of botocore's clients that all calls pass."""


class ConnectionCredentials(SecretHolder, RefreshableCredentials):  # type: ignore[misc]
    """Credentials that hold no key: ``find`` returns the current ones, which jackfield leases, shares and renews."""

    def __init__(self, find: Callable[[], Keys]) -> None:
        self._find = find
        self.method = "jackfield"

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return the keys of this moment."""
        found = self._find()
        return ReadOnlyCredentials(found.access_key_id, found.secret_access_key, found.session_token, None)

    def refresh_needed(self, *_: object, **__: object) -> bool:
        """Return False: the keys are renewed where they are leased."""
        return False

    @property
    def access_key(self) -> str:
        """Access key ID of this moment."""
        return str(self._find().access_key_id)

    @property
    def secret_key(self) -> str:
        """Secret access key of this moment."""
        return str(self._find().secret_access_key)

    @property
    def token(self) -> str | None:
        """Session token of this moment."""
        return self._find().session_token

    @property
    def account_id(self) -> None:
        """None: an endpoint that depends on it would break lists of allowed hosts."""


class _Provider:
    """Provider of these credentials, in place of botocore's chain of sources."""

    def __init__(self, credentials: ConnectionCredentials) -> None:
        self._credentials = credentials

    def load_credentials(self) -> ConnectionCredentials:
        """Return the credentials of the connection."""
        return self._credentials


class BotocoreSession(ProcessLocal, SecretHolder, botocore.session.Session):  # type: ignore[misc]
    """botocore Session of a connection: its clients have the connection's credentials and endpoint. ``adapt`` completes the arguments for a
    client, and ``watch`` gets each new client."""

    def __init__(self, find: Callable[[], Keys], adapt: Callable[[str, dict[str, Any]], Callable[[Any], None]], region: str | None) -> None:
        super().__init__(session_vars=dict(_NO_PROFILE))
        self._adapt = adapt
        self._making = threading.RLock()
        self.register_component("data_loader", model_loader())
        self.register_component("credential_provider", _Provider(ConnectionCredentials(find)))
        self.set_config_variable("sts_regional_endpoints", "regional")
        if region is not None:
            self.set_config_variable("region", region)

    def create_client(self, service_name: str, region_name: str | None = None, **given: Any) -> Any:
        """Make a client. Sessions of botocore are not thread-safe; this one is."""
        with self._making:
            watch = self._adapt(service_name, given)
            client = super().create_client(service_name, region_name, **given)
        watch(client)
        setattr(client, _CALL, bordered(getattr(client, _CALL)))
        return client


class Session(SecretHolder, boto3.Session):  # type: ignore[misc]
    """A boto3 Session of a connection. It cannot be pickled, and shows no secret except by ``get_credentials``."""

    def _setup_loader(self) -> None:
        self._loader = self._session.get_component("data_loader")  # it knows boto3's resources already


@cache
def model_loader() -> Any:
    """Return the process's loader of service models, with boto3's resources: reading them is most of a Session's cost."""
    places = botocore.session.get_session().get_config_variable("data_path")
    loader = botocore.loaders.create_loader(places)
    loader.search_paths.append(os.path.join(os.path.dirname(boto3.__file__), "data"))
    return loader


def config_at(endpoint: str | None) -> Config:
    """Return the settings of clients at an endpoint; None is AWS's own."""
    # a prefix of the host name would not exist at an endpoint that the connection names
    return Config(inject_host_prefix=endpoint is None, account_id_endpoint_mode="disabled")
