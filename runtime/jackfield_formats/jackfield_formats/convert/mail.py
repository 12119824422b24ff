"""One message under conversion: its inputs, and every difference from the original."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from jackfield.connector import pointer
from jackfield.kernel.dataclass import dataclass
from jackfield_formats.convert.placeholders import find, foreign_field
from jackfield_formats.convert.trial import Trial

_NOT_IN_TAGS = re.compile("[^A-Za-z0-9_-]+")
_METHOD = re.compile(r';\s{0,9}method\s{0,9}=\s{0,9}"?([A-Za-z]{1,20})', re.IGNORECASE)
_MAX_TAG = 256
_MAX_TAGS = 50
_MAX_LABELS = 100
_FILLED = ("sender", "replyTo", "to", "cc", "bcc", "subject", "text", "html", "listUnsubscribe")
"""Names of inputs in which a provider replaces placeholders."""
_DROPS = frozenset({"x-mailgun-drop-message"})
"""Header fields by which a provider accepts a message and does not deliver it."""


@dataclass(frozen=True, slots=True)
class Note:
    """Sentence about one place of the document; ``path`` is a JSON Pointer."""

    path: str
    message: str

    def to_json(self) -> dict[str, str]:
        """Return the note as JSON."""
        return {"path": self.path, "message": self.message}


class RefusedError(ValueError):
    """Part of a document that cannot be converted."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(path, message)
        self.note = Note(path, message)


