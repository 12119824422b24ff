"""Programs whose behaviour is known: each places an order at the provider whose address it is
given. Who sends twice, and who does not.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import http.client
import json
import os
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

LINES = [{"sku": sku, "count": 1} for sku in ("lamp", "candle", "torch", "lantern")]
ORDER = {"reference": "order-1", "sku": "lamp", "count": 1}
TIMEOUT = 0.15
RESTS = 0.9
"""Seconds: longer than the provider is silent in the test."""
_TRIES = 3


class Failed(Exception):
    """The provider answered with a failure."""


def send(
    url: str,
    path: str = "/orders",
    body: Any = ORDER,
    *,
    method: str = "POST",
    key: str | None = None,
    header: str = "Idempotency-Key",
    form: bool = False,
    timeout: float | None = TIMEOUT,
    raw: bytes | None = None,
    more: dict[str, str] | None = None,
) -> tuple[int, Any]:
    """Send one request; return status and body. ``raw`` is a body as it is, ``more`` are fields of
    its header.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    headers = {"Content-Type": kind} | ({header: key} if key else {}) | (more or {})
    try:
        content: Any = (
            raw or None if raw or method == "GET" else urlencode(body) if form else json.dumps(body)
        )
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def checked(*given: Any, **about: Any) -> Any:
    """Send one request; raise unless it succeeded."""
    status, body = send(*given, **about)
    if status >= 300:
        raise Failed(f"status {status}")
    return body


def repeated(step: Any, *errors: type[BaseException]) -> Any:
    """Run a step again after some errors."""
    for _ in range(_TRIES - 1):
        try:
            return step()
        except errors:
            continue
    return step()


# Faulty


def repeats_on_timeout(url: str) -> None:
    repeated(lambda: checked(url), TimeoutError)


def repeats_on_500(url: str) -> None:
    status, _ = send(url)
    while status >= 500:
        status, _ = send(url)
    if status >= 300:
        raise Failed


def repeats_on_504_only(url: str) -> None:
    status, _ = send(url)
    if status == 504:
        status, _ = send(url)
    if status >= 300:
        raise Failed


def repeats_on_reset(url: str) -> None:
    repeated(lambda: checked(url), ConnectionResetError)


def repeats_on_close(url: str) -> None:
    try:
        checked(url)
    except http.client.RemoteDisconnected:
        checked(url)
    except ConnectionResetError as error:
        raise Failed from error


def repeats_on_half(url: str) -> None:
    repeated(lambda: checked(url), http.client.IncompleteRead)


def new_key_each_attempt(url: str) -> None:
    repeated(
        lambda: checked(url, key=str(uuid.uuid4())), OSError, Failed, http.client.HTTPException
    )


def key_with_number_of_attempt(url: str) -> None:
    for attempt in range(_TRIES):
        try:
            checked(url, key=f"order-1-{attempt}")
            return
        except (OSError, Failed):
            continue
    raise Failed


def key_in_unknown_header(url: str) -> None:
    repeated(lambda: checked(url, key="order-1", header="X-My-Key"), OSError)


def keyed(url: str) -> None:
    repeated(lambda: checked(url, key="order-1"), OSError, Failed, http.client.HTTPException)


def success_after_202_only(url: str) -> None:
    for _ in range(_TRIES):
        if send(url)[0] == 202:
            return
    raise Failed


def swallows_everything(url: str) -> None:
    try:
        checked(url)
    except Exception:
        return


def never_looks_at_the_status(url: str) -> None:
    send(url)


def timeout_is_success(url: str) -> str:
    try:
        checked(url)
    except TimeoutError:
        return "sent"
    return "sent"


def unavailable_is_queued(url: str) -> None:
    if send(url)[0] not in (200, 503):
        raise Failed


def timeout_is_not_sent(url: str) -> str:
    try:
        checked(url)
    except TimeoutError:
        return "not sent"
    return "sent"


def batch_begins_again(url: str, timeout: float | None = TIMEOUT) -> None:
    repeated(
        lambda: [
            checked(url, body={"reference": name}, timeout=timeout) for name in ("a", "b", "c")
        ],
        OSError,
        Failed,
    )


def batch_skips_what_fails(url: str) -> int:
    done = 0
    for name in ("a", "b", "c"):
        if send(url, body={"reference": name})[0] < 300:
            done += 1
    return done


def one_key_for_all(url: str) -> None:
    for name in ("a", "b"):
        send(url, body={"reference": name}, key="my-application")


