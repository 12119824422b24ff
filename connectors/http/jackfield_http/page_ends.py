"""Continuation of a list, for every connector: the name of the next page, the flag for further
pages, and the end of the list.

A list ends if its provider says so: ``more`` is false, ``last`` is true, a counted page is empty,
or the status is 204. With ``empty_ends``, any empty page ends it. It also ends if there is no
token, URL or ``rel=next``, and neither ``more`` nor ``last`` is declared. Any other end is open:
its reason is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import Sent, Unavailable
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.pointers import unescaped
from jackfield.manifest.pagination import yes_or_no
from jackfield_http.answers import NO_CONTENT, Answer
from jackfield_http.links import is_malformed, link_target
from jackfield_http.list_declarations import Declared
from jackfield_http.pointers import find
from jackfield_http.urls import UrlError, plain

ERRORS = ("error", "errors", "fault")
"""Members of a response that reports an error."""
_LONGEST = 16
"""Maximum number of digits in a number of items or pages: a hostile response could send
thousands.
"""


@dataclass(frozen=True, slots=True)
class Following:
    """Next page of a response: the way to fetch it (None without one), and the reason if the list's
    end is unknown.
    """

    next: str | None = None
    unknown: str | None = None


END = Following()


def following(pages: Declared, answer: Answer, body: Any, position: int) -> Following:
    """Return the next page of a response. ``position`` is the number or offset of the response's
    own page.

    :raises Unavailable: if the place of the next page's name holds a value that cannot name a page.
    """
    in_header = (
        _link(answer)
        if pages.kind == "linkHeader"
        else answer.headers.get(pages.header, "").strip()
        if pages.header
        else None
    )
    has_ended = pages.empty_ends and find(body, pages.items) == []
    if in_header and not has_ended:
        return Following(in_header)
    if not answer.content:
        return END if answer.status in NO_CONTENT else _open(f"is empty (status {answer.status})")
    more = _more(pages, body)
    if (fault := _fault_of(pages, body)) is not None:
        return _open(fault)
    # an empty page of these may leave out its list
    is_named = pages.kind in {"token", "url", "linkHeader"}
    if has_ended or (more is False and (is_named or not is_absent(pages.items, body))):
        return END
    if pages.kind == "linkHeader":
        return _linked(pages, answer, body, more)
    return (
        _following_by_token(pages, body, more)
        if is_named
        else _counted(pages, answer, body, position, more)
    )


def lacking(pages: Declared, body: Any, found: Following) -> str | None:
    """Return the reason why a list is incomplete although each page was read; None without such a
    reason.

    A page may state by a flag or in words that it lacks items. The last page may state a higher
    total than the provider returns.
    """
    said = None if pages.partial is None else find(body, pages.partial)
    if yes_or_no(said) or (isinstance(said, str) and said.strip() and yes_or_no(said) is None):
        return f"the list may lack items: the provider says so at '{pages.partial}'"
    total = None if pages.total is None or found != END else find(body, pages.total)
    if (
        pages.most is None
        or not isinstance(total, int | float)
        or isinstance(total, bool)
        or total <= pages.most
    ):
        return None
    return (
        f"the list has {plain(total)} items, of which the provider shows the first "
        f"{pages.most}: narrow what is asked for"
    )


def page_token(value: Any) -> str | None:
    """Return a token as a string; None for null, false and empty values, which end a list.

    :raises Unavailable: if the value is no token.
    """
    if value is None or value is False or value in ("", [], {}):
        return None
    if isinstance(value, dict | list) or value is True:
        raise _endless("what should name the next page is no token")
    return value if isinstance(value, str) else plain(value)


def last_id(value: Any) -> str:
    """Return the ID of a page's last item as a token.

    :raises Unavailable: if the item has no ID.
    """
    found = page_token(value)
    if found is None:
        raise _endless("the last item has no ID")
    return found


def is_absent(items: str, body: Any) -> bool:
    """Return whether a response lacks the member at a JSON Pointer; a present null is not
    absent.
    """
    parent, _, name = items.rpartition("/")
    found = find(body, parent)
    return (
        bool(items)
        and find(body, items) is None
        and not (isinstance(found, Mapping) and unescaped(name) in found)
    )


def _fault_of(pages: Declared, body: Any) -> str | None:
    """Return the reason why a response is no page; None if it is a page.

    An object without a list counts as an empty page, such as Google's, unless it has an error.
    """
    if not isinstance(body, Mapping | list):
        return "is neither an object nor a list"
    has_error = isinstance(body, Mapping) and any(body.get(name) for name in ERRORS)
    return (
        f"reports an error, and has no list at '{pages.items}'"
        if has_error and not isinstance(find(body, pages.items), list)
        else None
    )


def _link(answer: Answer) -> str | None:
    """Return the address of the next page in ``Link``; None without one."""

    def is_own(anchor: str) -> bool:
        try:
            found = answer.url.joined(anchor)
        except UrlError:
            return False
        return (found.host, found.path) == (answer.url.host, answer.url.path)

    return link_target(answer.headers.get("link", ""), "next", is_own)


def _linked(pages: Declared, answer: Answer, body: Any, more: bool | None) -> Following:
    has_link = "link" in answer.headers
    if has_link and is_malformed(answer.headers.get("link")):
        return _open("has a header field 'Link' that cannot be read (RFC 8288)")
    if pages.is_assumed and not has_link:
        return _open("has no header field 'Link', which would name the next page")
    return _nothing_named(pages, more) or (_no_list(pages) if is_absent(pages.items, body) else END)


def _following_by_token(pages: Declared, body: Any, more: bool | None) -> Following:
    found = None if pages.header else find(body, pages.next)
    if pages.kind == "url" and isinstance(found, Mapping) and found:
        found = found.get("href", found)
    if type(found) in (int, float) and not found:
        return _open(f"has {found} at '{pages.next}', which may be a token or an end")
    token = page_token(found)
    if token is not None:
        return Following(token)
    silent = (
        pages.kind == "url"
        and not pages.absent_ends
        and is_absent(pages.next, body)
        and is_absent(pages.items, body)
    )
    return _nothing_named(pages, more) or (_no_list(pages) if silent else END)


def _counted(
    pages: Declared, answer: Answer, body: Any, position: int, more: bool | None
) -> Following:
    """Return the next page of a list by number, by offset or by last ID. An empty page ends the
    list; a short page does not.

    An empty page does not end a list whose provider states the number of the last page, or the step
    of offsets that have gaps, nor one by number whose provider says that there is more.
    """
    items, flag = find(body, pages.items), _flag(pages)
    count = len(items) if isinstance(items, list) else 0
    step, is_last = _step(pages, body, count, more), _is_last(pages, answer, position)
    if is_last or (pages.total_ends and _has_all(pages, body, position + (step or count))):
        return END
    if not isinstance(items, list) and (items is not None or is_absent(pages.items, body)):
        return _short(pages, body) if pages.absent_ends and items is None else _no_list(pages)
    if step is not None or is_last is False or (more and not items and pages.kind == "page"):
        return Following(str(position + (step or 1)))
    if flag is not None and (not items or more is None):
        return _open(
            f"says neither yes nor no at '{flag}'"
            if items
            else f"is empty, and does not say at '{flag}' that there is no more"
        )
    if not items:
        return _short(pages, body)
    by_number = str(position + (1 if pages.kind == "page" else count))
    return Following(last_id(find(items[-1], pages.next)) if pages.kind == "lastId" else by_number)


def _step(pages: Declared, body: Any, count: int, more: bool | None) -> int | None:
    """Return the number by which an offset grows, as stated in a response; None if the response
    states no step, or neither a number of items nor that there are more.
    """
    is_open = more or _counts(find(body, pages.total or ""))
    said: Any = find(body, pages.step) if is_open and pages.step is not None else None
    return max(int(said), count) if _counts(said) and int(said) > 0 else None


def _is_last(pages: Declared, answer: Answer, position: int) -> bool | None:
    """Return whether a response's header field marks the last page; None without a readable
    field.
    """
    said = answer.headers.get(pages.last_header, "").strip() if pages.last_header else ""
    return position - pages.first + 1 >= int(said) if _counts(said) else yes_or_no(said)


def _counts(said: Any) -> bool:
    """Return whether a value is a whole number from 0, as a number or a string."""
    is_number = isinstance(said, int) and not isinstance(said, bool)
    return (
        said >= 0
        if is_number
        else isinstance(said, str) and said.isascii() and said.isdigit() and len(said) < _LONGEST
    )


def _has_all(pages: Declared, body: Any, count: int) -> bool:
    """Return whether ``count`` items are the whole list, by the total that the response states."""
    said = find(body, pages.total or "")
    return _counts(said) and count - pages.first >= int(said)


def _short(pages: Declared, body: Any) -> Following:
    """Return the end of a list at an empty page; an open end if a total by which the list ends says
    that items are missing.
    """
    said = find(body, pages.total or "") if pages.total_ends else None
    return (
        _open(f"is empty, and says at '{pages.total}' that the list has {said} items")
        if _counts(said)
        else END
    )


def _nothing_named(pages: Declared, more: bool | None) -> Following | None:
    """Return an open end for a response that names no next page although a flag is declared; None
    without a declared flag.
    """
    flag = _flag(pages)
    if flag is None:
        return None
    return _open(
        f"{'says' if more else 'does not say'} at '{flag}' {'that' if more else 'whether'} there "
        "is more, and names no next page"
    )


def _flag(pages: Declared) -> str | None:
    """Return the place of the member that marks further pages or the last page; None if none is
    declared.
    """
    return pages.last if pages.more is None else pages.more


def _more(pages: Declared, body: Any) -> bool | None:
    """Return whether a response announces further pages; None if it does not say."""
    flag = _flag(pages)
    said = None if flag is None else yes_or_no(find(body, flag))
    return said if said is None or pages.more is not None else not said


def _no_list(pages: Declared) -> Following:
    return _open(f"has no list at '{pages.items}'")


def _open(text: str) -> Following:
    return Following(unknown=f"the list may go on: the response {text}")


def _endless(text: str) -> Unavailable:
    """Return the error for a list whose end is unknown: treating it as the end could silently lose
    items.
    """
    hint = "Check how the pages of the list are declared: where a response names the next one."
    return Unavailable(text, hint=hint, sent=Sent.UNKNOWN, repeatable=False)
