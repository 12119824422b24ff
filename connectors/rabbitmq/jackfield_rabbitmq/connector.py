"""The connector ``rabbitmq``: its connection type, and the list of its actions' modules."""

from __future__ import annotations

from jackfield.connector import Connector
from jackfield_rabbitmq.connection_type import LoginType

_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    "<rect width='24' height='24' rx='5' fill='%23ff6600'/>"
    "<path fill='%23fff' transform='translate(4.8 4.8) scale(.6)' d='"
    "M23.035 9.601h-7.677a.956.956 0 01-.962-.962V.962a.956.956 0 00-.962-.956H10.56a.956.956 0 "
    "00-.962.956V8.64a.9"
    "56.956 0 01-.962.962H5.762a.956.956 0 01-.961-.962V.962A.956.956 0 003.839 0H.959a.956.956 0 "
    "00-.956.962v22.07"
    "6A.956.956 0 00.965 24h22.07a.956.956 0 00.962-.962V10.58a.956.956 0 00-.962-.98zm-3.86 "
    "8.152a1.437 1.437 0 01"
    "-1.437 1.443h-1.924a1.437 1.437 0 01-1.436-1.443v-1.917a1.437 1.437 0 "
    "011.436-1.443h1.924a1.437 1.437 0 011.43"
    "7 1.443z"
    "'/></svg>"
)
UNRECORDED = "A broker tells nobody which messages it has had: those that were consumed are gone."
"""Reason why writes have no evidence."""

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
