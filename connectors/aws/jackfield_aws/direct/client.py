"""Client of one AWS service for connectors. Its calls are direct if possible, otherwise botocore's
client makes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from jackfield.kernel.secrecy import SecretHolder
from jackfield_aws.client_hooks import watch
from jackfield_aws.direct.calls import Calls
from jackfield_aws.direct.light import light_service
from jackfield_aws.direct.parts import service_of
from jackfield_aws.direct.switch import is_on
from jackfield_aws.direct.wires import reach_of
from jackfield_aws.limits import READ_TIMEOUT
from jackfield_aws.sessions import ClientSpec, check_endpoint, make_client


def open_client(spec: ClientSpec, *, begins: bool, read_timeout: float = READ_TIMEOUT) -> Any:
    """Create a client. Set ``begins`` for the provider's operations; STS calls never count as an
    attempt.

    :raises InvalidConnection: as ``make_client``.
    """

    def make() -> Any:
        client = make_client(spec, read_timeout=read_timeout)
        watch(client, begins=begins)
        return client

    if not is_on():
        return make()
    check_endpoint(spec)
    light = light_service(spec, read_timeout)
    if light is not None:
        return DirectClient(Calls(light[0], make, light[1], begins=begins))
    client = make()
    service = service_of(client, reach_of(client))
    calls = Calls(service, lambda: client, (), begins=begins)
    calls.client()
    return DirectClient(calls)


class DirectClient(SecretHolder):
    """Client with the methods, exceptions, paginators and metadata of botocore's client."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        operation = self._calls.names.get(name)
        if operation is None:
            return getattr(self._calls.client(), name)
        found = self.__dict__[name] = partial(self._calls.call, operation)
        return found

    @property
    def exceptions(self) -> Any:
        """Classes of the service's errors."""
        return self._calls.exceptions

    def get_paginator(self, operation_name: str) -> Any:
        """Return botocore's paginator, which fetches pages with this client.

        :raises OperationNotPageableError: if the operation has no pages.
        """
        found = self._calls.client().get_paginator(operation_name)
        found._method = getattr(self, operation_name)
        return found

    def close(self) -> None:
        """Close the connections that no other client uses."""
        self._calls.close()

    def __dir__(self) -> Iterable[str]:
        return dir(self._calls.client())

    def __repr__(self) -> str:
        return f"<DirectClient of {self._calls.service_name}>"
