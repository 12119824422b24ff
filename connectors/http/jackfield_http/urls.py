"""URLs of requests: a server, a path whose parameters cannot leave their segment, and a query
string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from jackfield.connector import Detail, InvalidConnection, InvalidInput, Sent, pointer
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.exact import result_json
from jackfield_http.headers import set_by_connection

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PARAMETER = re.compile(r"\{(\w+)\}")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)+")
_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/?\[\]{}|^`\"<>-]*")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+\]")
_UNFIT = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
UNFIT_SEGMENT = (
    "must not be empty, contain '.' or '..' as a segment (also encoded), or contain control "
    "characters: it is part of a URL's path"
)
_DECODINGS = 5
_SEPARATORS = re.compile(r"[/\\]")
_PARAMETERS = re.compile("[&;]")
_WIDE = re.compile(r"%u00([0-9A-Fa-f]{2})")
"""Regular expression of the percent-encoding ``%u00XX``, which some Microsoft servers decode."""
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_TRIMMED = " \t\r\n\0"
_LONGEST = 16_384
"""Maximum length of a URL's path and query, in characters; most servers accept about half as
much.
"""


class UrlError(ValueError):
    """Error for a string that is not an absolute http or https URL; its message completes the
    sentence "the URL …".
    """


@dataclass(frozen=True, slots=True)
class Url:
    """Absolute URL of a request. ``host`` has no brackets, ``path`` begins with a slash, ``query``
    has no question mark.
    """

    scheme: str
    host: str
    port: int
    path: str = "/"
    query: str = ""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port, to which credentials are limited."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Value of the ``Host`` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query, as in the first line of a request."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def under(self, path: str, query: str = "") -> Url:
        """Return the URL of ``path`` below this URL, whose own path is the prefix and whose own
        query stays.
        """
        whole = f"{self.query}&{query}" if self.query and query else self.query or query
        return Url(self.scheme, self.host, self.port, self.path.rstrip("/") + path, whole)

    def with_query(self, query: str) -> Url:
        """Return this URL with more parameters at the end of its query."""
        if not query:
            return self
        return Url(
            self.scheme,
            self.host,
            self.port,
            self.path,
            f"{self.query}&{query}" if self.query else query,
        )

    def joined(self, reference: str) -> Url:
        """Resolve a reference in a response: a URL, a path or a query. Spaces are percent-encoded,
        as by browsers (WHATWG URL).

        :raises UrlError: if the result is not http or https, or ambiguous.
        """
        reference = reference.replace(" ", "%20")
        if reference.startswith("?"):
            return parse_url(f"{replace(self, query='')}{reference}")
        if reference.startswith("//"):
            return parse_url(f"{self.scheme}:{reference}")
        if reference.startswith("/"):
            return parse_url(f"{self.scheme}://{self.authority}{reference}")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", reference):
            return parse_url(reference)
        folder = self.path.rpartition("/")[0]
        return parse_url(f"{self.scheme}://{self.authority}{folder}/{reference}")


def parse_url(text: str) -> Url:
    """Parse an absolute URL strictly: two parsers must not find different hosts.

    :raises UrlError: if the string is no such URL, has a user name, or contains spaces,
        backslashes, control characters or dot segments.
    """
    _check_characters(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UrlError("is not a URL") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise UrlError("must begin with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise UrlError("must not contain a user name or a password")
    host = _host(parts.hostname or "", "[" in parts.netloc)
    path, query = _encoded_target(parts.path, parts.query)
    return Url(
        parts.scheme, host, port if port is not None else _DEFAULT_PORTS[parts.scheme], path, query
    )


def parse_target(text: str) -> tuple[str, str]:
    """Parse a path with an optional query, as strictly as ``parse_url``; return both, encoded. The
    path begins with exactly one slash.

    :raises UrlError: if the string has spaces, backslashes, control characters or dot segments.
    """
    _check_characters(text)
    path, _, query = text.partition("?")
    return _encoded_target(path, query)


def _check_characters(text: str) -> None:
    if _UNFIT.search(text):
        raise UrlError(
            "contains a space, a backslash, a control character or text that is not Unicode"
        )


def _encoded_target(path: str, query: str) -> tuple[str, str]:
    path, query = _encoded(path) or "/", _encoded(query)
    if (
        not _PATH.fullmatch(path)
        or not _QUERY.fullmatch(query)
        or len(path) + len(query) > _LONGEST
    ):
        raise UrlError("has a path or a query that is too long or not encoded")
    if climbs(path):
        raise UrlError("contains '.' or '..' as a path segment")
    return path, query


def server_url(text: str, path: str = "/server") -> Url:
    """Parse the server's URL of a connection; ``path`` points at the connection value.

    :raises InvalidConnection: if the string is not a URL.
    """
    try:
        return parse_url(text.strip())
    except UrlError as error:
        raise InvalidConnection(
            "the connection's server is not valid",
            details=[Detail(path, f"the URL {error}")],
            hint="Enter a URL such as https://api.example.com/v1.",
        ) from None


def fill(template: str, values: Mapping[str, Any]) -> str:
    """Fill a path such as ``/parcels/{id}``. A value is percent-encoded as a whole, so that it
    stays within its segment.

    :raises InvalidInput: if a value does not fit into a segment, or the whole path is not valid.
    """

    def encoded(found: re.Match[str]) -> str:
        return segment(values[found[1]], found[1])

    filled = _PARAMETER.sub(encoded, template)
    if not _PATH.fullmatch(filled) or climbs(filled) or len(filled) > _LONGEST:
        text = (
            "the request's path is not valid: pass parts that come from inputs as "
            "parameters, not as text"
        )
        raise InvalidInput(text, sent=Sent.NOTHING)
    return filled


def segment(value: object, name: str) -> str:
    """Percent-encode one path segment.

    :raises InvalidInput: if it is empty, has control characters, or contains a segment ``.`` or
        ``..`` in any encoding, by which servers would select another resource.
    """
    text = "" if value is None else plain(value)
    if (
        not text
        or climbs(text)
        or any(ord(character) < 32 or ord(character) == 127 for character in text)
    ):
        raise InvalidInput(
            "an input does not fit into the URL",
            details=[Detail(pointer(name), UNFIT_SEGMENT)],
            sent=Sent.NOTHING,
        )
    return quote(text.encode("utf-8", "replace"), safe="")


def query_string(parameters: Mapping[str, Any]) -> str:
    """Encode query parameters: None is omitted, a list repeats its name, and booleans are ``true``
    and ``false``.
    """
    pairs = []
    for name, value in parameters.items():
        many = (
            value
            if isinstance(value, Sequence) and not isinstance(value, str | bytes)
            else (value,)
        )
        pairs += [f"{_quoted(name)}={_quoted(plain(one))}" for one in many if one is not None]
    return "&".join(pairs)


def without(query: str, signing: str) -> str:
    """Return a query without a sign-in's parameters: a response may repeat the request's URL in the
    next page's.
    """
    names = {unquote_plus(part.partition("=")[0]) for part in signing.split("&") if part}
    return "&".join(
        part
        for part in query.split("&")
        if part and unquote_plus(part.partition("=")[0]) not in names
    )


def plain(value: object) -> str:
    """Return a parameter's value as a string; lists and objects become JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return compact(value) if isinstance(value, dict | list | tuple | float) else str(value)


