"""Deliveries that are on their way while the database changes under them."""

from __future__ import annotations

import threading

import pytest
from tests.jackfield_service.subjects.events.callback_stage import Place

from jackfield.testing import CLOSE, Answer
from receiver import Receiver


@pytest.mark.above_sql
@pytest.mark.parametrize("status", [204, 503])
def test_an_answer_is_noted_for_its_own_event(
    status: int, place: Place, receiver: Receiver
) -> None:
    """The database goes back while a delivery is on its way, and another event gets its number: the
    answer says nothing about that one.
    """
    goes = threading.Semaphore(0)
    receiver.answer = lambda _request: (
        Answer(status=status) if goes.acquire(timeout=60.0) else CLOSE
    )
    place.add(receiver.url, types=["quota.low"])
    place.happens()
    while not receiver.got:
        place.dispatcher.turn()
    place.database.record(
        lambda transaction: transaction.change(
            "UPDATE deliveries SET event = 'another', attempts = 0", {}
        )
    )
    goes.release()
    while place.dispatcher._batches:
        threading.Event().wait(0.002)
    place.dispatcher.turn()
    (row,) = place.all()
    assert (row.to_json()["status"], row.to_json()["attempts"], row.to_json()["eventId"]) == (
        "pending",
        0,
        "another",
    )
