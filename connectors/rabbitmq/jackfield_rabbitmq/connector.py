"""The connector ``rabbitmq``: its connection type, and the list of its actions' modules."""

from __future__ import annotations

from jackfield.connector import Connector
from jackfield_rabbitmq.connection_type import LoginType

_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    "<rect width='24' height='24' rx='4' fill='%23b35000'/>"
    "<text x='12' y='17' font-family='sans-serif' font-size='13' text-anchor='middle' fill='white'>Q</text></svg>"
)
UNRECORDED = "A broker tells nobody which messages it has had: those that were consumed are gone."
"""Why writes have no evidence."""

connector = Connector(
    "rabbitmq",
    title="RabbitMQ",
    version="0.1.0",
    description="Publish messages, take them out of queues, and declare queues of a RabbitMQ broker.",
    connections=[LoginType],
    icon=_ICON,
    categories=["messaging"],
    documentation_url="https://www.rabbitmq.com/docs",
    license="Apache-2.0",
    modules={
        f"{__package__}.messages": ("publishMessage", "takeMessages"),
        f"{__package__}.queues": ("describeQueue", "declareQueue", "bindQueue"),
    },
)
