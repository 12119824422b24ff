"""Opens AWS connections in tests, without the runtime: a context in memory that counts what is
minted and made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from jackfield.connector import Call, Minted, OpenContext
from jackfield.kernel.clock import Deadline, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from jackfield.kernel.clock import Clock

ROLE_ARN = "arn:aws:iam::123456789012:role/acme-ses"
KEY_ID, SECRET, TOKEN, EXTERNAL_ID = (
    "AKIAABCDEFGHIJKLWXYZ",
    "wJalrXUtnFEMI/K7MDENG+secret",
    "FwoGZXIvtoken+/=",
    "acme-4711-external",
)
NOWHERE = "http://127.0.0.1:9"
"""An endpoint of nobody: the discard port."""
MAIL = {
    "FromEmailAddress": "a@example.com",
    "Destination": {"ToAddresses": ["b@example.com"]},
    "Content": {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}},
}
"""What SendEmail of SES takes."""


def client_error(
    code: str = "",
    message: str = "",
    status: int = 400,
    headers: dict[str, str] | None = None,
    operation: str = "SendEmail",
    **more: Any,
) -> Exception:
    """Return botocore's exception for a refusal; ``more`` are modelled members of the error."""
    from botocore.exceptions import ClientError

    about = {"HTTPStatusCode": status, "RequestId": "r-1", "HTTPHeaders": headers or {}}
    made: Exception = ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": about, **more}, operation
    )
    return made


@dataclass
class MemoryLeases:
    """Leases in a dictionary; `minted` counts the mints by key, `made` the objects that were
    made.
    """

    held: dict[str, Minted] = field(default_factory=dict)
    objects: dict[object, Any] = field(default_factory=dict)
    minted: Counter[str] = field(default_factory=Counter)
    made: int = 0

    def lease(
        self, key: str, mint: Callable[[], Minted], deadline: Deadline, *, outlasts: bool = False
    ) -> Minted:
        """Return the lease under the key."""
        deadline.check()
        if key not in self.held:
            self.minted[key] += 1
            self.held[key] = mint()
        return self.held[key]

    def drop(self, key: str, used: Minted) -> None:
        """Forget the lease, if it is this one."""
        if self.held.get(key) is used:
            del self.held[key]

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        """Return the object under the key."""
        if key not in self.objects:
            self.objects[key] = make()
            self.made += 1
        return self.objects[key]


@dataclass
class Opener:
    """A stored connection that tests open; leaving the context closes its clients."""

    environment: Mapping[str, str] = field(default_factory=dict)
    workspace: str = "default"
    connection: str | None = "acme-ses"
    connector: str = "aws-ses"
    permissions: tuple[str, ...] = ("ses:SendEmail",)
    leases: MemoryLeases = field(default_factory=MemoryLeases)
    clock: Clock = field(default_factory=SystemClock)

    def context(
        self, *, seconds: float = 60.0, connector: str | None = None, **inputs: Any
    ) -> OpenContext:
        """Return the context of one try that may take `seconds`, of an action with these inputs."""
        return OpenContext(
            workspace=self.workspace,
            connection=self.connection,
            connector=connector or self.connector,
            inputs=inputs,
            permissions={"aws:iam": self.permissions} if self.permissions else {},
            call=Call(Deadline.after(seconds, self.clock)),
            clock=self.clock,
            environment=self.environment,
            leases=self.leases,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for client in self._clients():
            client.close()

    def _clients(self) -> Iterator[Any]:
        return (item for item in self.leases.objects.values() if hasattr(item, "close"))
