"""Brokers and databases of the runs against real software, which ``make interop`` starts: no other
run collects them.
"""

from postgres import postgres_server
from rabbitmq import rabbitmq, rabbitmq_node

__all__ = ["postgres_server", "rabbitmq", "rabbitmq_node"]
