"""Triggers as an author declares them: webhooks that a provider sends, and lists that are polled.

An author's code handles one subscription at a time and stores nothing: the runtime stores its
returned events and checkpoint in one transaction.
"""

from __future__ import annotations

import hmac
import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import create_model

from jackfield.connector.actions import OnDemand, by_key
from jackfield.connector.hook_requests import HookRequest, Malformed
from jackfield.connector.models import DeclarationError, Inputs, Output, spelt_out
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.secrecy import SecretHolder
from jackfield.manifest.triggers import CHANGES, EVERY, LARGEST, LEAST

F = TypeVar("F", bound=Callable[..., Any])

_TYPE = re.compile(r"[a-z][A-Za-z0-9_]{0,59}")
_KEY = re.compile(r"[a-z][A-Za-z0-9]{0,59}")


class Forged(Exception):
    """Error for a request that the provider has not signed, or that is too old. Raised by a
    verifier; the sender gets 401.
    """


class Gone(Exception):
    """Signal that something the connector relied on no longer exists.

    - ``renew``: the registration no longer exists, and is made again.
    - A poll: the checkpoint is too old; polling starts again at the time of the last successful
      poll.
    - A list: the page token has expired; the list is read from its beginning.
    """


class Needs(Exception):
    """Signal of a verifier that needs a file published by the provider: the certificate under this
    URL.

    The runtime calls the webhook's ``fetch`` for the file, stores it, and calls the verifier again
    with ``hook.found``. Check the name first: anyone who knows the webhook's URL can make up
    requests.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True, repr=False)
class Hook(SecretHolder):
    """One subscription to a webhook, as the connector's functions see it.

    The provider sends to ``url``, which lasts as long as the subscription. The runtime generates
    ``secret`` for a provider that lets its users choose one. ``inputs`` is the subscription's
    ``Inputs`` model, or None; ``remote`` is the result of ``enable``, ``found`` are the files that
    the verifier needs, by name.
    """

    url: str
    secret: str
    inputs: Any
    remote: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Unfinished(SecretHolder):
    """Outcome of an ``enable`` that must run again. ``remote`` is stored, and ``enable`` runs again
    in ``again`` seconds, with it as ``hook.remote``. It runs earlier once a request of the provider
    has the expected data (``Received.remote``).
    """

    remote: Mapping[str, Any]
    again: float = 0.0


@dataclass(frozen=True, slots=True, repr=False)
class Outcome(SecretHolder):
    """Outcome of an object that an invocation had sent, reported by an event. The journal displays
    it with the invocation, for each ``part``.

    ``status`` is a word or two (delivered), ``text`` gives details (mailbox full), ``part`` is the
    affected part (a recipient). Providers deliver events out of order: an event of a lower
    ``severity`` changes nothing. ``suppresses`` is the reason to send nothing more to ``part``: a
    message to it bounced permanently, or drew a complaint. A connection's guard then refuses to
    send to it.
    """

    status: str
    severity: int
    part: str = ""
    text: str = ""
    suppresses: Literal["bounce", "complaint"] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Registered(SecretHolder):
    """Outcome of ``enable`` and ``renew``: the data that the other functions will need, and the
    seconds for which the registration lasts.
    """

    remote: Mapping[str, Any]
    lasts: float | None = None


@dataclass(frozen=True, slots=True, repr=False)
class TriggerEvent(SecretHolder):
    """Event at the provider, as a trigger reports it.

    ``key`` identifies the event when it comes again: the provider's own ID, if that is stable.
    ``type`` is one of the trigger's ``types`` (default: the first), ``at`` its time in seconds
    since 1970 (default: now, also for an implausible time, such as milliseconds).

    ``reference`` is the ID that the provider returned for the object of the event: a member of an
    action's output that is marked ``Field(reference=True)``. The event then names the invocation,
    and ``outcome`` is displayed with the invocation.

    ``marker`` is the marker of an attempt that the signed event carries, with its ``jf1-``;
    anything else is ignored. It is evidence for a call in doubt whose action declares
    ``EventEvidence``. ``account`` is the ID of the provider's account, if the event has one: an
    event of another account than the call's proves nothing.
    """

    data: Output | Mapping[str, Any]
    key: str
    type: str | None = None
    at: float | None = None
    reference: str | None = None
    outcome: Outcome | None = None
    marker: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Received(SecretHolder):
    """Outcome of a webhook's request: its events, which may be none, and the body of the response,
    for a handshake (text/plain, or JSON by ``media_type``). Of ``headers``, only
    ``WebHook-Allowed-Origin``, ``WebHook-Allowed-Rate`` and ``X-Hook-Secret`` are sent, for
    handshakes.

    ``remote`` has members for ``hook.remote``, such as the token of a handshake that a call
    answers: ``enable`` runs again with them.
    """

    events: Sequence[TriggerEvent] = ()
    answer: str = ""
    remote: Mapping[str, Any] = field(default_factory=dict)
    media_type: Literal["text/plain", "application/json"] = "text/plain"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class Since(SecretHolder):
    """Progress of a poll. ``mark`` is the ``next`` of the last page; at first it is empty, and
    ``at`` is the time from which events count. ``now`` is the current time. Both are whole seconds
    since 1970, as most providers compare them, rounded down.
    """

    at: float
    mark: Mapping[str, Any]
    now: float = 0.0


@dataclass(frozen=True, slots=True, repr=False)
class Polled(SecretHolder):
    """One page of a poll: its events, the checkpoint after them, which is JSON, and whether another
    page follows at once.

    ``unknown`` is why the end of the list cannot be known: the page is stored, and the subscription
    displays the reason.
    """

    events: Sequence[TriggerEvent]
    next: Mapping[str, Any]
    more: bool = False
    unknown: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Listed(SecretHolder):
    """One page of a list: its items, and the token of the next page, which is JSON; None after the
    last page.

    ``unknown`` is why the page cannot be known to be the last: then no item counts as deleted.
    """

    items: Sequence[Item]
    next: Any = None
    unknown: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Item(SecretHolder):
    """One item of a list: the provider's ID of the item, and its content."""

    id: str
    data: Output | Mapping[str, Any]


