"""The connection type ``login``: a broker, a virtual host, and a user with a password."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

from pika import spec

from jackfield.connector import Account, ConnectionType, Deadline, Field, Guard, JackfieldError, OpenContext, Step
from jackfield.connector.servers import Address, authority_field, hostname_field, password_field, port_field, tls_field
from jackfield.connector.session_client import session_pool
from jackfield.kernel.exports import late_hints
from jackfield_rabbitmq.client import RabbitClient
from jackfield_rabbitmq.session import Login, Session, connect

_GUIDE = """
1. Make a user for jackfield with a password: `rabbitmqctl add_user jackfield`. `guest` may sign in on the broker's machine alone.
2. Give it the least rights in the virtual host, such as `rabbitmqctl set_permissions -p / jackfield '^$' '^orders$' '^orders$'` to
   publish to an exchange and to take from a queue named `orders`. Whoever may call these actions can do whatever this user may.
3. Let the broker accept AMQP connections from this machine: port 5671 with TLS, 5672 without.
4. Enter host name, virtual host, user name and password. If the broker's certificate comes from an authority of your provider's own, paste
   that authority's certificate into *CA Certificate*. A broker without TLS needs `disable`, which sends the password in clear text.
"""
_NAME = {"minLength": 1, "maxLength": 255, "pattern": "^[^\\u0000]+$"}


class LoginType(ConnectionType):
    """A RabbitMQ broker, and a user with a password."""

    key: ClassVar[str] = "login"
    title: ClassVar[str] = "RabbitMQ User"
    auth: ClassVar[str] = "basic"
    setup: ClassVar[str] = _GUIDE
    reports_begin: ClassVar[bool] = True

    hostname: str = hostname_field("broker.example.com")
    port: int = port_field(5671, "The broker's port: usually 5671 with TLS, 5672 without.")
    virtual_host: str = Field(
        "/", title="Virtual Host", description="The virtual host's name.", blank="absent", destination=True, audience="user", schema=_NAME
    )
    username: str = Field(title="User Name", description="The user that signs in.", trim=True, schema=_NAME)
    password: str = password_field("The user's password.")
    tls: Literal["verify", "encrypt", "disable"] = tls_field()
    ca_certificate: str | None = authority_field()

    @property
    def address(self) -> Address:
        """Broker that the values describe."""
        return Address(self.hostname.strip("[]"), self.port, self.tls, self.ca_certificate)

    def open(self, context: OpenContext) -> RabbitClient:
        """Open a client with the connection's pool; no connection is opened yet."""
        return RabbitClient(session_pool(context, self._connect), context.call)

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Sign in and open a channel; nothing is changed."""
        client = self.open(context)
        try:
            client.ask(spec.Basic.Qos(), spec.Basic.QosOk, safe=True)
        except JackfieldError as error:
            yield Step.failed("signIn", "Sign in", error)
            return
        yield Step("signIn", "Sign in", passed=True, message="The server accepted the login.")
        place, host = self.address.place, self.virtual_host
        yield Account(f"{self.username}@{place}{host}", f"{self.username} at {self.hostname}, virtual host {host}")

    def _connect(self, guard: Guard, deadline: Deadline) -> Session:
        return connect(self.address, Login(self.username, self.password, self.virtual_host), guard, deadline)


late_hints(__name__)
