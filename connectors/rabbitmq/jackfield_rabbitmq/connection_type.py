"""The connection type ``login``: a broker, a virtual host, and a user with a password."""

from __future__ import annotations

from typing import ClassVar, Literal

from pika import spec

from jackfield.connector import (
    Account,
    Deadline,
    Field,
    Guard,
    JackfieldError,
    Provider,
    Sent,
    Unauthenticated,
)
from jackfield.connector.servers import (
    authority_field,
    hostname_field,
    password_field,
    port_field,
    tls_field,
)
from jackfield.connector.sessions import Login, Refusal, ServerLogin
from jackfield.kernel.exports import late_hints
from jackfield_rabbitmq.client import RabbitClient
from jackfield_rabbitmq.faults import MEANINGS
from jackfield_rabbitmq.session import Session

_GUIDE = """
1. Make a user for jackfield with a password: `rabbitmqctl add_user jackfield`. `guest` may sign in on the broker's machine alone.
2. Give it the least rights in the virtual host, such as `rabbitmqctl set_permissions -p / jackfield '^$' '^orders$' '^orders$'` to
   publish to an exchange and to take from a queue named `orders`. Whoever may call these actions can do whatever this user may.
3. Let the broker accept AMQP connections from this machine: port 5671 with TLS, 5672 without.
4. Enter host name, virtual host, user name and password. If the broker's certificate comes from an authority of your provider's own, paste
   that authority's certificate into *CA Certificate*. A broker without TLS needs `disable`, which sends the password in clear text.
"""
_NAME = {"minLength": 1, "maxLength": 255, "pattern": "^[^\\u0000]+$"}


class LoginType(ServerLogin):
    """A RabbitMQ broker, and a user with a password."""

    key: ClassVar[str] = "login"
    title: ClassVar[str] = "RabbitMQ User"
    setup: ClassVar[str] = _GUIDE
    client: ClassVar[type[RabbitClient]] = RabbitClient

    hostname: str = hostname_field("broker.example.com")
    port: int = port_field(5671, "The broker's port: usually 5671 with TLS, 5672 without.")
    virtual_host: str = Field(
        "/",
        title="Virtual Host",
        description="The virtual host's name.",
        blank="absent",
        destination=True,
        audience="user",
        schema=_NAME,
    )
    username: str = Field(
        title="User Name", description="The user that signs in.", trim=True, schema=_NAME
    )
    password: str = password_field("The user's password.")
    tls: Literal["verify", "encrypt", "disable"] = tls_field()
    ca_certificate: str | None = authority_field()

    def session(self, guard: Guard, deadline: Deadline) -> Session:
        """Connect, without signing in."""
        return Session(
            self.address, Login(self.username, self.password, self.virtual_host), guard, deadline
        )

    def account(self, client: RabbitClient) -> tuple[str, Account]:
        """Check that the broker answers on the channel."""
        client.ask(spec.Basic.Qos(), spec.Basic.QosOk, safe=True)
        place, host = self.address.place, self.virtual_host
        return "The server", Account(
            f"{self.username}@{place}{host}",
            f"{self.username} at {self.hostname}, virtual host {host}",
        )

    def refused_login(self, refusal: Refusal) -> JackfieldError:
        """Return the error for a refusal while signing in."""
        if refusal.code == "403":
            hint = "Check user name and password of the connection."
            return Unauthenticated(
                "the broker refused the login",
                sent=Sent.REFUSED,
                hint=hint,
                provider=Provider(code="403"),
            )
        return MEANINGS.explain(refusal)


late_hints(__name__)