def hedges(url: str) -> None:
    done: list[int] = []

    def first() -> None:
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            done.append(send(url, timeout=None)[0])

    one = threading.Thread(target=first, daemon=True)
    one.start()
    one.join(TIMEOUT)
    if not done:
        done.append(send(url)[0])
    if done[0] >= 300:
        raise Failed


def looks_in_the_wrong_place(url: str) -> None:
    try:
        checked(url)
    except (OSError, http.client.HTTPException):
        if not checked(url, "/invoices?reference=order-1", method="GET"):
            checked(url)


def body_with_time(url: str) -> None:
    def once() -> None:
        checked(url, body={**ORDER, "sentAt": str(uuid.uuid4())})

    repeated(once, OSError)


def patches_again(url: str) -> None:
    repeated(lambda: checked(url, "/stock/lamp", {"add": 1}, method="PATCH"), OSError)


def another_key_at_last(url: str) -> None:
    for key in ("order-1", "order-1", str(uuid.uuid4())):
        try:
            checked(url, key=key)
            return
        except (OSError, Failed):
            continue
    raise Failed


def repeats_what_is_no_json(url: str) -> None:
    repeated(lambda: checked(url), json.JSONDecodeError)


def mail_fails_and_order_is_sent_again(url: str) -> None:
    def both() -> None:
        checked(url)
        checked(url, "/mails", {"to": "ada@example.com"})

    repeated(both, Failed)


def new_path_each_attempt(url: str) -> None:
    repeated(lambda: checked(url, f"/orders/{uuid.uuid4()}", method="PUT"), OSError, Failed)


def numbers_its_attempts(url: str) -> None:
    for attempt in range(1, _TRIES):
        with contextlib.suppress(OSError, Failed):
            checked(url, body={**ORDER, "attempt": attempt})
            return
    raise Failed


def splits_after_any_failure(url: str) -> None:
    try:
        checked(url, "/batches", {"orders": LINES})
    except (OSError, Failed):
        for half in (LINES[:2], LINES[2:]):
            checked(url, "/batches", {"orders": half})


def repeats_in_the_background(url: str) -> None:
    def work() -> None:
        with contextlib.suppress(Exception):
            repeated(lambda: checked(url), OSError, Failed)

    threading.Thread(target=work).start()


def refused_is_logged(url: str) -> None:
    if send(url)[0] >= 300:
        checked(url, "/logs", {"message": "an order"})
    else:
        checked(url, "/logs", {"message": "an order"})


def another_version_at_last(url: str) -> None:
    """Send the same order by the older version of the API."""
    try:
        checked(url, "/v2/orders")
    except (OSError, Failed, http.client.HTTPException):
        checked(url, "/v1/orders")


def puts_then_posts(url: str) -> None:
    """Make by POST what PUT may have made."""
    try:
        checked(url, "/contacts/ann", {"name": "ann"}, method="PUT")
    except (OSError, Failed, http.client.HTTPException):
        checked(url, "/contacts", {"name": "ann"})


def form_then_json(url: str) -> None:
    """Take the encoding for the fault."""
    try:
        checked(url, "/payments", {"to": "DE02", "cents": 100}, form=True)
    except (OSError, Failed, http.client.HTTPException):
        checked(url, "/payments", {"to": "DE02", "cents": 100})


def another_reference_each_attempt(url: str) -> None:
    """Make the reference new, so that nobody refuses it."""
    for attempt in range(_TRIES):
        try:
            checked(
                url, body={**ORDER, "reference": f"order-1-r{attempt}" if attempt else "order-1"}
            )
            return
        except (OSError, Failed, http.client.HTTPException):
            continue
    raise Failed


def takes_a_failed_look_for_nothing(url: str) -> None:
    """Look before each repetition, and believe a look that failed."""

    def is_there() -> bool:
        try:
            return bool(checked(url, "/orders?reference=order-1", method="GET"))
        except (OSError, Failed, http.client.HTTPException):
            return False

    for _ in range(_TRIES):
        try:
            checked(url)
            return
        except (OSError, Failed, http.client.HTTPException):
            if is_there():
                return
    raise Failed


