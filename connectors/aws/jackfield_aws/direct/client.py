"""Client of one AWS service, as connectors use it: its calls go out directly where they can, and through botocore's client otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import Any, NoReturn

from jackfield_aws.client_hooks import watch
from jackfield_aws.direct.calls import Calls
from jackfield_aws.direct.parts import service_of
from jackfield_aws.direct.wires import reach_of
from jackfield_aws.limits import READ_TIMEOUT
from jackfield_aws.sessions import ClientSpec, make_client, pointer_to_endpoint

SWITCH = "JACKFIELD_AWS_DIRECT"
"""Environment variable that, set to 0, lets botocore's client make all calls."""


def is_on() -> bool:
    """Return whether calls go out directly where they can."""
    return os.environ.get(SWITCH) != "0"


def open_client(spec: ClientSpec, *, begins: bool, read_timeout: float = READ_TIMEOUT) -> Any:
    """Create a client. Set ``begins`` for the provider's operations; STS calls never count as an attempt of one.

    :raises InvalidConnection: as ``make_client``.
    """
    client = make_client(spec, read_timeout=read_timeout)
    watch(client, begins=begins)
    if not is_on():
        return client
    reach = reach_of(client, spec.guard, pointer_to_endpoint(spec), read_timeout)
    return DirectClient(client, Calls(client, service_of(client, reach), begins=begins))


class DirectClient:
    """Client with the methods, exceptions, paginators and metadata of botocore's."""

    def __init__(self, client: Any, calls: Calls) -> None:
        self._client = client
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        operation = self._client.meta.method_to_api_mapping.get(name)
        if operation is None:
            return getattr(self._client, name)
        found = self.__dict__[name] = partial(self._calls.call, operation)
        return found

    def get_paginator(self, operation_name: str) -> Any:
        """Return botocore's paginator, whose pages are fetched by this client.

        :raises OperationNotPageableError: if the operation has no pages.
        """
        found = self._client.get_paginator(operation_name)
        found._method = getattr(self, operation_name)
        return found

    def __dir__(self) -> Iterable[str]:
        return dir(self._client)

    def __repr__(self) -> str:
        return f"<DirectClient of {self._client.meta.service_model.service_name}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("AWS clients cannot be pickled: they hold secrets")
