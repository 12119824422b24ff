"""A connect session: a platform's request, and its user's progress."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from jackfield.connections.locales import LOCALES
from jackfield.connections.named_connection import NAME, NAME_EXPECTED
from jackfield.invocation.provider_ids import marked_places
from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.secrecy import SecretHolder
from jackfield.kernel.stored_values import problem_of_times
from jackfield_service.subjects.connect.labels import LABELS, are_labels
from jackfield_service.subjects.connect.principals import another_key
from jackfield_service.subjects.connect.records import ConnectRecord
from jackfield_store.access.images import image_fault
from jackfield_store.access.settings import theme_faults, theme_of
from jackfield_store.management.call_permissions import check_calls

Mode = Literal["connect", "reauth", "manage"]
Verify = Literal["confirm", "browser", "link", "oidc"]
Status = Literal["pending", "opened", "testing", "saved", "granted", "failed", "expired"]
Task = Literal["", "add", "replace", "authorize", "remove"]

OVER: tuple[Status, ...] = ("granted", "failed", "expired")
"""Final states of a session."""
CANCELLED = "the person has cancelled it"
"""Reason of a session that its person has ended."""
LONGEST = 86_400
"""Maximum duration of a session, in seconds."""
_USUAL = 1800
_MODES = ("connect", "reauth", "manage")
_WAYS = ("confirm", "browser", "link")
_MOST = 50
_MOST_ACTIONS = 100
_LARGEST_CALLS = 20_000
"""Maximum size of the inputs of all calls, in characters."""
LONGEST_TEXT = 200
"""Maximum length of a short text, such as a user's ID, in characters."""
_LONGEST_ADDRESS = 2000
_LARGEST_ICON, _LARGEST_ICONS = 12_000, 120_000
"""Maximum sizes of one picture, and of all pictures, in characters."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?\Z")
MEMBERS = frozenset(
    {
        "mode",
        "user",
        "verify",
        "types",
        "connection",
        "defaults",
        "fields",
        "labels",
        "returnTo",
        "origins",
        "theme",
        "locale",
        "expiresIn",
        "userName",
        "principal",
        "allowOtherAccount",
        "allConnections",
        "icons",
        "actions",
        "calls",
    }
)
_UNLISTED = (
    "without 'actions' or 'calls', a role is asked for all that the workspace's rules allow "
    "of its connector: list what you will call"
)


@dataclass(frozen=True, slots=True, repr=False)
class Wanted(SecretHolder):
    """Request of a platform. ``values`` are the platform's own for the connection's form, of which
    the person cannot change the ``locked`` ones; ``fields`` are the platform's fields that the
    person fills in as well. ``theme`` is the look of the page, ``labels`` are its words for types
    and their fields, ``icons`` its pictures for connectors. The page calls the user ``user_name``,
    if there is one: ``user`` is the platform's own ID. ``principal`` assumes the role in the
    person's account, for the documents that describe the role. ``actions`` and ``calls`` are the
    platform's planned calls, which decide its permissions. With ``all_connections``, the session
    covers the connections of all users of the workspace; otherwise only those of ``user``.

    With ``verify`` ``oidc``, which platforms cannot request, only the person ``user`` (issuer and
    subject joined by ``|``) can connect, when signed in to the console.
    """

    mode: Mode = "connect"
    user: str = ""
    verify: Verify = "confirm"
    types: tuple[str, ...] = ()
    connection: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    locked: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    return_to: str = ""
    origins: tuple[str, ...] = ()
    locale: str = ""
    theme: Mapping[str, str] = field(default_factory=dict)
    principal: str = ""
    other_account: bool = False
    labels: Mapping[str, Any] = field(default_factory=dict)
    icons: Mapping[str, str] = field(default_factory=dict)
    user_name: str = ""
    actions: tuple[str, ...] = ()
    calls: tuple[Mapping[str, Any], ...] = ()
    lasts: int = _USUAL
    all_connections: bool = False

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Wanted:
        """Read the body of a request.

        :raises InvalidInvocation: with all faults at once.
        """
        reading = _Reading(body)
        found = cls(
            mode=reading.one("mode", _MODES, "connect"),
            user=reading.text("user"),
            user_name=reading.text("userName"),
            verify=reading.one("verify", _WAYS, "confirm"),
            types=reading.texts("types", _MOST),
            connection=reading.name("connection"),
            **reading.defaults(),
            fields=reading.texts("fields", _MOST),
            labels=reading.labels("labels"),
            icons=reading.icons("icons"),
            return_to=reading.address("returnTo"),
            origins=reading.origins("origins"),
            locale=reading.one("locale", LOCALES, ""),
            theme=reading.theme(),
            principal=reading.text("principal"),
            actions=reading.texts("actions", _MOST_ACTIONS),
            calls=reading.calls("calls"),
            other_account=reading.flag("allowOtherAccount"),
            all_connections=reading.flag("allConnections"),
            lasts=reading.seconds("expiresIn"),
        )
        if found.verify == "confirm":
            reading.require("user", "is required: the confirmation names the user again")
            reading.require(
                "returnTo",
                "is required: the person comes back there, with the proof that the confirmation "
                "needs",
            )
        if found.mode == "reauth":
            reading.require("connection", "is required: it names the connection to connect again")
        if found.mode == "manage" and not found.connection and not found.all_connections:
            reading.require(
                "user",
                "or 'allConnections' is required: a user sees the connections of his own alone",
            )
        if found.verify == "browser" and not (found.return_to or found.origins):
            reading.fault(
                "returnTo", "or 'origins' is required: only a page of these leads a browser here"
            )
        reading.check()
        return found

    def completed(self, record: ConnectRecord) -> Wanted:
        """Return the request, completed from the stored record of its connection."""
        said = self if self.actions or self.calls else record
        return replace(
            self,
            principal=self.principal or record.principal,
            actions=said.actions,
            calls=said.calls,
        )

    def admits(self, record: ConnectRecord) -> bool:
        """Return whether the request may use the connection with this record: a connection of its
        user, or one that it names and no user has connected; with ``all_connections`` any
        connection.
        """
        return self.all_connections or (
            record.user == self.user if record.user else bool(self.connection)
        )

    @property
    def pages(self) -> tuple[str, ...]:
        """Origins of the platform's own pages."""
        parts = urlsplit(self.return_to)
        usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")  # which browsers leave out
        return (
            (*self.origins, f"{parts.scheme}://{parts.netloc.removesuffix(usual)}".lower())
            if self.return_to
            else self.origins
        )