FAULTY = {
    new_path_each_attempt: "sent twice",
    numbers_its_attempts: "sent twice",
    splits_after_any_failure: "sent twice",
    repeats_in_the_background: "sent twice",
    refused_is_logged: "reported falsely",
    repeats_on_timeout: "sent twice",
    repeats_on_500: "sent twice",
    repeats_on_504_only: "sent twice",
    repeats_on_reset: "sent twice",
    repeats_on_close: "sent twice",
    repeats_on_half: "sent twice",
    new_key_each_attempt: "sent twice",
    key_with_number_of_attempt: "sent twice",
    key_in_unknown_header: "sent twice",
    success_after_202_only: "sent twice",
    swallows_everything: "lost",
    never_looks_at_the_status: "reported falsely",
    timeout_is_success: "lost",
    unavailable_is_queued: "reported falsely",
    timeout_is_not_sent: "reported falsely",
    batch_begins_again: "sent twice",
    batch_skips_what_fails: "reported falsely",
    one_key_for_all: "lost",
    hedges: "sent twice",
    looks_in_the_wrong_place: "sent twice",
    another_key_at_last: "sent twice",
    repeats_what_is_no_json: "sent twice",
    body_with_time: "sent twice",
    patches_again: "sent twice",
    mail_fails_and_order_is_sent_again: "sent twice",
    another_version_at_last: "sent twice",
    puts_then_posts: "sent twice",
    form_then_json: "sent twice",
    another_reference_each_attempt: "sent twice",
    takes_a_failed_look_for_nothing: "sent twice",
}
"""Programs that are wrong, with the verdict about the worst of their writes."""


# Correct


def once(url: str) -> None:
    checked(url)


def without_timeout(url: str) -> None:
    checked(url, timeout=None)


def keyed_of_content(url: str) -> None:
    key = hashlib.sha256(json.dumps(ORDER).encode()).hexdigest()
    repeated(lambda: checked(url, key=key), OSError, Failed, http.client.HTTPException)


def keyed_by_run(url: str) -> None:
    key = str(uuid.uuid4())
    repeated(lambda: checked(url, key=key), OSError, Failed, http.client.HTTPException)


def keyed_in_the_body(url: str) -> None:
    repeated(
        lambda: checked(url, body={**ORDER, "requestToken": "order-1"}),
        OSError,
        Failed,
        http.client.HTTPException,
    )


def keyed_form(url: str) -> None:
    repeated(
        lambda: checked(url, key="order-1", form=True), OSError, Failed, http.client.HTTPException
    )


def repeats_when_throttled(url: str) -> None:
    status, _ = send(url)
    while status == 429:
        status, _ = send(url)
    if status >= 300:
        raise Failed


def puts_again(url: str) -> None:
    repeated(
        lambda: checked(url, "/orders/order-1", method="PUT"),
        OSError,
        Failed,
        http.client.HTTPException,
    )


def puts_its_own_number(url: str) -> None:
    path = f"/orders/{uuid.uuid4()}"
    repeated(lambda: checked(url, path, method="PUT"), OSError, Failed, http.client.HTTPException)


def deletes_again(url: str) -> None:
    repeated(
        lambda: checked(url, "/orders/order-1", method="DELETE"),
        OSError,
        Failed,
        http.client.HTTPException,
    )


def looks_before_it_repeats(url: str) -> None:
    for _ in range(_TRIES):
        try:
            checked(url)
            return
        except (OSError, Failed, http.client.HTTPException):
            if checked(url, "/orders?reference=order-1", method="GET"):
                return
    raise Failed


def says_unknown(url: str) -> str:
    try:
        return "sent" if send(url)[0] < 300 else "failed"
    except (OSError, http.client.HTTPException):
        return "unknown"


def says_false(url: str) -> bool:
    try:
        return send(url)[0] < 300
    except (OSError, http.client.HTTPException):
        return False


def batch_that_says_what_failed(url: str) -> dict[str, Any]:
    failed = []
    for name in ("a", "b", "c"):
        try:
            checked(url, body={"reference": name})
        except (OSError, Failed, http.client.HTTPException):
            failed.append(name)
    return {"ok": not failed, "failed": failed}


def batch_with_keys(url: str) -> None:
    def each() -> None:
        for name in ("a", "b", "c"):
            checked(url, body={"reference": name}, key=name)

    repeated(each, OSError, Failed, http.client.HTTPException)


def order_then_mail(url: str) -> None:
    order = checked(url)
    checked(url, "/mails", {"about": order["id"]})


def reads_again(url: str) -> None:
    repeated(lambda: checked(url, "/stock", method="GET"), OSError, Failed)
    checked(url)


def token_again(url: str) -> None:
    grant = {"grant_type": "client_credentials"}
    repeated(lambda: checked(url, "/oauth/token", grant, form=True), OSError, Failed)
    checked(url)