def compact(value: object) -> str:
    """Return a value as compact JSON, with all digits of its numbers.

    :raises TypeError, ValueError, RecursionError: if the value is not JSON, such as NaN.
    """
    return result_json(value, _COMPACT)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "replace"), safe="")


def _encoded(text: str) -> str:
    """Percent-encode characters outside ASCII; existing percent-encodings stay."""
    return (
        text
        if text.isascii()
        else "".join(one if one.isascii() else quote(one, safe="") for one in text)
    )


def climbs(path: str) -> bool:
    """Return whether a server or proxy could find the segment ``.`` or ``..`` in a path.

    It may decode the path several times, split it at encoded slashes or backslashes, or drop the
    part after a semicolon.
    """
    if "." not in path and "%" not in path:
        return False
    text = path
    for _ in range(_DECODINGS):
        if any(
            part.partition(";")[0].strip(_TRIMMED) in {".", ".."}
            for part in _SEPARATORS.split(text)
        ):
            return True
        decoded = _WIDE.sub(r"%\1", text)
        decoded = (
            unquote(decoded, "latin-1")
            .replace("\xc0\xae", ".")
            .replace("\xc0\xaf", "/")
            .replace("\xc1\x9c", "\\")
        )
        if decoded == text:
            return False
        text = decoded
    return True


def owned_query(url: Url, own: str, signing: str) -> Url:
    """Return a URL with the query parameters of the connection's server.

    :raises InvalidInput: if the URL repeats the name of a server's or the sign-in's parameter:
        servers may read either.
    """
    pairs = _pairs(own)
    reserved = {name.lower() for name, _ in (*pairs, *_pairs(signing))}
    given = _pairs(url.query)
    taken = next(
        (name for name, value in given if name.lower() in reserved and (name, value) not in pairs),
        None,
    )
    if taken is not None:
        raise set_by_connection(f"the query parameter '{taken[:80]}'")
    missing = "&".join(
        f"{_quoted(name)}={_quoted(value)}" for name, value in pairs if (name, value) not in given
    )
    return url.with_query(missing)


def _pairs(query: str) -> list[tuple[str, str]]:
    """Return the decoded names and values of a query, also split at semicolons, as some servers
    do.
    """
    parts = (part.partition("=") for part in _PARAMETERS.split(query) if part)
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in parts]


def _host(name: str, bracketed: bool) -> str:
    try:
        host = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        raise UrlError("has no valid host") from None
    host = host.lower()
    if len(host) > 253 or not _HOST.fullmatch(f"[{host}]" if bracketed else host):
        raise UrlError("has no valid host")
    return host
