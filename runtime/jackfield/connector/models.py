"""The three models that an author subclasses: inputs and output of an action, and the values of a
connection.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self
from urllib.parse import unquote, unquote_to_bytes

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic import Field as _PydanticField
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticUndefined, core_schema

from jackfield.connector.connection_steps import Account, Step
from jackfield.connector.context import OpenContext
from jackfield.connector.model_faults import model_faults
from jackfield.kernel.errors import Detail, InvalidConnection, InvalidOutput, JackfieldError, Sent
from jackfield.kernel.pointers import pointer
from jackfield.kernel.secrecy import SecretHolder
from jackfield.manifest.manifest import Authorizes, Serves

if TYPE_CHECKING:
    from jackfield.connector.evidence import Evidence, Marker
    from jackfield.connector.grants import Authorization, DeviceAuthorization, Grant


class DeclarationError(TypeError):
    """Error for an invalid declaration by a connector's author. The message names the declaration
    and the reason.
    """


_TEXT = "text/plain; charset=utf-8"
OCTETS = "application/octet-stream"
MAX_REASON = 300
"""Maximum characters of the reason why an action has no evidence."""


class File:
    """File passed by a caller: content and media type. For fields of ``Inputs``.

    In JSON it is a text (UTF-8), a ``data:`` URL, or ``{"data": base64, "contentType": …}``. The
    CLI reads ``name=@path``, servers accept uploads (``{"file": id}``), and forms have a file
    picker.
    """

    __slots__ = ("content", "content_type")

    def __init__(self, content: bytes, content_type: str = OCTETS) -> None:
        self.content = content
        self.content_type = content_type

    def __repr__(self) -> str:  # content from callers stays out of logs
        return f"File({len(self.content)} bytes, {self.content_type!r})"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(read_file)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {
            "anyOf": [
                {
                    "type": "string",
                    "description": "The file's text (UTF-8), or a data: URL (RFC 2397).",
                },
                {
                    "type": "object",
                    "properties": {
                        "data": {
                            "type": "string",
                            "contentEncoding": "base64",
                            "description": "The file's bytes as base64.",
                        },
                        "contentType": {
                            "type": "string",
                            "description": "The file's media type, such as application/pdf.",
                        },
                    },
                    "required": ["data"],
                    "additionalProperties": False,
                },
            ]
        }


def read_file(value: object) -> File:
    """Parse a file from its JSON form.

    :raises ValueError: for invalid base64, or if the value is not a file.
    """
    if isinstance(value, File):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("data"), str):
        return File(_decoded(value["data"]), value.get("contentType") or OCTETS)
    if not isinstance(value, str):
        raise ValueError("is neither text nor an object with 'data'")  # noqa: TRY004 (pydantic only handles ValueError)
    head, comma, rest = value.partition(",")
    if value[:5].lower() != "data:" or not comma:
        return File(value.encode("utf-8", "surrogatepass"), _TEXT)
    kind, encoded = head[5:], head[-7:].lower() == ";base64"
    media_type = unquote(kind[:-7] if encoded else kind) or "text/plain"
    return File(_decoded(unquote(rest)) if encoded else unquote_to_bytes(rest), media_type)


def _decoded(text: str) -> bytes:
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        place = (
            ": a data: URL goes in place of the object, not into it"
            if text[:5].lower() == "data:"
            else ""
        )
        raise ValueError(f"is not base64{place}") from None


def Field(  # noqa: N802 (pydantic's name; every keyword is a word of the manifest)
    default: Any = PydanticUndefined,
    *,
    title: str | None = None,
    description: str | None = None,
    alias: str | None = None,
    examples: Sequence[Any] | None = None,
    secret: bool | None = None,
    sensitive: bool = False,
    mask: Literal["last4"] | None = None,
    multiline: bool = False,
    language: str | None = None,
    options: str | None = None,
    trim: bool = False,
    lowercase: bool = False,
    blank: Literal["absent"] | None = None,
    from_connection: str | None = None,
    fixed: bool = False,
    expects: str | None = None,
    generated: Literal["externalId"] | None = None,
    destination: bool = False,
    hidden: bool = False,
    reference: bool = False,
    recipient: bool = False,
    audience: Literal["user", "platform", "operator"] | None = None,
    titles: Mapping[str, str] | None = None,
    shown_for: Mapping[str, Sequence[str]] | None = None,
    schema: Mapping[str, Any] | None = None,
) -> Any:
    """Describe one field of inputs, output or connection values.

    - ``default``, ``title``, ``description``, ``alias``, ``examples``: as in pydantic.
    - ``secret``: the value is never displayed; a secret of an output appears once, in the Result of
      the call, and is ``***`` in records and replays. ``secret=False``: the value is not secret,
      although its name suggests it. ``sensitive``: excluded from logs and messages (an email's
      text). ``mask``: only its last four characters are displayed.
    - ``multiline``, ``language``, ``options`` (the key of an option source): hints for forms.
    - ``trim``, ``lowercase``: normalise strings. ``blank="absent"``: a blank string counts as
      missing.
    - ``from_connection``: name of the connection value that fills a missing input. ``fixed``: the
      connection's value, if there is one, wins, and a different input is refused. Of a connection's
      value: reconnecting in a connect session cannot change it.
    - ``expects``: completes "… is not" in the message for a failed pattern ("an AWS region such as
      eu-west-1").
    - ``generated``: the store generates the value if a stored connection lacks it.
    - ``destination``: the connection value determines where secrets are sent (a host, an endpoint),
      so changing it over HTTP requires entering the secrets again.
    - ``hidden``: forms do not offer an optional field that is accepted only for compatibility, or
      because others of the family use it.
    - ``reference``: the member of an output, or of the objects of a list in it, is the ID by which
      later events refer to the sent object (``TriggerEvent.reference``).
    - ``recipient``: the input, or the member of the objects of a list of inputs, has the addresses
      to which the action sends, one or many. A connection's guard refuses suppressed addresses
      (``Outcome.suppresses``).
    - ``audience``: the person who fills in the connection value, if it differs from
      docs/reference/audiences.md. It is the ``user`` whose account it is, the ``platform`` that has
      users connect accounts, or the ``operator``, whose fields no connect page has.
    - ``titles``: titles of the values of a choice. ``shown_for``: forms display the optional field,
      and send its value, while the named sibling field has one of these values.
    - ``schema``: further JSON Schema keywords.
    """
    marks = {
        "sensitive": sensitive,
        "mask": mask,
        "multiline": multiline,
        "language": language,
        "options": options,
        "trim": trim,
        "lowercase": lowercase,
        "blank": blank,
        "fromConnection": from_connection,
        "fixed": fixed,
        "expects": expects,
        "generated": generated,
        "destination": destination,
        "hidden": hidden,
        "reference": reference,
        "recipient": recipient,
        "audience": audience,
        "titles": titles and dict(titles),
        "shownFor": shown_for and {name: list(values) for name, values in shown_for.items()},
    }
    extra: dict[str, Any] = dict(schema or {})
    if secret:
        extra |= {"writeOnly": True, "format": "password"}
    hints: dict[str, Any] = {name: value for name, value in marks.items() if value}
    if secret is False:
        hints["secret"] = False
    if hints:
        extra["x-jackfield"] = hints
    return _PydanticField(
        default,
        title=title,
        description=description,
        alias=alias,
        examples=list(examples) if examples is not None else None,
        repr=not (secret or sensitive),
        json_schema_extra=partial(_extend, extra) if extra else None,
    )


def _extend(extra: Mapping[str, Any], schema: dict[str, Any]) -> None:
    hints = {**schema.get("x-jackfield", {}), **extra.get("x-jackfield", {})}
    schema |= {**extra, **({"x-jackfield": hints} if hints else {})}


_NEW_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def spelt_out(key: str) -> str:
    """Return a title derived from a key: both ``zipCode`` and ``zip_code`` become "Zip Code"."""
    words = _NEW_WORD.sub(" ", key).replace("_", " ").split()
    return " ".join(word[:1].upper() + word[1:] for word in words)


_CLOSED = ConfigDict(
    field_title_generator=lambda name, field: spelt_out(field.alias or name),
    alias_generator=to_camel,
    validate_by_alias=True,
    validate_by_name=True,
    serialize_by_alias=True,
    extra="forbid",
    frozen=True,
    hide_input_in_errors=True,
)


class Inputs(SecretHolder, BaseModel):
    """Inputs of an action. Field names are snake_case in Python and camelCase in JSON.

    A subclass's docstring describes the inputs as a whole.
    """

    model_config = _CLOSED

    def rules(self) -> Iterable[Detail]:
        """Yield a Detail for each fault that a schema cannot express. It runs before anything is
        sent; the default finds no fault.
        """
        return ()


class Output(BaseModel):
    """Output of an action, under the provider's own member names (by ``alias``). A member that no
    field declares is refused.
    """

    model_config = _CLOSED

    @classmethod
    def from_provider(cls, data: object) -> Self:
        """Build the output from a provider's answer. Members that no field declares are ignored at
        every depth, since providers add members.

        :raises InvalidOutput: if a declared member is missing or has a wrong type. The provider has
            answered, so a ``write`` is in doubt.
        """
        try:
            return cls.model_validate(data, extra="ignore")
        except ValidationError as error:
            faults = model_faults(error)
        places = ", ".join(fault.path or "/" for fault in faults[:5])
        raise InvalidOutput(
            f"the provider's answer does not have the declared members: {places}",
            details=[
                Detail("", f"{fault.path or '/'} of the answer {fault.message}")
                for fault in faults[:5]
            ],
            hint="The provider's API may have changed: report it to the connector's author.",
            sent=Sent.UNKNOWN,
        )


class ConnectionType(SecretHolder, BaseModel):
    """Values that a connector needs to authenticate, as fields, and the code that opens a client
    with them.

    Class attributes:

    - ``key``, ``title``, ``family``; ``auth``: the method (``aws``, ``apiKey``, ``oauth2`` …);
      ``setup``: a guide in Markdown.
    - ``reports_begin``: the type's clients call ``Call.begin()``; otherwise entering the action
      counts as sent. An action that needs no request for its answer calls nothing.
    - ``permission_system``: the system of the actions' permissions (``aws:iam``) for which the type
      can generate policies. It then has a method ``policies(permissions, principal_arn=None, *,
      sender=None, testing=())`` that returns documents by name. ``sender`` is passed to types with
      a field of that name. ``testing`` are the permissions of the connectors' connection tests, if
      any. Types of connectors with ``statements_of`` accept ``statements``, too: permissions with
      their resources.
    - ``foreseen``: values that exist only once the policies are in place, such as the name of a
      role. With them the policies can be displayed before; ``{name}`` in them is the connection's
      name, in a connect session after the platform's.
    - ``serves``: restricts the type to some actions and states the reason.
    - ``waives``: inputs (in JSON spelling) that actions do not require with this type. They are
      then None, so the models of these actions declare them as ``X | None`` without a default.
    - ``host_defaults``: a function of the connection's values (with references unresolved) and the
      environment. It returns the machine's values for missing inputs, such as a region. It is for a
      type without required values, which can sign in as the machine.
    - ``authorizes``: the ways in which a person can approve the connection at the provider. For
      ``redirect`` the type has the methods ``authorize`` and ``authorized``, for ``device`` the
      methods ``authorize_device`` and ``device_authorized``.
    """

    model_config = _CLOSED

    key: ClassVar[str]
    title: ClassVar[str]
    auth: ClassVar[str] = "custom"
    family: ClassVar[str | None] = None
    setup: ClassVar[str] = ""
    reports_begin: ClassVar[bool] = False
    permission_system: ClassVar[str | None] = None
    foreseen: ClassVar[Mapping[str, str]] = {}
    serves: ClassVar[Serves | None] = None
    waives: ClassVar[tuple[str, ...]] = ()
    host_defaults: ClassVar[
        Callable[[Mapping[str, Any], Mapping[str, str]], Mapping[str, Any]] | None
    ] = None
    authorizes: ClassVar[tuple[Authorizes, ...]] = ()
    asks_elsewhere: ClassVar[bool] = False
    """True if opening may block, so that it never runs in an event loop. The code of such types
    runs in another process, or a credential that is not a lease is due.
    """

    @property
    def opens_with(self) -> Hashable:
        """Source of credentials that this connection shares with others, for the runtime's own
        connection types; None for its own source. Calls that wait for one source share a few
        threads.
        """
        return None

    @property
    def checks_addresses(self) -> bool:
        """True if the connection uses no proxy, and only the runtime's own wire, which judges each
        address right before it connects. Then the names of its hosts are resolved for a verdict
        once a second, and not for each call.
        """
        return False

    @property
    def reads_host(self) -> bool:
        """True if opening uses the server's own identity; operators must allow it
        (docs/reference/invocation.md).
        """
        return False

    @property
    def reads_host_at(self) -> str:
        """JSON Pointer to the value that decides ``reads_host``."""
        return ""

    def needed_permissions(self, permissions: Collection[str]) -> Collection[str]:
        """Return the subset of the actions' permissions that this connection needs; by default all
        of them.
        """
        return permissions

    def open(self, context: OpenContext) -> Any:
        """Return a client for one attempt. It runs for each attempt: store expensive objects with
        ``context.cached`` and ``context.lease``.
        """
        raise NotImplementedError

    def test(self, context: OpenContext) -> Iterable[Step | Account]:
        """Test the connection without changing anything, and yield a Step for each finding. The
        default only opens the connection, which leaves it ``untested``, since the provider was not
        asked.
        """
        self.open(context)
        yield Step(
            "open",
            "Open the connection",
            passed=False,
            mandatory=False,
            message="The values were accepted.",
        )

    def authorize(self, context: OpenContext, redirect_uri: str, state: str) -> Authorization:
        """Return the address at which a person approves; the provider answers to ``redirect_uri``
        with ``state``.
        """
        raise NotImplementedError

    def authorized(
        self,
        context: OpenContext,
        kept: Mapping[str, Any],
        redirect_uri: str,
        answer: Mapping[str, str],
    ) -> Grant:
        """Return the grant for the provider's answer, which may be forged; ``kept`` is the value
        that ``authorize`` stored.
        """
        raise NotImplementedError

    def authorize_device(self, context: OpenContext) -> DeviceAuthorization:
        """Ask the provider for a code that a person enters on another device."""
        raise NotImplementedError

    def device_authorized(self, context: OpenContext, kept: Mapping[str, Any]) -> Grant | None:
        """Ask the provider whether the person has approved; None if not yet.

        :raises RateLimited: if the provider must be asked less often from now on.
        """
        raise NotImplementedError

    def adopt(self, tokens: Mapping[str, Any]) -> Grant:
        """Return the grant for tokens that a person approved elsewhere: ``refreshToken``,
        ``accessToken``, ``expiresAt`` (seconds since the epoch), ``scopes``. Nothing is sent. A
        refresh token is used at the first call.

        :raises InvalidConnection: if the type accepts no tokens, which is the default.
        """
        text = f"connections of the type '{type(self).key}' take no grant that exists already"
        details = [Detail(pointer("grant", name), "is not taken by this type") for name in tokens]
        raise InvalidConnection(text, details=details, hint="Connect the connection instead.")

    def revoke(self, context: OpenContext) -> bool:  # noqa: ARG002 (for subclasses)
        """Tell the provider that the grant is no longer needed, and return True. Return False if
        the provider has no operation for this, which is the default.
        """
        return False


def check_reason(
    reason: object, *, has_evidence: bool, effect: str, idempotent_by: str | None
) -> None:
    """Check the reason why an action has no evidence.

    :raises ValueError: if the action has evidence or is never in doubt, or the reason is too long.
    """
    if has_evidence:
        raise ValueError("it has evidence, and 'noEvidence' says why it has none")
    if effect != "write" and idempotent_by != "key":
        raise ValueError(
            f"'noEvidence' needs the effect write, not {effect}: what may be repeated is not in "
            "doubt"
        )
    if not isinstance(reason, str) or not 0 < len(reason) <= MAX_REASON:
        raise ValueError(f"'noEvidence' must be a text of 1 to {MAX_REASON} characters")


def check_evidence(
    key: str,
    marker: Marker | None,
    evidence: Sequence[Evidence],
    reason: str | None,
    effect: str,
    idempotent_by: str | None,
) -> None:
    """Check marker and evidence of an action, or the reason why it has none, if declared.

    :raises DeclarationError: if they are wrong.
    """
    first = marker or next(iter(evidence), None)
    try:
        if reason is not None:
            check_reason(
                reason, has_evidence=bool(evidence), effect=effect, idempotent_by=idempotent_by
            )
        if first is None:
            return
        first.declare(evidence, effect, idempotent_by)
    except ValueError as fault:
        raise DeclarationError(f"action '{key}': {fault}") from None


Explain = Callable[[Exception, Any, Inputs | None], JackfieldError | None]
"""Function that maps an exception, the open client and the inputs to an error with a code, or to
None if the exception is unknown.
"""

Documents = Callable[[Mapping[str, Any], ConnectionType], Mapping[str, Any]]
"""Function that maps the policy documents by name and the connection's values to the documents that
this connector adds or replaces.
"""
