"""A PydanticAI tool whose effect happens once for the order that the run is about, however often the model asks."""

from dataclasses import dataclass

import payments
import shop
from pydantic_ai import Agent, ModelRetry, RunContext


@dataclass
class Deps:
    order: str


agent = Agent(deps_type=Deps, instructions="Charge the order.")


@agent.tool
def pay(ctx: RunContext[Deps], amount: int) -> str:
    """Charge the order."""
    try:
        return shop.charge(ctx.deps.order, ctx.deps.order, amount)
    except payments.Declined as error:
        raise ModelRetry(f"declined: {error}") from error  # a doubt is not caught: it ends the run
