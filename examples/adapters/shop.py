"""The function that the adapters beside it call: your code, with a boundary around it."""

import payments
from jackfield import ABSENT, once


def find_charge(key: str) -> object:
    return payments.find(key) or ABSENT


@once("charge", key=lambda key, order, amount: key, refusals=(payments.Declined,), look=find_charge)
def charge(key: str, order: str, amount: int) -> str:
    """Charge a card."""
    return payments.charge(key, order, amount)
