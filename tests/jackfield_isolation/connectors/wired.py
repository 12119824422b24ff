"""A connector over the HTTP kit, whose connections another process opens."""

from __future__ import annotations

from jackfield.connector import Connector, Inputs, Output
from jackfield_http import BearerToken, HttpClient


class Account(BearerToken):
    """An account."""

    key = "account"
    title = "Account"


connector = Connector("wired", title="Wired", version="1.0.0", connections=[Account])


class Order(Inputs):
    """What to order."""

    method: str = "POST"


class Ordered(Output):
    """The outcome."""

    status: int


@connector.action("order", effect="write")
def order(asked: Order, api: HttpClient) -> Ordered:
    """Order something."""
    return Ordered(status=api.request(asked.method, "/orders").status)
