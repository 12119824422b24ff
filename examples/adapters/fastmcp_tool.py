"""A FastMCP tool behind the boundary: its effect happens once for the key that the caller gives."""

import payments
import shop
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from jackfield import InvocationFailed

server = FastMCP("shop")


@server.tool(annotations={"idempotentHint": True})
def pay(key: str, order: str, amount: int) -> str:
    """Charge an order. `key` names the intent: the same for each repeat of it, and new for another charge."""
    try:
        return shop.charge(key, order, amount)
    except payments.Declined as error:
        raise ToolError(f"declined, nothing was charged: {error}") from error
    except InvocationFailed as error:
        rule = "Do not charge in another way: a person decides. " if error.result.status == "in_doubt" else ""
        raise ToolError(f"{rule}{error} ({error.result.meta.invocation_id})") from error
