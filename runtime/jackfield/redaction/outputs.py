"""Masking of outputs: no secret leaves in them, and no mask damages data
(docs/reference/masking.md).

Secrets are cut out of texts. Cutting would make Base64, page tokens and names of members useless:
such a member is withheld as a whole. Short or public secrets occur in harmless data by chance, so
they are searched for less. A secret that is split over the events of a stream is masked in all of
them (``Joints``).
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from binascii import Error
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import chain
from typing import Any

from jackfield.kernel.pointers import child
from jackfield.kernel.secrecy import SecretHolder
from jackfield.redaction.marks import MASK
from jackfield.redaction.needles import Form, encodings, normal_forms, spellings, words
from jackfield.redaction.redactor import Redactor

SHORTEST = 8
"""Length below which a secret is masked in outputs only as a whole token, since it is a word, or
occurs in Base64 by chance.
"""
_FILE = frozenset({"data", "contentType", "name", "disposition", "contentId"})
"""Members of a file within an output; ``data`` is Base64."""
_BASE64 = re.compile(r"(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/_-]{14,}={0,2}", re.DOTALL)

_ROUNDS = 8
_MOST_HELD = 1024
Event = Mapping[str, Any]
Path = tuple[str | int, ...]
PUBLIC_DEFAULTS: Mapping[str, str] = {
    "test": "LocalStack, https://docs.localstack.cloud/aws/capabilities/config/credentials/",
    "testing": "moto, https://docs.getmoto.org/en/latest/docs/getting_started.html",
    "minioadmin": (
        "MinIO, "
        "https://min.io/docs/minio/linux/reference/minio-server/settings/root-credentials.html"
    ),
    "minio123": (
        "MinIO before 2021, "
        "https://github.com/minio/minio/blob/RELEASE.2020-12-29T23-29-29Z/docs/orchestration/docker-compose/docker-compose.yaml"
    ),
    "minio": "MinIO before 2021, the same file",
    "secret": "Laravel Homestead, https://laravel.com/docs/homestead",
    "S3RVER": "s3rver, https://github.com/jamhall/s3rver#s3rver-1",
    "verySecretKey1": "Zenko CloudServer, https://s3-server.readthedocs.io/en/latest/GETTING_STARTED.html",
    "x": "ElasticMQ, https://github.com/softwaremill/elasticmq",
    "abc": "fake-s3, https://github.com/jubos/fake-s3/wiki/Supported-Clients",
    "123": (
        "fake-s3, the same page in its other examples, "
        "https://github.com/jubos/fake-s3/wiki/Supported-Clients"
    ),
    "dummy": (
        "DynamoDB Local in guides: it takes any key, "
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DynamoDBLocal.UsageNotes.html"
    ),
    "DUMMYEXAMPLEKEY": (
        "DynamoDB Local, "
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DynamoDBLocal.DownloadingAndRunning.html"
    ),
    "fakeSecretAccessKey": (
        "DynamoDB Local, "
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DynamoDBLocal.UsageNotes.html"
    ),
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==": "Azurite, https://learn.microsoft.com/azure/storage/common/storage-use-azurite",
    "guest": "RabbitMQ, https://www.rabbitmq.com/docs/access-control#default-state",
    "changeme": (
        "Elasticsearch's images, "
        "https://www.elastic.co/guide/en/elasticsearch/reference/5.0/security-getting-started.html"
    ),
    "mysecretpassword": "PostgreSQL's image, https://hub.docker.com/_/postgres",
    "postgres": "PostgreSQL's image in guides, named as its user, https://hub.docker.com/_/postgres",
    "example": "images of MongoDB and MySQL, https://hub.docker.com/_/mongo",
    "my-secret-pw": "MySQL's image, https://hub.docker.com/_/mysql",
    "foobared": "Redis's configuration file, https://github.com/redis/redis/blob/7.0/redis.conf",
    "admin": (
        "Grafana, ActiveMQ and Keycloak, "
        "https://grafana.com/docs/grafana/latest/setup-grafana/sign-in-to-grafana/"
    ),
    "artemis": (
        "ActiveMQ Artemis, "
        "https://activemq.apache.org/components/artemis/documentation/latest/docker.html"
    ),
    "neo4j": (
        "Neo4j, "
        "https://neo4j.com/docs/operations-manual/current/configuration/set-initial-password/"
    ),
    "password": (
        "JFrog Artifactory, https://jfrog.com/help/r/jfrog-platform-administration-documentation"
    ),
    "root": (
        "Vault's server for development, "
        "https://developer.hashicorp.com/vault/docs/concepts/dev-server"
    ),
    "myroot": "Vault's image, https://hub.docker.com/r/hashicorp/vault",
    "dev-only-token": "Vault's tutorials, https://developer.hashicorp.com/vault/tutorials",
    "tiger": (
        "Oracle's user scott, https://docs.oracle.com/cd/B19306_01/server.102/b14200/intro001.htm"
    ),
}
"""Public secrets, with the place where they are published: keys and passwords that simulators,
images and guides use. At most 40.

