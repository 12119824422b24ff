"""Attachments: conversion of the input ``attachments`` to a name, a media type and octets.

A FILE is a text (UTF-8), a ``data:`` URL (RFC 2397) or an object with ``data`` (base64) or
``text``, and optionally ``contentType``, ``disposition`` and ``contentId``. The URL of a web page
is sent as text, never fetched; the log warns of it. A text is refused if it is base64 of a binary
file and its name has such a file's extension, since the recipient could not open it.
"""

import binascii
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote, unquote_to_bytes

from jackfield.connector import pointer
from jackfield.kernel.dataclass import dataclass, field

from .content_ids import clean_content_id
from .content_types import OCTETS, TEXT, clean_content_type, guess_content_type, read_content_type
from .file_names import clean_file_name, extension, is_refused
from .signatures import is_encoded_file
from .transfer import base64_length, canonical_base64, fold_base64

_LOG = logging.getLogger("jackfield.aws_ses")
_ADDRESS = re.compile(r"\s*https?://\S{1,2000}\s*")
_MAX_MEDIA_TYPE = 300  # of a data: URL; its comma is searched within this length


class AttachmentError(ValueError):
    """Error of an attachment that cannot be sent.

    ``reason`` is a predicate (``is not base64: …``); ``name`` is the file's name as given;
    ``index`` is its place; ``pointer`` is its JSON Pointer within the input ``attachments``
    (``/0/value/data``, ``/a.pdf``).
    """

    def __init__(self, reason: str, name: str, index: int | None = None, pointer: str = "") -> None:
        super().__init__(reason, name, index, pointer)
        self.reason = reason
        self.name = name
        self.index = index
        self.pointer = pointer

    def __str__(self) -> str:
        return f"{self.name[:100]!r} {self.reason}" if self.name else f"it {self.reason}"


