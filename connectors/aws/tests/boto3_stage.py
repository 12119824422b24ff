"""A connector whose actions do what a test says with the open client of AWS, and a runtime with one
connection to a fake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aws_opening import KEY_ID, SECRET
from inmemory import installed
from jackfield import Result
from jackfield.connector import Connector, Inputs, Output
from jackfield_aws import AWS_ERRORS, ApiKeySecret, AwsClients
from jackfield_store.runtime import Jackfield

Act = Callable[[AwsClients], Any]


class Nothing(Inputs):
    """No inputs."""


class Said(Output):
    """What the test's function returned."""

    said: str


class Stage:
    """``run`` invokes an action of an effect, which calls a function of the test's."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.jackfield: Jackfield
        self.act: Act
        self.connector = Connector(
            key,
            title="Stage",
            description="Acts.",
            version="1.0.0",
            connections=[ApiKeySecret],
            explain=AWS_ERRORS,
        )

        @self.connector.action("write", effect="write")
        def write(_inputs: Nothing, aws: AwsClients) -> Said:
            """Write."""
            return Said(said=str(self.act(aws)))

        @self.connector.action("read", effect="read")
        def read(_inputs: Nothing, aws: AwsClients) -> Said:
            """Read."""
            return Said(said=str(self.act(aws)))

        @self.connector.action("later", effect="write")
        async def later(_inputs: Nothing, aws: AwsClients) -> Said:
            """Write, in asyncio."""
            return Said(said=str(await self.act(aws)))

    def run(self, act: Act, action: str = "write", **more: Any) -> Result:
        """Invoke an action that calls ``act`` with the open client."""
        self.act = act
        return self.jackfield.invoke(self.invocation(action, **more))

    def invocation(self, action: str, **more: Any) -> dict[str, Any]:
        """Return the invocation of an action."""
        return {"connector": self.key, "action": action, "connection": "acme", "inputs": {}, **more}


@contextmanager
def stage(folder: Path, endpoint: str, key: str = "boto3-stage") -> Iterator[Stage]:
    """Install the connector, and give it a connection to ``endpoint``."""
    found = Stage(key)
    keys = {
        "accessKeyId": KEY_ID,
        "secretAccessKey": SECRET,
        "region": "eu-west-1",
        "endpoint": endpoint,
    }
    connections = {"acme": {"type": "aws/apiKeySecret", "values": keys}}
    with (
        installed(folder, found.connector) as catalog,
        Jackfield(connections=connections, database_url="none", catalog=catalog) as jackfield,
    ):
        found.jackfield = jackfield
        yield found