@dataclass(frozen=True, slots=True, repr=False)
class ConnectSession(SecretHolder):
    """Session as stored. ``owner`` and ``asked_by`` are the platform's token that began it.
    ``browser`` is the digest of the secret in the browser's cookie. ``opener`` is the digest of the
    link's secret, until the browser has sent its cookie. ``proof`` is the digest of the proof that
    the browser takes back to the platform. ``key`` is a secret of the session, which completes the
    authorization that it began. ``values`` has the values that the person entered for ``task``.
    ``created`` is true if the connection was stored for an approval that may never be given.
    ``start`` is the link to that approval, and ``host`` the address at the provider to which it
    leads. A browser other than the session's approves with ``nonce``, which a framed page hands to
    the window that it opens, or with ``code``. A person reads the code on the session's page and
    types it on another device, in at most ``tries`` tries. ``framed`` is true if the session was
    started, or opened again, in a frame of the platform's page, which then leads. ``apart`` is the
    digest of the secret of the browser that last came back from the provider, with any answer: that
    browser may watch the session. ``recalled`` is the record that an earlier session stored with
    the connection (``ConnectRecord``). ``blocked`` is the last failure on the platform's side
    (``Blocked``). A test runs until ``busy_until`` at most, in seconds since 1970; no second test
    starts meanwhile. ``met`` is the account (ID and label) with which the person has signed in at
    the provider, if known. ``confirmed`` is the digest of the proof that the platform has
    confirmed.
    """

    id: str
    digest: str
    status: Status
    expires_at: float
    wanted: Wanted
    revision: int = 0
    owner: str = ""
    asked_by: Mapping[str, str] = field(default_factory=dict)
    created_at: float = 0.0
    reason: str = ""
    browser: str = ""
    opener: str = ""
    key: str = ""
    task: Task = ""
    type: str = ""
    connection: str = ""
    generated: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    trial: Mapping[str, Any] = field(default_factory=dict)
    authorization: str = ""
    start: str = ""
    host: str = ""
    nonce: str = ""
    code: str = ""
    tries: int = 0
    created: bool = False
    proof: str = ""
    framed: bool = False
    apart: str = ""
    recalled: Mapping[str, Any] = field(default_factory=dict)
    blocked: Mapping[str, Any] = field(default_factory=dict)
    busy_until: float = 0.0
    met: Mapping[str, str] = field(default_factory=dict)
    confirmed: str = ""

    @property
    def warnings(self) -> dict[str, list[dict[str, str]]]:
        """Warnings, as ``{"warnings": [{"path", "message"}]}``, about a requested role without
        planned calls, or one that does not trust the platform's key; otherwise an empty object.
        """
        asked = self.asked
        if asked.mode == "manage" or not asked.principal:
            return {}
        other = another_key(asked.principal, self.trial)
        faults = {} if asked.actions or asked.calls else {"/actions": _UNLISTED}
        faults |= {} if other is None else {"/principal": f"{other.message}. {other.hint}"}
        return (
            {"warnings": [{"path": path, "message": text} for path, text in faults.items()]}
            if faults
            else {}
        )

    @property
    def is_refused(self) -> bool:
        """True if the provider has refused the last test, and no failure on the platform's side
        blocks the session.
        """
        return not (self.passed or self.blocked)

    @property
    def record(self) -> ConnectRecord:
        """Record that an earlier session has stored with the connection."""
        return ConnectRecord.from_json(self.recalled)

    @property
    def asked(self) -> Wanted:
        """Request of the platform, completed from the connection's stored record."""
        return self.wanted.completed(self.record)

    def leaves(self, full_name: str) -> ConnectRecord:
        """Return the record that the session stores with its connection, whose type has this name.
        Labels for all connections of a type never replace a connection's own.
        """
        asked, own = self.asked, self.record.labels
        labels = self.wanted.labels.get(self.type) or self.wanted.labels.get(full_name) or own
        kept = labels if self.wanted.connection else own or labels
        user = (
            self.record.user
            if self.wanted.all_connections and self.wanted.mode != "connect"
            else self.record.user or self.wanted.user
        )
        return ConnectRecord(self.type, kept, asked.actions, asked.calls, asked.principal, user)

    @property
    def is_over(self) -> bool:
        """True if the session is in a final state."""
        return self.status in OVER

    @property
    def disconnected(self) -> bool:
        """True if the connection was removed at the person's request and must not be used any
        more.
        """
        return self.status == "granted" and self.task == "remove"

    @property
    def unchanged(self) -> bool:
        """True if the person has viewed the connections, and changed none."""
        return self.status == "granted" and not self.task

    @property
    def passed(self) -> bool:
        """True if the entered values were tested, and the test did not fail."""
        return self.trial.get("status") in ("ok", "untested")

    @property
    def state(self) -> str:
        """Digest of the session's next step, and its account, for a confirmation of exactly this
        state. It reveals no entered values, since it depends on the session's own key. Empty before
        the person has chosen a step, and at the end.
        """
        about = [
            self.task,
            self.connection,
            self.type,
            self.trial,
            self.authorization,
            self.met,
            self.values,
        ]
        if not self.task or self.is_over:
            return ""
        return hmac.digest(
            self.key.encode(), json.dumps(about, sort_keys=True).encode(), "sha256"
        ).hex()

    @property
    def allows_devices(self) -> bool:
        """True if a person may approve on another device, by typing a code; ``browser`` and
        ``oidc`` trust one browser alone.
        """
        return self.wanted.verify not in ("browser", "oidc")

    def closed(self, schema: Mapping[str, Any]) -> set[str]:
        """Return names of values that the person cannot change: locked values, and ``fixed`` values
        of an existing connection.
        """
        deciding = marked_places(schema, "fixed") if self.task == "replace" else ()
        return {*self.wanted.locked, *(name for name, *inner in deciding if not inner)}

    def facts(self) -> dict[str, Any]:
        """Return the data of the session's events, without any entered value."""
        wanted = self.wanted
        about = {
            "session": self.id,
            "mode": wanted.mode,
            "verify": wanted.verify,
            "user": wanted.user,
            "connection": self.connection,
            "connectionType": self.type,
            "reason": self.reason,
            "disconnected": self.disconnected,
            "unchanged": self.unchanged,
        }
        return {name: value for name, value in about.items() if value}

    def block_facts(self) -> dict[str, Any]:
        """Return the data of the event of a failure at the platform's side, without the provider's
        words.
        """
        about = {
            name: value
            for name, value in self.facts().items()
            if name not in ("reason", "disconnected", "unchanged")
        }
        return {
            **about,
            **{
                name: self.blocked[name]
                for name in ("reference", "code", "step")
                if name in self.blocked
            },
        }

    def to_json(self) -> dict[str, Any]:
        """Return the session as its platform sees it."""
        wanted = self.wanted
        about = {
            "id": self.id,
            "status": self.status,
            "reason": self.reason,
            "mode": wanted.mode,
            "verify": wanted.verify,
            "user": wanted.user,
            "types": list(wanted.types),
            "connection": self.connection,
            "type": self.type,
            "account": self.trial.get("account"),
            "returnTo": wanted.return_to,
            "origins": list(wanted.origins),
            "locale": wanted.locale,
            "disconnected": self.disconnected,
            "unchanged": self.unchanged,
            "blocked": {**self.blocked, "at": iso(self.blocked["at"])} if self.blocked else None,
            "digest": self.state,
        }
        shown = {name: value for name, value in about.items() if value}
        times = {"createdAt": iso(self.created_at), "expiresAt": iso(self.expires_at)}
        return {
            **shown,
            **self.warnings,
            **times,
            **problem_of_times(self.created_at, self.expires_at),
        }


