"""Programs that send twice and hide it: the repetition looks like a read, like another write, or
comes where nobody waits for it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tests.jackfield_market.proving import seeded_programs
from tests.jackfield_market.proving.seeded_programs import Failed, repeated

checked = partial(seeded_programs.checked, timeout=30.0)
"""One request; none of these programs takes a slow answer for a failure."""
LAMP = {"sku": "lamp"}
_ERRORS = (OSError, Failed)
_COUNTER = itertools.count()
_LATER = 0.6
"""Seconds after which a program repeats in the background."""


def _again(url: str, path: str, body: Any, **about: Any) -> None:
    repeated(lambda: checked(url, path, body, **about), *_ERRORS)


def _then(first: Any, second: Any) -> None:
    try:
        first()
    except _ERRORS:
        second()


def grant_in_the_body(url: str) -> None:
    _again(url, "/orders", {**LAMP, "grant_type": "password"})


def grant_in_a_text(url: str) -> None:
    _again(url, "/messages", {"to": "ada", "text": "set grant_type=password there"})


def grant_that_is_a_gift(url: str) -> None:
    """Send to the address of a token, by its name, what is no grant of OAuth."""
    _again(url, "/vouchers/token", {**LAMP, "grant_type": "gift"})


def graphql_with_a_fragment_first(url: str) -> None:
    text = 'fragment F on Order { id } mutation M { placeOrder(sku: "lamp") { ...F } }'
    _again(url, "/graphql", {"query": text})


def graphql_with_a_query_first(url: str) -> None:
    text = "query Q { a }, mutation M { placeOrder(sku: 1) { id } }"
    _again(url, "/graphql", {"query": text, "operationName": "M"})


def graphql_with_a_misleading_text(url: str) -> None:
    """Have a string that looks like the end of a mutation, and a comment like a query."""
    text = 'mutation M { placeOrder(note: "} query Q { a") { id } } # query R {'
    _again(url, "/graphql", {"query": text})


def graphql_in_a_batch(url: str) -> None:
    """Send a query and a mutation in one request."""
    _again(url, "/graphql", [{"query": "{ a }"}, {"query": "mutation { placeOrder { id } }"}])


def by_another_provider(url: str) -> None:
    _then(
        lambda: checked(url, "/a/v1/messages", {"to": "ada@example.com", "text": "code 1"}),
        lambda: checked(url, "/b/v3/mail/send", {"recipient": "ada@example.com", "body": "code 1"}),
    )


def with_more_members(url: str) -> None:
    more = {"isRetry": True, "attempt": 2, "reason": "timeout"}
    _then(lambda: checked(url, "/orders", LAMP), lambda: checked(url, "/orders", {**LAMP, **more}))


def with_more_members_and_fails(url: str) -> None:
    """Repeat what failed, and leave out the second order, whose place the repetition takes."""
    more = {"isRetry": True, "attempt": 2, "reason": "timeout"}
    try:
        checked(url, "/orders", LAMP)
    except _ERRORS:
        checked(url, "/orders", {**LAMP, **more})
        raise
    checked(url, "/orders", {"name": "candle", "count": 1})


def as_a_put(url: str) -> None:
    _then(
        lambda: checked(url, "/orders", LAMP),
        lambda: checked(url, "/orders/o-1", LAMP, method="PUT"),
    )


def by_the_bulk_route(url: str) -> None:
    _then(
        lambda: checked(url, "/orders", LAMP),
        lambda: checked(url, "/orders/bulk", {"items": [LAMP]}),
    )


def nothing_but_the_time(url: str) -> None:
    repeated(lambda: checked(url, "/ticks", {"at": time.time()}), *_ERRORS)


def nothing_but_a_counter(url: str) -> None:
    repeated(lambda: checked(url, "/ticks", {"attempt": next(_COUNTER)}), *_ERRORS)


def key_of_the_moment(url: str) -> None:
    """Make the key of each attempt of the time, in steps of a second."""
    _wait_for_a_step()
    repeated(lambda: checked(url, key=f"o1-{int(time.time())}"), *_ERRORS)


def key_of_the_date(url: str) -> None:
    """Make the key of each attempt of the time, as a text."""
    _wait_for_a_step()
    repeated(lambda: checked(url, key=f"o1-{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"), *_ERRORS)


def _wait_for_a_step() -> None:
    """Wait until a second begins, in which all attempts fit."""
    threading.Event().wait(1 - time.time() % 1)


def in_a_thread_later(url: str) -> None:
    def work() -> None:
        threading.Event().wait(_LATER)
        checked(url)

    _then(lambda: checked(url), lambda: threading.Thread(target=work).start())


def in_a_session_of_its_own(url: str) -> None:
    """Leave a process behind that no signal to the group reaches, and that repeats later."""
    _then(lambda: checked(url), lambda: _leave_behind(_LATER, url))


def in_a_session_that_stays(url: str) -> None:
    """Leave a process behind for which nobody waits long enough."""
    _then(lambda: checked(url), lambda: _leave_behind(600.0, url))


def _leave_behind(seconds: float, url: str) -> None:
    program = f"import time; from {__package__}.seeded_programs import checked"
    subprocess.Popen(
        [sys.executable, "-c", f"{program}; time.sleep({seconds}); checked({url!r})"],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def after_the_limit(url: str) -> None:
    """Wait for longer than anybody, and repeat then."""
    _then(lambda: checked(url), threading.Event().wait)


def fifty_one_writes(url: str) -> None:
    for number in range(51):
        checked(url, f"/rows/row{number}", LAMP)


def keyed_by_the_moment_of_its_begin(url: str) -> None:
    """Make one key of the time, before the first attempt."""
    key = f"o1-{time.time_ns()}"
    with contextlib.suppress(OSError):
        checked(url, key=key)
        return
    checked(url, key=key)


SENT_TWICE = [
    grant_in_the_body,
    grant_in_a_text,
    grant_that_is_a_gift,
    graphql_with_a_fragment_first,
    graphql_with_a_query_first,
    graphql_with_a_misleading_text,
    graphql_in_a_batch,
    in_a_thread_later,
]
"""Programs whose repetition is seen as such."""
NOT_JUDGED = [
    by_another_provider,
    with_more_members,
    with_more_members_and_fails,
    as_a_put,
    by_the_bulk_route,
    nothing_but_the_time,
    nothing_but_a_counter,
]
"""Programs whose repetition may be another write."""

if __name__ == "__main__":
    globals()[sys.argv[1]](os.environ["SHOP_URL"])