def check_signature(expected: str, given: str | None) -> None:
    """Compare a signature with the received one, in constant time.

    :raises Forged: if it is missing or different.
    """
    if given is None or not hmac.compare_digest(
        expected.encode(), given.encode("utf-8", "surrogateescape")
    ):
        raise Forged("the signature is missing or does not fit")


class Trigger:
    """Common part of webhooks and polls: key, models and texts."""

    kind = ""
    compares = False
    """True if a whole list is read, and compared with its earlier state."""
    every, least = EVERY, LEAST
    function: Callable[..., Any] | None = None
    """Function that polls: it gets the inputs, the client and the progress, and returns a page.
    None for a trigger without such a function.
    """

    def __init__(
        self,
        key: str,
        title: str | None,
        inputs: type[Inputs],
        event: type[Output],
        types: Sequence[str],
        permissions: Mapping[str, Sequence[str]] | None,
        examples: Sequence[Mapping[str, Any]],
        setup: str,
    ) -> None:
        if not _KEY.fullmatch(key):
            raise DeclarationError(f"trigger '{key}': the key must be in camelCase")
        wrong = next((name for name in types if not _TYPE.fullmatch(name)), None)
        if wrong is not None:
            raise DeclarationError(
                f"trigger '{key}': '{wrong}' is no type of event: letters, digits and "
                "underscores, first a small letter"
            )
        self.key = key
        self.title = title or spelt_out(key)
        self.description = ""
        self.inputs = inputs
        self.event = event
        self.types = tuple(types) or (key,)
        self.permissions = {system: tuple(names) for system, names in (permissions or {}).items()}
        self.examples = tuple(examples)
        self.setup = inspect.cleandoc(setup)
        self.takes_client = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key}>"


