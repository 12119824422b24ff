"""A tool of the OpenAI Agents SDK whose effect happens once for the order that the run is about."""

from dataclasses import dataclass

import payments
import shop
from agents import Agent, RunContextWrapper, function_tool


@dataclass
class About:
    order: str


def told(_context: RunContextWrapper[About], error: Exception) -> str:
    if isinstance(error, payments.Declined):
        return f"declined: {error}"
    raise error  # a doubt ends the run: as text, the model would call again


@function_tool(failure_error_function=told)
def pay(context: RunContextWrapper[About], amount: int) -> str:
    """Charge the order."""
    return shop.charge(context.context.order, context.context.order, amount)


agent = Agent[About](name="cashier", instructions="Charge the order.", tools=[pay])
