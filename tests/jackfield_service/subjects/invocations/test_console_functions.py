"""Calls of a program's own functions (``once``) on the console: under their titles, and their
doubts among the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Place, placed, token

from jackfield import InvocationFailed


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console."""
    with placed(tmp_path) as found:
        yield found


def test_a_doubt_of_a_function_is_shown_and_resolved(place: Place) -> None:
    """A person finds it by its title on the list, the overview and its page, and decides; a repeat
    is answered with that.
    """

    @place.host.runtime("default").once("charge", key=lambda order: order)
    def charge(order: str) -> str:
        """Charge the card of <a customer>."""
        raise ConnectionResetError(order)

    with pytest.raises(InvocationFailed) as doubt:
        charge("order-7")
    identifier = doubt.value.result.meta.invocation_id
    client = place.signed_in(token(place, "manage"))
    for address in (
        "/",
        "/invocations",
        "/invocations?status=in_doubt",
        f"/invocations/{identifier}",
    ):
        answer = client.get(address)
        assert "Charge the card of <a customer>" in answer.words, address
        assert "<a customer>" not in answer.text, address
    page = client.get(f"/invocations/{identifier}")
    assert "a function of a program" in page.words
    assert "/connectors/host" not in page.text
    resolved = client.change(
        f"/invocations/{identifier}",
        f"/invocations/{identifier}/resolve",
        **{"as": "succeeded"},
        note="seen there",
    )
    assert resolved.status == 303
    assert charge("order-7") is None  # it took effect; nobody knows what it returned