Outputs are not searched for them: they hide nothing, and most are words, whose masks would damage
data.
"""


def is_public(secret: str) -> bool:
    """Return whether a secret is one of the public defaults."""
    return secret.strip() in PUBLIC_DEFAULTS


def is_short(secret: str) -> bool:
    """Return whether a secret has fewer than 8 characters in one of Unicode's normal forms, without
    spaces around it.
    """
    return min(map(len, normal_forms(secret.strip()))) < SHORTEST


class OutputMask(SecretHolder):
    """Mask of the secrets of one Redactor in outputs."""

    __slots__ = ("_any", "_encoded", "_long", "_texts")

    def __init__(self, redactor: Redactor) -> None:
        long, short = _sorted(redactor.forms)
        self._long = redactor if len(long) == len(redactor) else Redactor.of(long)
        self._any = Redactor.of({**long, **short}) if short else self._long
        self._texts = Redactor.of({**{one: Form(one, spellings) for one in long}, **short})
        self._encoded = Redactor.of({one: Form(one, encodings) for one in long})

    def masked(
        self, output: Mapping[str, Any], tokens: Iterable[object] = ()
    ) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return the output with its secrets masked, and JSON Pointers to the withheld members; the
        same object if it contains no secret.

        ``tokens`` are page tokens, as objects of the output. Each of these objects is withheld or
        left unchanged.
        """
        # Joined by NUL, which no escape or token contains and which ends them all: one search finds
        # what one per string does.
        if not self._any.holds("\0".join(strings(output))):
            return output, ()
        withheld: list[str] = []
        found: Mapping[str, Any] = self._value(output, "", {*map(id, tokens)}, withheld)
        return found, tuple(withheld)

    @property
    def anywhere(self) -> Redactor:
        """Redactor of the secrets that are searched for anywhere."""
        return self._long

    def holds_token(self, value: Any) -> bool:
        """Return whether a page token contains a secret that masking would have to cut out of
        it.
        """
        return self._long.holds("\0".join(strings([value])))

    def _value(self, value: Any, path: str, tokens: set[int], withheld: list[str]) -> Any:
        if tokens and id(value) in tokens:
            return self._whole(value, path, withheld)
        if isinstance(value, str):
            return self._text(value, path, withheld)
        if isinstance(value, list):
            return [
                self._value(item, child(path, index), tokens, withheld)
                for index, item in enumerate(value)
            ]
        return self._members(value, path, tokens, withheld) if isinstance(value, Mapping) else value

    def _members(
        self, members: Mapping[str, Any], path: str, tokens: set[int], withheld: list[str]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        is_file = isinstance(members.get("data"), str) and _FILE.issuperset(members)
        for name, item in members.items():
            if self._long.holds(name):
                withheld.append(child(path, self._long.clean(name)))
            elif is_file and name == "data":
                found[name] = self._whole(item, child(path, name), withheld)
            else:
                found[name] = self._value(item, child(path, name), tokens, withheld)
        return found

    def _whole(self, value: Any, path: str, withheld: list[str]) -> Any:
        """Return a value that may not be cut; the mask if it contains a secret."""
        if not self.holds_token(value):
            return value
        withheld.append(path)
        return MASK

    def _text(self, text: str, path: str, withheld: list[str]) -> str:
        if _BASE64.fullmatch(text) and self._texts.clean(text) != MASK:
            return str(self._whole(text, path, withheld))
        if self._encoded.holds(text):
            withheld.append(path)
            return MASK
        return self._texts.clean(text)


def _sorted(forms: Mapping[str, Form]) -> tuple[dict[str, Form], dict[str, Form]]:
    """Return the secrets to search for anywhere, and the secrets to search for as whole tokens.
    Public defaults are in neither, nor are their forms in HTTP Basic.
    """
    weak = {secret.strip() for secret in forms if is_short(secret) or is_public(secret)}
    long: dict[str, Form] = {}
    short: dict[str, Form] = {}
    for secret, form in forms.items():
        half = (
            secret.strip() if secret.strip() in weak else _weak_half(secret, weak) if weak else None
        )
        if half is None:
            long[secret] = form
        elif not is_public(half):
            short[secret] = Form(secret, words)
    return long, short


def _weak_half(secret: str, weak: Iterable[str]) -> str | None:
    """Return the weak secret in a secret that is the credentials of HTTP Basic (``hidden_values``),
    a public default first; else None.
    """
    try:
        pair = urlsafe_b64decode(
            secret.translate({43: 45, 47: 95}) + "=" * (-len(secret) % 4)
        ).decode()
    except (Error, ValueError):
        return None
    return next(
        (
            one
            for one in sorted(weak, key=is_public, reverse=True)
            if pair.startswith(f"{one}:") or pair.endswith(f":{one}")
        ),
        None,
    )


_ATOMS = frozenset({int, float, bool, type(None)})
"""Types of JSON values that contain no text."""


def strings(value: object) -> Sequence[str]:
    """Return all strings in a JSON value, including member names."""
    kind = type(value)
    if kind is str:
        return [value]  # type: ignore[list-item]  # it is one
    if kind is list:
        kinds = {*map(type, value)}  # type: ignore[call-overload]  # long arrays mostly have items of one type
        if kinds <= _ATOMS:
            return []
        return value if kinds == {str} else [*chain.from_iterable(map(strings, value))]  # type: ignore[call-overload,return-value]
    if kind in _ATOMS:
        return []
    if isinstance(value, (dict, Mapping)):
        found = [*value]
        for item in value.values():
            if type(item) is str:  # here, to save a call for the most frequent type
                found.append(item)
            elif type(item) not in _ATOMS:
                found += strings(item)
        return found
    return (
        strings(str.__str__(value))
        if isinstance(value, str)
        else strings([*value])
        if isinstance(value, list)
        else []
    )


class Joints:
    """Mask for the events of one stream, in order. An event that may end within a secret is held
    back until the next events decide.

    Texts of consecutive events are joined if they have the same place. The parts of a found secret
    that were not passed on are masked; bytes with a part of a secret are withheld, and ``withheld``
    has their places. ``alone`` masks each event by itself, too.
    """

    def __init__(self, mask: OutputMask, *, alone: bool = False) -> None:
        self._mask, self._redactor, self._alone = mask, mask.anywhere, alone
        self._window = 2 * self._redactor.longest
        self._held: list[Event] = []
        self._count = 0
        self.withheld: list[Path] = []
        self._given: dict[tuple[Path, bool], str] = {}
        """Ends of the texts that were handed on, by their place, and as bytes or not."""

    def push(self, event: Event) -> list[Event]:
        """Add the next event. Return the events that may now be passed on."""
        self._held.append(event if self._alone else self._mask.masked(event)[0])
        for place in list(_places(self._held[-1])):
            self._check(*place)
        if len(self._held) < _MOST_HELD and any(
            self._may_go_on(*place) for place in {p for one in self._held for p in _places(one)}
        ):
            return []
        return self.rest()

    def rest(self) -> list[Event]:
        """Return the events that are held back, when no event follows or can still decide."""
        for event in self._held:
            for path, is_bytes in _places(event):
                text = self._given.get((path, is_bytes), "") + _text_at(event, path, is_bytes)
                self._given[path, is_bytes] = text[-self._window :]
        found, self._held = self._held, []
        self._count += len(found)
        return found

    def _joined(self, path: Path, is_bytes: bool) -> tuple[str, list[str]]:
        return self._given.get((path, is_bytes), ""), [
            _text_at(event, path, is_bytes) for event in self._held
        ]

    def _may_go_on(self, path: Path, is_bytes: bool) -> bool:
        given, held = self._joined(path, is_bytes)
        return self._redactor.may_go_on((given + "".join(held))[-self._window :])

    def _check(self, path: Path, is_bytes: bool) -> None:
        """Mask secrets that cross the joints of the texts at a place."""
        for _ in range(_ROUNDS):
            given, held = self._joined(path, is_bytes)
            whole = given + "".join(held)
            joint = len(whole) - len(held[-1])
            if not joint or not self._redactor.holds(whole[max(0, joint - self._window) :]):
                return
            self._cut(path, len(given), *self._span(whole, joint), is_bytes=is_bytes)

    def _span(self, whole: str, joint: int) -> tuple[int, int]:
        """Return where a secret that crosses a joint begins and ends."""
        holds, low = self._redactor.holds, max(0, joint - self._window)
        end = _least(joint + 1, len(whole), lambda at: holds(whole[low:at]))
        begin = -_least(1 - joint, -low, lambda at: holds(whole[-at:end]))
        return begin, end

    def _cut(self, path: Path, at: int, begin: int, end: int, *, is_bytes: bool) -> None:
        """Mask a span of the joined texts in the events that are held back, whose joined text
        begins ``at`` this index.
        """
        is_first = True
        for number, event in enumerate(self._held):
            text = _text_at(event, path, is_bytes)
            start, stop = max(begin - at, 0), min(end - at, len(text))
            at += len(text)
            if start >= stop:
                continue
            new = MASK if is_bytes else text[:start] + (MASK if is_first else "") + text[stop:]
            self._held[number], is_first = _replaced(event, path, new), False
            self.withheld += [(self._count + number, *path)] if is_bytes else []


def masked_events(
    output: Mapping[str, Any], mask: OutputMask
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Mask an output whose lists are events that were passed on; return it with JSON Pointers to
    the withheld parts.
    """
    masked, withheld = mask.masked(output)
    found = dict(masked)
    for name, value in masked.items():
        if isinstance(value, list) and all(isinstance(event, Mapping) for event in value):
            joints, events = Joints(mask, alone=True), list[Event]()
            for event in value:
                events += joints.push(event)
            found[name] = events + joints.rest()
            withheld += tuple(reduce(child, place, child("", name)) for place in joints.withheld)
    return found, withheld


def _least(low: int, high: int, is_so: Callable[[int], bool]) -> int:
    """Return the least number from ``low`` to ``high`` for which ``is_so`` is True, if it is True
    for all numbers above.
    """
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_so(middle) else (middle + 1, high)
    return low


def _places(value: Any, path: Path = ()) -> Iterator[tuple[Path, bool]]:
    """Yield the places of the strings in an event, and whether each contains bytes."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _places(one, (*path, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _places(one, (*path, number))
    elif isinstance(value, str) and value:
        yield path, path[-1] == "data"


def _text_at(event: Any, path: Path, is_bytes: bool) -> str:
    """Return the string at a place of an event, bytes as one character each; an empty string if the
    place holds no string.
    """
    value = event
    for key in path:
        if isinstance(key, str):
            value = value.get(key) if isinstance(value, Mapping) else None
        else:
            value = value[key] if isinstance(value, list) and key < len(value) else None
    if not isinstance(value, str):
        return ""
    return _decoded(value) if is_bytes else value


def _decoded(text: str) -> str:
    try:
        return b64decode(text, validate=True).decode("latin-1")
    except (Error, ValueError):
        return text


def _replaced(value: Any, path: Path, text: str) -> Any:
    if not path:
        return text
    if isinstance(value, Mapping):
        return {**value, path[0]: _replaced(value[path[0]], path[1:], text)}
    return [
        _replaced(one, path[1:], text) if number == path[0] else one
        for number, one in enumerate(value)
    ]