def searches_again(url: str) -> None:
    repeated(lambda: checked(url, "/search", {"sku": "lamp"}), OSError, Failed)
    checked(url)


async def asynchronous(url: str) -> None:
    checked(url)


def three_writes(url: str) -> None:
    for name in ("a", "b", "c"):
        checked(url, body={"reference": name})


def sends_elsewhere(url: str) -> None:
    """Send a mail about the order that failed, which the first run has not."""
    try:
        checked(url)
    except OSError:
        checked(url, "/alerts/mails", {"about": "a failure"})
        raise


def says_it_gave_up(url: str) -> str:
    """Say in words how it went."""
    try:
        status, _ = send(url)
    except TimeoutError:
        return "timed out: may have been placed"
    except (OSError, http.client.HTTPException, json.JSONDecodeError) as error:
        return f"gave up after {type(error).__name__}"
    return "placed, 0 errors" if status < 300 else f"could not place it: {status}"


def drafts_what_is_refused(url: str) -> None:
    """Keep what was refused as a draft, with the same content at another path."""
    if send(url)[0] >= 300:
        checked(url, "/drafts")


def files_a_ticket(url: str) -> None:
    """Let people know of any failure."""
    try:
        checked(url)
    except (OSError, Failed, http.client.HTTPException, ValueError) as error:
        checked(url, "/tickets", {"about": f"order-1 may be missing: {type(error).__name__}"})


def orders_something_else(url: str) -> None:
    """Choose another thing at the same path, if the first is refused."""
    status, _ = send(url)
    if status == 422:
        checked(url, body={"reference": "order-1", "sku": "candle", "count": 1})
    elif status >= 300:
        raise Failed


def tells_the_channel(url: str) -> None:
    """Say in the same channel that the first message may not have come."""
    about = {"channel": "#orders", "username": "shop", "icon": "lamp"}
    try:
        checked(url, "/messages", {**about, "text": "Order 100048 was placed."})
    except (OSError, Failed):
        checked(
            url,
            "/messages",
            {**about, "text": "Order 100048 was placed, but a message about it may be missing."},
        )


def adds_and_takes_away(url: str) -> None:
    """Undo by the opposite what may have happened."""
    try:
        checked(url, "/stock/lamp", {"sku": "lamp", "shelf": "a", "add": 1}, method="PATCH")
    except (OSError, Failed):
        checked(url, "/stock/lamp", {"sku": "lamp", "shelf": "a", "add": -1}, method="PATCH")
        raise


def same_content_elsewhere(url: str) -> None:
    """Put the content into a queue for people, and an invoice."""
    try:
        checked(url)
    except (OSError, Failed, http.client.HTTPException):
        checked(url, "/queue")
        raise
    checked(url, "/invoices")


def _parts() -> tuple[bytes, dict[str, str]]:
    mark = uuid.uuid4().hex
    text = (
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; '
        f'filename="a.txt"\r\n\r\nlamp\r\n--{mark}--\r\n'
    )
    return text.encode(), {"Content-Type": f"multipart/form-data; boundary={mark}"}


def puts_a_form_of_parts(url: str) -> None:
    """Have another boundary in each attempt."""

    def once() -> None:
        raw, about = _parts()
        checked(url, "/files/a", method="PUT", raw=raw, more=about)

    repeated(once, OSError, Failed, http.client.HTTPException)


def keyed_form_of_parts(url: str) -> None:
    """Have another boundary in each attempt, and one key."""

    def once() -> None:
        raw, about = _parts()
        checked(url, "/files", raw=raw, more=about, key="file-a")

    repeated(once, OSError, Failed, http.client.HTTPException)


def keyed_and_compressed(url: str) -> None:
    """Have another time in the compression of each attempt."""

    def once(attempt: int) -> None:
        raw = gzip.compress(json.dumps(ORDER).encode(), mtime=attempt)
        checked(
            url, method="PUT", path="/orders/order-1", raw=raw, more={"Content-Encoding": "gzip"}
        )

    attempts = iter(range(1, 9))
    repeated(lambda: once(next(attempts)), OSError, Failed, http.client.HTTPException)


def keyed_in_the_query(url: str) -> None:
    repeated(
        lambda: checked(url, "/orders?requestId=order-1"),
        OSError,
        Failed,
        http.client.HTTPException,
    )


def keyed_by_its_name(url: str) -> None:
    repeated(
        lambda: checked(url, "/orders?idempotency_key=order-1"),
        OSError,
        Failed,
        http.client.HTTPException,
    )