class _Reading:
    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self._faults = [
            Detail(f"/{name}", "is not a member of a connect session")
            for name in sorted(body.keys() - MEMBERS)
        ]

    def fault(self, name: str, text: str) -> None:
        """Note a fault of a member."""
        self._faults.append(Detail(f"/{name}", text))

    def check(self) -> None:
        """Raise the recorded faults.

        :raises InvalidInvocation: if there are any.
        """
        if self._faults:
            text = "; ".join(f"{fault.path[1:]} {fault.message}" for fault in self._faults[:3])
            raise InvalidInvocation(
                f"the connect session is not valid: {text}", details=self._faults
            )

    def require(self, name: str, text: str) -> None:
        """Note a fault if the member is missing."""
        if not self._body.get(name):
            self.fault(name, text)

    def one(self, name: str, allowed: Iterable[str], usual: str) -> Any:
        """Read one of the allowed words; ``usual`` if it is missing or faulty."""
        value = self._body.get(name, usual)
        if value != usual and value not in allowed:
            self.fault(name, f"must be {', '.join(allowed)}")
        return value

    def text(self, name: str) -> str:
        """Read a short text."""
        return self._short(name, self._body.get(name, ""))

    def _short(self, name: str, value: Any) -> str:
        if isinstance(value, str) and len(value) <= LONGEST_TEXT and value.isprintable():
            return value
        self.fault(name, f"must be a printable text of at most {LONGEST_TEXT} characters")
        return ""

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """Read an array of short texts."""
        value = self._body.get(name, [])
        if not isinstance(value, list) or len(value) > most:
            self.fault(name, f"must be an array of at most {most}")
            return ()
        return tuple(
            dict.fromkeys(self._short(f"{name}/{place}", item) for place, item in enumerate(value))
        )

    def name(self, name: str) -> str:
        """Read the name of a connection."""
        value = self.text(name)
        if value and not NAME.match(value):
            self.fault(name, NAME_EXPECTED)
        return value

    def flag(self, name: str) -> bool:
        """Read a boolean."""
        value = self._body.get(name, False)
        if not isinstance(value, bool):
            self.fault(name, "must be true or false")
        return value is True

    def seconds(self, name: str) -> int:
        """Read the duration of the session."""
        value = self._body.get(name, _USUAL)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LONGEST:
            self.fault(name, f"must be a number of seconds from 1 to {LONGEST:,}")
            return _USUAL
        return value

    def defaults(self) -> dict[str, Any]:
        """Read the platform's own values, and the names of locked values."""
        value = self._body.get("defaults", {})
        if (
            not isinstance(value, dict)
            or value.keys() - {"values", "locked"}
            or not isinstance(value.get("values", {}), dict)
        ):
            self.fault("defaults", 'must be {"values": {…}, "locked": [names]}')
            return {}
        values, locked = value.get("values", {}), value.get("locked", [])
        if not isinstance(locked, list) or not all(isinstance(item, str) for item in locked):
            self.fault("defaults/locked", "must be an array of the names of values")
            return {}
        return {"values": values, "locked": tuple(locked)}

    def theme(self) -> dict[str, str]:
        """Read the look of the page: a name, a logo as a data: URL, a colour, and light or dark."""
        value = self._body.get("theme", {})
        faults = list(theme_faults(value))
        self._faults += faults
        return {} if faults else theme_of(value)

    def labels(self, name: str) -> dict[str, Any]:
        """Read words for types (``connect_labels``)."""
        value: dict[str, Any] = self._body.get(name, {})
        if not are_labels(value):
            self.fault(name, LABELS)
            return {}
        return value

    def icons(self, name: str) -> dict[str, str]:
        """Read pictures of connectors by their keys, each a data: URL."""
        value = self._body.get(name, {})
        if not isinstance(value, dict) or len(value) > _MOST:
            self.fault(name, f"must be {{connector: image}}, {_MOST} at most")
            return {}
        for key, image in value.items():
            if (fault := image_fault(image, _LARGEST_ICON)) is not None:
                self.fault(f"{name}/{key[:100]}", fault)
        if sum(len(image) for image in value.values() if isinstance(image, str)) > _LARGEST_ICONS:
            self.fault(name, f"must have at most {_LARGEST_ICONS:,} characters together")
        return value

    def calls(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """Read calls: ``[{"action", "inputs"}]``."""
        value = self._body.get(name, [])
        try:
            check_calls(value)
        except InvalidInvocation as error:
            self._faults += error.details
            return ()
        if any(call.keys() - {"action", "inputs"} for call in value):
            self.fault(name, "must have the members 'action' and 'inputs' alone")
        if len(value) > _MOST or len(json.dumps(value)) > _LARGEST_CALLS:
            self.fault(
                name,
                f"must be at most {_MOST} calls, with at most {_LARGEST_CALLS:,} characters "
                "together",
            )
        return tuple(value)

    def address(self, name: str) -> str:
        """Read the address of a page of the platform: over TLS, or on this machine."""
        value = self._body.get(name, "")
        if not value:
            return ""
        try:
            parts = urlsplit(value)
            fits = parts.scheme == "https" or (
                parts.scheme == "http" and parts.hostname in _LOOPBACK
            )
            fits = (
                fits
                and bool(parts.hostname)
                and parts.port != 0
                and parts.username is None
                and len(value) <= _LONGEST_ADDRESS
            )
        except (ValueError, AttributeError, TypeError):
            fits = False
        if (
            not fits
            or not (value.isascii() and value.isprintable())
            or " " in value
            or "\\" in value
        ):
            self.fault(name, "must be the address of a page, https:// unless it is on this machine")
            return ""
        return str(value)

    def origins(self, name: str) -> tuple[str, ...]:
        """Read the origins whose pages may frame the session's."""
        found = self.texts(name, _MOST)
        for place, origin in enumerate(found):
            parts = _ORIGIN.match(origin)
            if parts is None or int(parts[1] or 1) > 65_535:
                self.fault(
                    f"{name}/{place}", "must be an origin as browsers send it: https://app.example"
                )
        return found


def account_named(account: Mapping[str, Any] | None) -> str:
    """Name an account as people know it: by its label, or by its ID if it has none."""
    known = account or {}
    return str(known.get("label") or known.get("id") or "")


def account_in_full(account: Mapping[str, Any] | None) -> str:
    """Name an account by its label and its ID, to distinguish accounts of the same label."""
    return ", ".join(
        dict.fromkeys(filter(None, (account_named(account), str((account or {}).get("id") or ""))))
    )


def told_apart(
    first: Mapping[str, Any] | None, second: Mapping[str, Any] | None
) -> tuple[str, str]:
    """Name two accounts, with their IDs if they have the same label."""
    name = account_in_full if account_named(first) == account_named(second) else account_named
    return name(first), name(second)


def is_another(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    """Return whether two accounts are known, and differ."""
    first, second = (before or {}).get("id"), (now or {}).get("id")
    return bool(first and second and first != second)