class Webhook(Trigger):
    """Webhook that is being declared. ``receive`` gets only requests that ``verify`` has
    accepted.
    """

    kind = "webhook"

    def __init__(
        self, verify: Callable[[HookRequest, Hook], object], max_body_bytes: int, **about: Any
    ) -> None:
        super().__init__(**about)
        if not callable(verify):
            raise DeclarationError(
                f"webhook '{self.key}': 'verify' must be a signature or a function: without one, "
                "anybody can forge events"
            )
        self.verify = verify
        self.signs: Callable[[bytes, Hook, float], Mapping[str, str]] | None = getattr(
            verify, "sign", None
        )
        self.max_body_bytes = min(max_body_bytes, LARGEST)
        self.received: Callable[[HookRequest, Hook], Received] | None = None
        self.answers: Callable[[HookRequest, Hook], Received | None] | None = None
        self.enabled: (
            Callable[[Hook, Any], Registered | Unfinished | Mapping[str, Any] | None] | None
        ) = None
        self.renewed: (
            Callable[[Hook, Any], Registered | Unfinished | Mapping[str, Any] | None] | None
        ) = None
        self.fetched: Callable[[str, Any], bytes] | None = None
        self.disabled: Callable[[Hook, Any], object] | None = None
        self.learns = False
        """True if the handshake brings the secret with which all later requests are signed. The
        secret is learnt once per registration.
        """
        self.takes_client = False

    def read(self, request: HookRequest, hook: Hook) -> Received:
        """Verify a request, then read it.

        :raises Forged: if the provider has not signed it; ``Malformed`` if it cannot be read.
        """
        answer = None if self.answers is None else self.answers(request, hook)
        if answer is not None:  # whatever it says: nobody has signed it
            is_first = self.learns and "secret" not in hook.remote and "secret" in answer.remote
            return replace(
                answer, events=(), remote={"secret": answer.remote["secret"]} if is_first else {}
            )
        if request.method != "POST":
            raise Malformed
        self.verify(request, hook)
        if self.received is None:
            raise Malformed
        return self.received(request, hook)

    def handshake(self, function: F) -> F:
        """Declare the function that answers a provider's handshake without a signature: a GET, POST
        or OPTIONS by which it checks the URL. It gets request and hook, and returns ``Received``
        with the answer, or None for any other request. Its events do not count.
        """
        self.answers = function
        return function

    def receive(self, function: F) -> F:
        """Declare the function that reads a verified request. It gets request and hook, sends no
        requests, and returns ``Received``.
        """
        self.received = function
        self.description = inspect.getdoc(function) or ""
        return function

    def sign(self, function: F) -> F:
        """Declare the function that signs a sample as the provider would: it gets body, hook and
        time, and returns header fields.

        Checks of a connector and its server for development use it. A signature scheme signs by
        itself.
        """
        self.signs = function
        return function

    def enable(self, function: F) -> F:
        """Declare the function that registers the URL at the provider. It gets hook and client, and
        returns the data that the other functions need; ``Registered`` if the registration expires.

        It may run again after a crash, and at half the life of a registration: find, compare,
        create or repair. Of several steps, return ``Unfinished`` after each: a later run finishes a
        registration that the provider has to confirm.
        """
        self.enabled, self.takes_client = function, True
        return function

    def renew(self, function: F) -> F:
        """Declare the function that extends a registration, at half its life (default: ``enable``).
        It gets hook and client, returns the same as ``enable``, and raises ``Gone`` if the
        registration no longer exists.
        """
        self.renewed, self.takes_client = function, True
        return function

    def poll(self, *, every: float = EVERY, least: float = LEAST) -> Callable[[F], F]:
        """Declare the decorated function as the poll that closes the webhook's gaps, as
        ``Connector.poll`` does.

        An event of both has the same key in both, and is reported once. A request of the provider
        makes the next poll earlier.
        """

        def declare(function: F) -> F:
            self.function, self.every, self.least, self.takes_client = function, every, least, True
            return function

        return declare

    def fetch(self, function: F) -> F:
        """Declare the function that fetches the file that the verifier ``Needs``. It gets the name
        and the client, and returns the file's bytes.
        """
        self.fetched = function
        return function

    def disable(self, function: F) -> F:
        """Declare the function that removes the registration. It gets hook and client, and treats
        "not found" as success.
        """
        self.disabled, self.takes_client = function, True
        return function


class Poll(Trigger):
    """Declared poll: ``function`` gets the inputs, the client and ``Since``, and returns
    ``Polled``.
    """

    kind = "poll"
    function: Callable[..., Any]

    def __init__(
        self,
        function: Callable[..., Any],
        every: float,
        least: float,
        *,
        compares: bool = False,
        **about: Any,
    ) -> None:
        super().__init__(**about)
        self.function = function
        self.compares = compares
        self.every = every
        self.least = least
        self.description = inspect.getdoc(function) or ""


