"""Stands for your provider's client: it writes its charges to a file, and fails as the beginning of an order's name says."""

import os
import signal
from pathlib import Path

FILE = Path(os.environ.get("PAYMENTS", "payments.txt"))


class Declined(Exception):
    """The provider has refused: nothing was charged."""


def charge(reference: str, order: str, amount: int) -> str:
    """Charge, and return the charge's ID."""
    if order.startswith("declined") or (order.startswith("busy") and _is_first(order)):
        raise Declined(order)
    with FILE.open("a", encoding="utf-8") as file:
        file.write(f"{order} {amount} {reference}\n")
    if order.startswith("lost"):
        raise TimeoutError("the answer was lost")
    if order.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    return f"charge of {order}"


def find(reference: str) -> str | None:
    """Return the ID of the charge with a reference."""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    found = [order for order, _, known in map(str.split, lines) if known == reference]
    return f"charge of {found[0]}" if found else None


def _is_first(order: str) -> bool:
    try:
        FILE.with_name(f"{order}.tried").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