@dataclass(frozen=True, slots=True)
class Attachment:
    """File to send. ``content`` is its octets, or base64 text, which is stored as given and only
    folded.

    ``content_id`` is the name in the HTML's link (``cid:logo``). A file with such a name is inline
    unless ``inline`` is False. The name, the media type and the content ID are cleaned and base64
    text is checked; faults raise `AttachmentError`.
    """

    name: str
    content_type: str
    content: bytes | str = field(repr=False)
    content_id: str | None = field(default=None, repr=False)
    inline: bool | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        name = clean_file_name(self.name)
        if is_refused(name):
            shown = extension(name) or name.lstrip(".")
            raise AttachmentError(
                f"is of a type that Amazon SES does not accept ('.{shown}')", self.name
            )
        try:
            content_type = read_content_type(self.content_type, name)
            content = (
                canonical_base64(self.content) if isinstance(self.content, str) else self.content
            )
            content_id = None if self.content_id is None else clean_content_id(self.content_id)
        except ValueError as error:
            raise AttachmentError(str(error), self.name) from None
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "content_type", content_type)
        object.__setattr__(self, "content", content)
        object.__setattr__(self, "content_id", content_id)
        object.__setattr__(
            self, "inline", content_id is not None if self.inline is None else self.inline
        )

    @property
    def data(self) -> bytes:
        """The file's octets; base64 text is decoded at each use."""
        return binascii.a2b_base64(self.content) if isinstance(self.content, str) else self.content

    @property
    def size(self) -> int:
        """Number of the file's octets."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return len(self.content) // 4 * 3 - self.content[-2:].count("=")

    @property
    def encoded_size(self) -> int:
        """Number of octets of `encoded`, computed without encoding."""
        return base64_length(self.size)

    def encoded(self) -> Iterator[bytes]:
        """Yield the file as folded base64, piece by piece."""
        return fold_base64(self.content)


def parse_attachments(value: object) -> tuple[Attachment, ...]:
    """Parse ``{"name.pdf": FILE}`` or ``[{"key": "name.pdf", "value": FILE}]``; a list may use a
    name twice.

    Raises `AttachmentError` for the first invalid attachment.
    """
    found: list[Attachment] = []
    identifiers: dict[str, str] = {}
    for index, (path, name, file) in enumerate(_files(value)):
        try:
            found.append(_load_attachment(name, file))
            _name_once(found[-1], identifiers)
            if isinstance(file, str) and _ADDRESS.fullmatch(file):
                _LOG.warning(
                    "attachment %d is the text of an address: that text is sent, not the file "
                    "behind it",
                    index + 1,
                )
        except AttachmentError as error:
            raise AttachmentError(error.reason, error.name, index, path + error.pointer) from None
    return tuple(found)


def _name_once(file: Attachment, identifiers: dict[str, str]) -> None:
    if file.content_id is None:
        return
    if (other := identifiers.get(file.content_id)) is not None:
        raise AttachmentError(
            f"has the content ID '{file.content_id}', which {other[:60]!r} has too",
            file.name,
            pointer="/contentId",
        )
    identifiers[file.content_id] = file.name


def _files(value: object) -> Iterator[tuple[str, str, object]]:
    if isinstance(value, Mapping):
        for name, file in value.items():
            yield pointer(str(name)), str(name), file
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for index, item in enumerate(value):
            if (
                not isinstance(item, Mapping)
                or not isinstance(item.get("key"), str)
                or "value" not in item
            ):
                raise AttachmentError(
                    "is not an object with 'key' and 'value'", "", index, f"/{index}"
                )
            yield f"/{index}/value", item["key"], item["value"]
    else:
        raise AttachmentError("is neither an object nor a list of files", "")


def _load_attachment(name: str, file: object) -> Attachment:
    if isinstance(file, str):
        return _from_data_url(name, file) or _from_text(name, file)
    if not isinstance(file, Mapping):
        raise AttachmentError("is neither text nor an object with 'data'", name)
    for member in ("contentType", "contentId", "disposition", "text"):
        if file.get(member) is not None and not isinstance(file[member], str):
            raise AttachmentError(
                f"has a {_WORDS[member]} that is not text", name, pointer=f"/{member}"
            )
    data, given = file.get("data"), file.get("contentType")
    if isinstance(data, str | bytes):
        kind = given or guess_content_type(clean_file_name(name))
    elif file.get("text") is not None:
        data, kind = _utf8(name, file["text"]), given or _kind_of_text(name)
    else:
        raise AttachmentError("is neither text nor an object with 'data'", name)
    inline = None if file.get("disposition") is None else file["disposition"] == "inline"
    return _attachment(name, kind, data, given, file.get("contentId"), inline)


_WORDS = {
    "contentType": "content type",
    "contentId": "content ID",
    "disposition": "disposition",
    "text": "content",
}
_PLACES = {"base64": "/data", "content type": "/contentType", "content ID": "/contentId"}


def _attachment(
    name: str,
    kind: str,
    data: bytes | str,
    given: str | None,
    content_id: str | None,
    inline: bool | None,
) -> Attachment:
    try:
        return Attachment(name, kind, data, content_id, inline)
    except AttachmentError as error:
        if isinstance(data, str) and data[:5].lower() == "data:":
            raise AttachmentError(
                "is not base64: a data: URL goes in place of the object, not into it",
                name,
                pointer="/data",
            ) from None
        place = next((place for word, place in _PLACES.items() if word in error.reason), "")
        raise AttachmentError(
            error.reason, name, pointer="" if place == "/contentType" and not given else place
        ) from None


def _from_text(name: str, text: str) -> Attachment:
    if is_encoded_file(clean_file_name(name), text):
        raise AttachmentError(
            'is a text that looks like the base64 of a file: give {"data": "…"} for the file, or '
            '{"text": "…"} for exactly this text',
            name,
        )
    return Attachment(name, _kind_of_text(name), _utf8(name, text))


def _utf8(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise AttachmentError(
            "contains an unpaired surrogate, which is not valid Unicode", name
        ) from None


def _kind_of_text(name: str) -> str:
    kind = guess_content_type(clean_file_name(name), TEXT)
    return f"{kind}; charset=utf-8" if kind.startswith("text/") and kind != TEXT else kind


def _from_data_url(name: str, text: str) -> Attachment | None:
    """Parse a data: URL; return None if the text merely resembles one (``data: 1, 2``)."""
    if text[:5].lower() != "data:":
        return None
    comma = text.find(",", 0, _MAX_MEDIA_TYPE)
    head = text[5:comma] if comma >= 0 else text[5:_MAX_MEDIA_TYPE].partition(";")[0]
    encoded = head[-7:].lower() == ";base64"
    media_type = unquote(head[:-7] if encoded else head)
    if media_type.startswith(";"):
        media_type = f"text/plain{media_type}"
    if media_type:
        try:
            clean_content_type(media_type)
        except ValueError:
            return None
    if comma < 0:
        if not media_type:
            return None
        raise AttachmentError("is a data: URL without a ','", name)
    payload = text[comma + 1 :]
    kind = media_type or guess_content_type(clean_file_name(name), OCTETS)
    return Attachment(name, kind, _payload(name, payload, encoded=encoded))


def _payload(name: str, payload: str, *, encoded: bool) -> bytes | str:
    if encoded:
        return unquote(payload) if "%" in payload else payload
    try:
        return unquote_to_bytes(payload)
    except UnicodeEncodeError:
        raise AttachmentError(
            "contains an unpaired surrogate, which is not valid Unicode", name
        ) from None