def keyed_by_another_header(url: str) -> None:
    repeated(
        lambda: checked(url, key="order-1", header="X-Idempotency-Key"),
        OSError,
        Failed,
        http.client.HTTPException,
    )


def changes_what_it_has_read(url: str) -> None:
    """Send the version that was read: a provider refuses it the second time."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.request("GET", "/stock/lamp")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    about = {"If-Match": answer.headers["ETag"]}
    repeated(
        lambda: checked(url, "/stock/lamp", {"add": 1}, method="PATCH", more=about),
        OSError,
        http.client.HTTPException,
    )


def makes_what_is_not_there(url: str) -> None:
    """Take the refusal of a second attempt for what it is: it is there."""

    def once() -> None:
        status, _ = send(
            url,
            "/orders/order-1",
            {"sku": "lamp", "at": str(uuid.uuid4())},
            method="PUT",
            more={"If-None-Match": "*"},
        )
        if status >= 300 and status != 412:
            raise Failed

    repeated(once, OSError, Failed, http.client.HTTPException)


def splits_when_refused(url: str) -> None:
    """Send halves of a batch that is refused as a whole."""
    status, _ = send(url, "/batches", {"orders": LINES, "sentAt": str(uuid.uuid4())})
    if status == 422:
        for half in (LINES[:2], LINES[2:]):
            checked(url, "/batches", {"orders": half, "sentAt": str(uuid.uuid4())})
    elif status >= 300:
        raise Failed


def one_by_one_when_refused(url: str) -> None:
    """Send each order of a list that is refused as a whole."""
    status, _ = send(url, "/orders", LINES)
    if status == 422:
        for one in LINES:
            checked(url, body=one)
    elif status >= 300:
        raise Failed


def in_a_pool_that_stays(url: str) -> None:
    """Leave a thread behind that has nothing to do."""
    pool = ThreadPoolExecutor(1)
    pool.submit(checked, url).result()


def tells_of_the_background(url: str) -> str:
    """Write in a thread that tries once, after the function has returned."""

    def work() -> None:
        threading.Event().wait(TIMEOUT)
        with contextlib.suppress(Exception):
            checked(url)

    threading.Thread(target=work).start()
    return "pending"


def rests_after_a_failure(url: str) -> None:
    """Give up soon, and rest for longer than the provider is silent."""
    try:
        checked(url)
    except TimeoutError:
        threading.Event().wait(RESTS)
        raise


def _is_at(url: str, path: str) -> bool:
    status, _ = send(url, path, method="GET")
    if status not in (200, 404):
        raise Failed(f"status {status}")
    return status == 200


def _looking(url: str, path: str, step: Any, *, first: bool = False) -> None:
    """Take a step again while nothing is at a path; ``first``: look before the first, too."""
    for attempt in range(_TRIES):
        if (attempt or first) and _is_at(url, path):
            return
        with contextlib.suppress(OSError, Failed, http.client.HTTPException):
            step()
            return
    if not _is_at(url, path):
        raise Failed


def looks_by_its_id(url: str) -> None:
    _looking(url, "/orders/PO-3", lambda: checked(url, body={"id": "PO-3", "sku": "lamp"}))


def looks_by_its_id_first(url: str) -> None:
    _looking(
        url, "/orders/PO-3", lambda: checked(url, body={"id": "PO-3", "sku": "lamp"}), first=True
    )


def looks_by_its_reference(url: str) -> None:
    _looking(url, "/shop/orders/order-1", lambda: checked(url, "/shop/orders"))


def looks_at_what_it_has_put(url: str) -> None:
    _looking(url, "/orders/order-1", lambda: checked(url, "/orders/order-1", method="PUT"))


def looks_at_several_first(url: str) -> None:
    """Find the customer, then each order that is missing."""
    checked(url, "/customers/ann", method="GET")
    for name in ("a", "b"):
        body = {"id": name, "customer": "ann"}
        _looking(url, f"/orders/{name}", lambda body=body: checked(url, body=body), first=True)


def reads_the_id_that_was_given(url: str) -> None:
    """Ask for what was placed by the id of the answer."""
    order = checked(url)
    if not _is_at(url, f"/orders/{order['id']}"):
        raise Failed


def changes_what_was_there(url: str) -> None:
    """Read a thing that somebody else has made, and replace it."""
    thing = checked(url, "/contacts/ann", method="GET")
    checked(url, "/contacts/ann", {**thing, "name": "ann"}, method="PUT")


def cancels_and_fails(url: str) -> None:
    """Cancel what may have been placed, and let the failure out."""
    try:
        checked(url, "/v1/orders")
    except (OSError, Failed, http.client.HTTPException) as error:
        checked(url, "/v1/orders/cancel")
        raise Failed from error


def posts_then_puts_the_same(url: str) -> None:
    """Replace by PUT what POST has made under the same id."""
    try:
        checked(url, body={"id": "order-1", "sku": "lamp"})
    except (OSError, Failed, http.client.HTTPException):
        checked(url, "/orders/order-1", {"id": "order-1", "sku": "lamp"}, method="PUT")


def another_version_with_its_key(url: str) -> None:
    """Send it by the older version with one key."""
    try:
        checked(url, "/v2/orders", key="order-1")
    except (OSError, Failed, http.client.HTTPException):
        checked(url, "/v1/orders", key="order-1")


def rows_with_ids_of_their_own(url: str) -> None:
    """Go on with the next row, and fail at the end; each run makes new ids."""
    failed = 0
    for _ in range(3):
        try:
            checked(url, "/tickets", {"event": "concert", "ticket": str(uuid.uuid4())})
        except (OSError, Failed, http.client.HTTPException):
            failed += 1
    if failed:
        raise Failed


CORRECT = [
    looks_by_its_id,
    looks_by_its_id_first,
    looks_by_its_reference,
    looks_at_what_it_has_put,
    looks_at_several_first,
    reads_the_id_that_was_given,
    changes_what_was_there,
    cancels_and_fails,
    posts_then_puts_the_same,
    another_version_with_its_key,
    rows_with_ids_of_their_own,
    drafts_what_is_refused,
    files_a_ticket,
    orders_something_else,
    tells_the_channel,
    adds_and_takes_away,
    same_content_elsewhere,
    puts_a_form_of_parts,
    keyed_form_of_parts,
    keyed_and_compressed,
    keyed_in_the_query,
    keyed_by_its_name,
    keyed_by_another_header,
    changes_what_it_has_read,
    makes_what_is_not_there,
    splits_when_refused,
    one_by_one_when_refused,
    in_a_pool_that_stays,
    tells_of_the_background,
    once,
    without_timeout,
    keyed,
    keyed_of_content,
    keyed_by_run,
    keyed_in_the_body,
    keyed_form,
    repeats_when_throttled,
    puts_again,
    puts_its_own_number,
    deletes_again,
    looks_before_it_repeats,
    says_unknown,
    says_false,
    batch_that_says_what_failed,
    batch_with_keys,
    order_then_mail,
    says_it_gave_up,
    reads_again,
    token_again,
    searches_again,
    asynchronous,
    three_writes,
]
"""Programs that are right."""


def batch_begins_again_patiently(url: str) -> None:
    """Take no slow answer for a failure, however busy the machine is."""
    batch_begins_again(url, timeout=None)


def accepted_is_done(url: str) -> None:
    """Take what was accepted for done."""
    checked(url)


def accepted_is_asked_for(url: str) -> str:
    """Ask what became of what was accepted."""
    status, body = send(url)
    if status == 202:
        body = checked(url, f"/accepted/{body['id']}", method="GET")
    return str(body.get("status", "done"))


def marked(url: str) -> None:
    """Leave a marker before sending; a run that finds it looks first."""
    marker = Path(os.environ["JACKFIELD_PROVE_FOLDER"]) / "sent"
    if marker.exists() and checked(url, "/orders?reference=order-1", method="GET"):
        return
    marker.write_text("")
    checked(url)


def looks_first(url: str, timeout: float | None = None) -> None:
    """Look, then write: two that look at once both find nothing."""
    if not checked(url, "/orders?reference=order-1", method="GET", timeout=timeout):
        checked(url, timeout=timeout)


def looks_twice_first(url: str) -> None:
    """Look here and there, then write."""
    if not checked(url, "/drafts?reference=order-1", method="GET", timeout=None):
        looks_first(url)


def locks_and_looks(url: str) -> None:
    """Look and write while nobody else does."""
    with (Path(os.environ["JACKFIELD_PROVE_FOLDER"]) / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        looks_first(url)


def locks_and_gives_up(url: str) -> None:
    """Look and write while nobody else does, and give up soon."""
    with (Path(os.environ["JACKFIELD_PROVE_FOLDER"]) / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        checked(url)


if __name__ == "__main__":
    globals()[sys.argv[1]](os.environ["SHOP_URL"])