class Mail:
    """Builder of one invocation. ``path`` is the message's place in the document, ``now`` the time
    of the conversion; ``trial`` tests values with the connector.
    """

    def __init__(self, path: str, now: datetime, trial: Trial) -> None:
        self.path = path
        self.inputs: dict[str, Any] = {}
        self.differences: list[Note] = []
        self._now = now
        self._trial = trial
        self._members: dict[str, Any] = {}
        self._tags: dict[str, str] = {}
        self._headers: dict[str, str] = {}
        self._files: list[dict[str, Any]] = []
        self._labels: dict[str, str] = {}
        self._places: dict[str, str] = {}
        self._declared: Mapping[str, bool] = {}

    def put(self, name: str, value: Any, path: str | None = None) -> None:
        """Set an input, unless the value is missing or blank. ``path`` is its place in the
        document.
        """
        if value not in (None, "", [], {}):
            self.inputs[name] = value
            if path is not None:
                self._places[name] = path

    def declare(self, placeholders: Mapping[str, bool]) -> None:
        """Set the placeholders that the document declares and that may remain in this message; True
        marks one for unsubscribing.
        """
        self._declared = placeholders

    def unsubscribe_by(self, address: str) -> None:
        """Set ``listUnsubscribe``, in place of a header field of the document that is not valid for
        it.
        """
        given = self._places.get("listUnsubscribe")
        places = [given] if given else []
        for name in [name for name in self._headers if name.lower().startswith("list-unsubscribe")]:
            places.append(self._places[f"header {name}"])
            del self._headers[name]
        for path in places:
            self.differ(path, "is replaced by --list-unsubscribe")
        self.put("listUnsubscribe", address)

    def is_offered(self, form: str) -> bool:
        """Return whether the message has a ``listUnsubscribe`` that is not itself a placeholder."""
        given = str(self.inputs.get("listUnsubscribe", ""))
        return bool(given) and not any(True for _ in find(form, given, self._declared))

    def leftovers(self, form: str) -> list[Note]:
        """Record the remaining placeholders as differences. Return the placeholders that refuse the
        message.
        """
        is_offered, refusals = self.is_offered(form), []
        for path, text in self._filled():
            for found in find(form, text, self._declared):
                if found.unsubscribes and not is_offered:
                    refusals.append(Note(path, found.refusal()))
                else:
                    self.differ(path, found.difference())
        return refusals

    def _filled(self) -> Iterator[tuple[str, str]]:
        """Yield the texts in which a provider replaces placeholders, each with its path."""
        for name in _FILLED:
            value, path = self.inputs.get(name, ""), self._places.get(name, self.path)
            yield path, value if isinstance(value, str) else "\n".join(value)
        for name, value in self._headers.items():
            yield self._places.get(f"header {name}", self.path), f"{name}: {value}"

    def differ(self, path: str, message: str) -> None:
        """Note a difference."""
        self.differences.append(Note(path, message))

    def differ_each(
        self, members: Mapping[str, Any], reasons: Mapping[str, str], path: str
    ) -> None:
        """Note a difference for each member that has a value and a reason."""
        for name, reason in reasons.items():
            if members.get(name) not in (None, "", [], {}):
                self.differ(f"{path}{pointer(name)}", reason)

    def dry_run(self, path: str) -> None:
        """Make the invocation a dry run, which sends nothing."""
        self._members["dryRun"] = True
        self.differ(
            path, "is 'dryRun': the message is validated and not sent; there are no events about it"
        )

    def schedule(self, path: str, moment: datetime) -> None:
        """Send no earlier than ``moment``."""
        moment = moment.astimezone(UTC)
        if moment <= self._now:
            self.differ(path, "is in the past: the message is sent at once")
            return
        self._members["notBefore"] = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
        self.differ(
            path,
            "is 'notBefore', which only a queued invocation may have: send it with 'Prefer: "
            "respond-async', or in a batch",
        )

    def label(self, path: str, name: str, value: object) -> None:
        """Add a label with a value for the journal, which is not sent."""
        if len(self._labels) >= _MAX_LABELS:
            self.differ(path, f"is left out: an invocation has at most {_MAX_LABELS} labels")
            return
        self._labels[name] = value if isinstance(value, str) else str(value)
        self.differ(
            path,
            "is a label of the invocation, which the journal and logs show; SES's events have "
            "tags only",
        )

    def tag(self, path: str, name: str, value: str) -> None:
        """Add a tag of SES. Characters that SES refuses become hyphens, and a name that is taken
        gets a number.
        """
        cleaned, content = _clean(name), _clean(value)
        if not cleaned or not content or len(self._tags) >= _MAX_TAGS:
            why = (
                "it has no letter or digit of ASCII"
                if not (cleaned and content)
                else f"a message has at most {_MAX_TAGS} tags"
            )
            self.differ(path, f"is left out: {why}")
            return
        free, number = cleaned, 1
        while free in self._tags:
            number += 1
            free = f"{cleaned[: _MAX_TAG - 4]}-{number}"
        self._tags[free] = content
        if (cleaned, content) != (name, value):
            self.differ(
                path,
                f"is the tag {free}={content}: tags of SES have letters, digits, '_' and '-' only",
            )

    def header(self, path: str, name: str, value: str) -> None:
        """Add a header field, or note why it cannot be sent."""
        key, reason = name.lower(), foreign_field(name)
        if reason is not None:
            if key in _DROPS and value.strip().lower() in ("yes", "true"):
                self.dry_run(path)
            else:
                self.differ(path, reason)
            return
        if key == "reply-to" and "replyTo" not in self.inputs:
            self.put("replyTo", value, path)
            return
        if (
            key == "list-unsubscribe"
            and value.strip()
            and not self._trial.refusal("listUnsubscribe", value)
        ):
            self.put("listUnsubscribe", value, path)
            return
        if key == "list-unsubscribe-post" and "https:" in self.inputs.get("listUnsubscribe", ""):
            return  # written with the other
        refusal = self._trial.refusal("headers", {name: value})
        if refusal is not None:
            self.differ(path, f"is left out: it {refusal}")
            return
        if not value or key in {given.lower() for given in self._headers}:
            self.differ(
                path, "is left out: it occurs twice" if value else "is left out: it is empty"
            )
            return
        self._headers[name] = value
        self._places[f"header {name}"] = path

    def headers(self, fields: Iterable[tuple[str, str, str]]) -> None:
        """Add header fields, each with its path; ``List-Unsubscribe`` first, since another field
        depends on it.
        """
        for path, name, value in sorted(
            fields, key=lambda field: field[1].lower() != "list-unsubscribe"
        ):
            self.header(path, name, value)

    def attach(
        self,
        path: str,
        name: str,
        data: str,
        content_type: str | None,
        *,
        content_id: str | None = None,
        inline: bool = False,
    ) -> None:
        """Attach a file; ``data`` is base64. A file with a content ID is a picture of the HTML."""
        file = {"data": data, "contentType": content_type} if content_type else {"data": data}
        identifier = self._content_id(path, content_id) if content_id else None
        if identifier:
            file["contentId"] = identifier
        if identifier or (inline and not content_id):
            file["disposition"] = "inline"
        self._files.append({"key": name, "value": file})
        if content_type and content_type.strip().lower().startswith("message/"):
            self.differ(
                path,
                f"is sent as application/octet-stream: SES would encode {content_type[:60]} in "
                "base64, which no message may be",
            )

    def _content_id(self, path: str, given: str) -> str | None:
        trimmed = given.strip()
        identifier = trimmed[1:-1] if trimmed[:1] + trimmed[-1:] == "<>" else trimmed
        refusal = self._trial.refusal("attachments", {"a": {"text": "a", "contentId": identifier}})
        if refusal is not None:
            self.differ(path, f"is attached, not inline: it {refusal}")
            return None
        if any(file["value"].get("contentId") == identifier for file in self._files):
            self.differ(
                path, f"is attached, not inline: another file has the content ID '{identifier}'"
            )
            return None
        return identifier

    def invite(self, path: str, content: str, content_type: str) -> None:
        """Add a calendar invitation, or note why it cannot be sent."""
        method = _METHOD.search(content_type)
        given = {"text": content, **({"method": method[1].upper()} if method else {})}
        refusal = self._trial.refusal("calendar", given)
        if refusal is not None:
            self.differ(path, f"is left out: it {refusal}")
            return
        self.put("calendar", given)

    def invocation(self, connection: str | None, region: str | None) -> dict[str, Any]:
        """Return the invocation."""
        inputs = {"awsRegion": region, **self.inputs} if region else dict(self.inputs)
        more = {"tags": self._tags, "headers": self._headers, "attachments": self._files}
        inputs |= {name: value for name, value in more.items() if value}
        found: dict[str, Any] = {"connector": "aws-ses", "action": "sendEmail"}
        if connection:
            found["connection"] = connection
        found |= {"inputs": inputs, **self._members}
        return {**found, "context": {"labels": self._labels}} if self._labels else found


def text(value: object, path: str) -> str:
    """Return a text.

    :raises RefusedError: if the value is not a text.
    """
    if not isinstance(value, str):
        raise RefusedError(path, "must be a string")
    return value


def optional_text(value: object, path: str) -> str | None:
    """Return a text, or None if the value is missing or blank.

    :raises RefusedError: if the value is not a text.
    """
    return None if value is None else text(value, path) or None


def mapping(value: object, path: str) -> Mapping[str, Any]:
    """Return an object; a missing object is empty.

    :raises RefusedError: if the value is not a mapping.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RefusedError(path, "must be an object")
    return value


def each(value: object, path: str) -> list[tuple[str, Any]]:
    """Return the items of a list with their paths; a missing list is empty.

    :raises RefusedError: if the value is not a list.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise RefusedError(path, "must be an array")
    return [(f"{path}/{index}", item) for index, item in enumerate(value)]


def mailbox(address: str, name: str | None) -> str:
    """Return a mailbox with its display name quoted."""
    if not name or not name.strip():
        return address
    escaped = name.strip().replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{address}>'


def _clean(word: str) -> str:
    return _NOT_IN_TAGS.sub("-", word).strip("-")[:_MAX_TAG]