class Triggers:
    """Triggers of a connector: a part of ``Connector`` (``connector.webhook``,
    ``connector.poll``).
    """

    def __init__(self, modules: Mapping[str, Sequence[str]]) -> None:
        self._watching: dict[str, Trigger] = {}
        self.triggers: Mapping[str, Trigger] = OnDemand(
            "trigger", by_key("trigger", modules), self._watching
        )

    @property
    def triggers_here(self) -> Collection[str]:
        """Keys of the triggers whose modules have been imported."""
        return self._watching.keys()

    def webhook(
        self,
        key: str,
        *,
        verify: Callable[[HookRequest, Hook], object],
        event: type[Output],
        inputs: type[Inputs] = Inputs,
        title: str | None = None,
        types: Sequence[str] = (),
        permissions: Mapping[str, Sequence[str]] | None = None,
        examples: Sequence[Mapping[str, Any]] = (),
        setup: str = "",
        max_body_bytes: int = LARGEST,
    ) -> Webhook:
        """Declare a webhook; its decorators ``receive``, ``enable``, ``renew``, ``disable`` and
        ``poll`` declare its functions.

        ``verify`` gets each request and the hook first, and raises ``Forged`` unless the provider
        has signed exactly these bytes. Without ``enable``, a person enters the URL at the provider;
        ``setup`` says how (Markdown).

        :raises DeclarationError: for an invalid key or type, or a key that is declared twice.
        """
        about = {"key": key, "title": title, "inputs": inputs, "event": event, "types": types}
        found = Webhook(
            verify, max_body_bytes, **about, permissions=permissions, examples=examples, setup=setup
        )
        self._add(found)
        return found

    def poll(
        self,
        key: str,
        *,
        event: type[Output],
        inputs: type[Inputs] = Inputs,
        every: float = EVERY,
        least: float = LEAST,
        title: str | None = None,
        types: Sequence[str] = (),
        permissions: Mapping[str, Sequence[str]] | None = None,
        examples: Sequence[Mapping[str, Any]] = (),
    ) -> Callable[[F], F]:
        """Declare the decorated function as a poll, called every ``every`` seconds; a subscription
        may choose ``least`` or more.

        It gets the inputs, the open client and ``Since``, and returns ``Polled``: a page of events
        and the checkpoint after them. Overlap pages rather than miss an item of the same second: an
        event whose key was seen before is dropped.

        :raises DeclarationError: for an invalid key or type, or a key that is declared twice.
        """

        def declare(function: F) -> F:
            about: dict[str, Any] = {
                "key": key,
                "title": title,
                "inputs": inputs,
                "event": event,
                "types": types,
            }
            self._add(
                Poll(
                    function,
                    every,
                    least,
                    **about,
                    permissions=permissions,
                    examples=examples,
                    setup="",
                )
            )
            return function

        return declare

    def diff_poll(
        self,
        key: str,
        *,
        item: type[Output],
        inputs: type[Inputs] = Inputs,
        every: float = EVERY,
        least: float = LEAST,
        title: str | None = None,
        types: Sequence[str] = (),
        permissions: Mapping[str, Sequence[str]] | None = None,
        examples: Sequence[Mapping[str, Any]] = (),
    ) -> Callable[[F], F]:
        """Declare the decorated function as a poll of a list without a "since": it reads the list,
        and the runtime compares.

        The function gets the inputs, the open client and ``Listed.next`` of the previous page (None
        for the first), and returns ``Listed``. Only IDs and digests are stored. Events have the
        types ``KEYCreated``, ``KEYUpdated`` and ``KEYDeleted``, or the three of ``types`` in this
        order, and the data ``id`` and ``item``, which is absent once deleted. Raise ``Gone`` for a
        page token that the provider no longer accepts: the list is read from its beginning.

        :raises DeclarationError: for an invalid key, a key that is declared twice, or any other
            number of types than three.
        """
        named = types or [f"{key}{name}" for name in CHANGES]
        if len({*named}) != len(CHANGES):
            raise DeclarationError(
                f"trigger '{key}': 'types' must name three: of what was created, updated and "
                "deleted"
            )
        members: dict[str, Any] = {"id": (str, ...), "item": (item | None, None)}
        change = create_model(
            f"{item.__name__}Change", __base__=Output, __doc__=inspect.getdoc(item), **members
        )

        def declare(function: F) -> F:
            about: dict[str, Any] = {
                "key": key,
                "title": title,
                "inputs": inputs,
                "event": change,
                "types": named,
            }
            self._add(
                Poll(
                    function,
                    every,
                    least,
                    compares=True,
                    **about,
                    permissions=permissions,
                    examples=examples,
                    setup="",
                )
            )
            return function

        return declare

    def _add(self, trigger: Trigger) -> None:
        if trigger.key in self._watching:
            raise DeclarationError(f"trigger '{trigger.key}' is declared twice")
        self._watching[trigger.key] = trigger
