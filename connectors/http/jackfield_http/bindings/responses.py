"""Outputs from responses, which are always objects, and the place of a page in its list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pydantic import ConfigDict, PrivateAttr

from jackfield.connector import Output, OutputFile, Sent, Unavailable, current_call
from jackfield.kernel.pointers import names
from jackfield_http.answers import NO_CONTENT, NOT_THE_API, Answer
from jackfield_http.downloads import held
from jackfield_http.errors import HttpErrors
from jackfield_http.list_ends import refusal_of
from jackfield_http.outcomes import Outcomes, Refused
from jackfield_http.paging import Pages
from jackfield_http.parsing import is_json, stream_reading
from jackfield_http.successes import keys_of
from jackfield_http.verdicts import Remark, Rule, strongest

_LONGEST = 16
"""Maximum number of digits of a page number."""

Json = Mapping[str, Any]


class BoundOutput(Output):
    """Output of a bound action: the provider's unchanged JSON, or a file, which the runtime stores
    if it is large.
    """

    model_config = ConfigDict(extra="allow")
    download: OutputFile | None = None
    _body: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, body: dict[str, Any]) -> BoundOutput:
        """Return an output with this content."""
        file = body.get("file")
        made = cls(download=file if isinstance(file, OutputFile) else None)
        made._body = body
        return made

    def model_dump(self, **_options: Any) -> dict[str, Any]:
        """Return the content; null members stay, because the provider's documentation defines their
        meaning.
        """
        return self._body if self.download is None else {**self._body, "file": self.download.stored}


def is_listing(row: Json) -> bool:
    """Return whether the output of an action only wraps a list. Servers written in Go send null for
    an empty list.
    """
    members: Json = row.get("output", {}).get("properties", {})
    return (
        members.keys() - {"nextPage"} == {"items"}
        and isinstance(members["items"], Mapping)
        and members["items"].get("type") == "array"
    )


def body_of(answer: Answer, read: str, *, lists: bool = False) -> dict[str, Any]:
    """Return the output of a successful response. With ``lists``, null is an empty list.

    :raises Unavailable: if JSON was promised and the body is something else.
    """
    if read == "none" or not answer.content:
        return {}
    if read == "auto":
        read = shape_of(answer)
    if read == "text":
        return {"value": answer.text}
    if read == "bytes":
        return {"file": held(answer.content, answer.headers)}
    found = answer.json()
    return as_output([] if found is None and lists else found)


def page_output(answer: Answer, read: str, output: dict[str, Any]) -> dict[str, Any] | None:
    """Return the output of a page; None if the response is neither an object nor a list. A list is
    wrapped in an object.
    """
    is_read = read == "json" or (read == "auto" and shape_of(answer) == "json")
    return (
        output
        if is_read
        and answer.content
        and (isinstance(answer.json(), dict | list) or "items" in output)
        else None
    )


def shape_of(answer: Answer) -> str:
    """Return how to read a body by its media type: ``json``, ``text`` or ``bytes``. Valid JSON
    without a media type is ``json``.
    """
    media = answer.media_type
    if is_json(media) or stream_reading(media) is not None:
        return "json"
    if media:
        return "text" if media.startswith("text/") or "xml" in media else "bytes"
    try:
        answer.json()
    except Unavailable:
        return "bytes"
    return "json"


def declared_for(response: Json, status: int) -> Sequence[str] | None:
    """Return the media types that a binding declares for a status: an empty list for no body, None
    if the binding does not say.
    """
    types: Mapping[str, Sequence[str]] | None = response.get("types")
    if types is None:
        return None
    return next((types[key] for key in keys_of(status) if key in types), ())


def _keys(status: int) -> tuple[str, str, str]:
    return str(status), f"{status // 100}XX", "default"


def is_declared(response: Json, status: int, media: str) -> bool:
    """Return whether a response has a media type that its binding declares for its status."""
    types = declared_for(response, status)
    if types is None:
        return media == response.get("accept", "").partition(";")[0].strip().lower() or (
            response["read"] == "json" and is_json(media)
        )
    return any(fnmatchcase(media, one) for one in types)


def refuse_empty(response: Json, answer: Answer, step: str, *, safe: bool) -> None:
    """Refuse a success without a body where the binding declares a body. Only the statuses 204 and
    205 allow its absence. A change whose status the binding does not declare was made, and its
    caller gets a warning. ``safe`` means a read.

    :raises Unavailable: if the body is empty.
    """
    if (
        response["read"] != "json"
        or not answer.is_decoded
        or answer.content
        or answer.status in NO_CONTENT
    ):
        return
    text = f"the response to '{step}' has no body (status {answer.status})"
    if safe or declared_for(response, answer.status):
        raise Unavailable(text, hint=NOT_THE_API, sent=Sent.UNKNOWN)
    is_told = answer.status == 202 or _is_known(response, answer.status)
    if not is_told and (call := current_call()) is not None:
        call.warn(f"{text}, so the output is missing")


def is_only_accepted(response: Json, answer: Answer) -> bool:
    """Return whether a response without a body says by a status that its binding does not declare
    that the work goes on (RFC 9110 §15.3.3).
    """
    return answer.status == 202 and not answer.content and not _is_known(response, 202)


def _is_known(response: Json, status: int) -> bool:
    return not response.get("types", {}).keys().isdisjoint(keys_of(status))


def refuse_whole(answer: Answer, outcomes: Outcomes, inputs: Json, errors: HttpErrors) -> None:
    """Refuse an answer whose status may refuse only some items, unless the answer says that other
    items were carried out.

    :raises JackfieldError: if the answer is refused.
    """
    if answer.status not in outcomes.mixed:
        return
    try:
        found = outcomes.judged(answer.json(), inputs)
    except Unavailable:
        found = False
    if isinstance(found, Refused) and not found.is_whole:
        return
    if (call := current_call()) is not None:
        call.refused()
    raise refusal_of(answer, errors, safe=False)


def warn_beside(answer: Answer, rules: Sequence[Json], step: str, errors: HttpErrors) -> None:
    """Warn of a refusal that says that the request was carried out, and only something beside it
    failed. A rule without a member holds for any refusal of its status, such as 304 for a change
    that changes nothing.

    :raises JackfieldError: if the refusal does not say so.
    """
    if any("member" not in one for one in rules):
        if (call := current_call()) is not None:
            call.warn(
                f"the provider answered '{step}' with status {answer.status}, which says that "
                "there was nothing to do"
            )
        return
    try:
        found = strongest(Rule.from_json(one).judged(answer.json()) for one in rules)
    except Unavailable:
        found = False
    if isinstance(found, Remark):
        found.note(step, None, safe=False)
        return
    if (call := current_call()) is not None:
        call.refused()
    raise refusal_of(answer, errors, safe=False)


def as_output(found: Any) -> dict[str, Any]:
    """Return JSON as an output, which is always an object."""
    if isinstance(found, dict):
        return found
    return {"items": found} if isinstance(found, list) else {"value": found}


def ended(pages: Pages) -> dict[str, Any]:
    """Return the output of a page whose status says that the list ended before it."""
    found: Any = []
    for name in reversed(names(pages.items)):
        found = {name: found}
    return as_output(found)


def position(pages: Pages, value: object) -> int:
    """Return the number or offset of the page that an input names."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < _LONGEST:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else pages.first
