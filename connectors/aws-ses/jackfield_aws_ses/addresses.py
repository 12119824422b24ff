"""Mailboxes: parsing of user input into addresses that Amazon SES delivers to (RFC 5321, RFC 5322,
UTS 46).
"""

import re
from collections.abc import Iterable, Iterator

from jackfield.kernel.dataclass import dataclass, field

from .encoded_words import encode_words, is_encoded

_MAX_GIVEN = 1300  # our own limit: a full address (254) and a generous display name
_MAX_LOCAL = 64  # RFC 5321 §4.5.3.1.1
_MAX_ADDRESS = 254  # RFC 5321 §4.5.3.1.3: a path of 256, less its "<" and ">"
_MAX_DOMAIN = 253
_MAX_LABEL = 63  # RFC 1035 §2.3.4
_MAX_QUOTED = 64  # longer display names become encoded words, which can be folded
_SHOWN = 100

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DOTTED = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABELS = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
_PLAIN = re.compile(
    rf"(?=.{{3,{_MAX_ADDRESS}}}\Z)(?=.{{1,{_MAX_LOCAL}}}@)(?![^@]*=\?)({_DOTTED})@({_LABELS})"
)  # fast path for nearly all addresses
_DOT_ATOM = re.compile(_DOTTED)
_DROPPED = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2064\u206a-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)  # invisible, and dropped by IDNA (UTS 46): the domain sent to would differ from the one displayed
_QUOTED_LOCAL = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*"')
_DOMAIN = re.compile(_LABELS)
_ATOMS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64})*"
)
_PRINTABLE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_QUOTED_WORD = re.compile(r'(?<!\S)"((?:[^"\\]|\\.)*)"(?!\S)')
_PUNCTUATION = re.compile(r'\\.|[",;<>()\r\n]', re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
"""Pattern of a quoted pair (RFC 5322 §3.2.1)."""
_SEPARATORS = frozenset(",;\r\n")
_AT = re.compile("[@\ufe6b\uff20]")
_END_OF_WORD = frozenset(' \t\r\n\v\f<>()[]",;:@\ufe6b\uff20')
"""Characters that end an atom of an address within a list."""
_MISPLACED_DOTS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_TWO = (
    "holds two addresses without a comma between them: separate them, or put a name that "
    "contains an address in quotes"
)
_CLOSERS = {'"': '"', "<": ">", "(": ")"}
_OPENERS_INSIDE = {"": '"<(', '"': "", ">": '"', ")": "("}


class AddressError(ValueError):
    """Error of a text that is not a mailbox to which Amazon SES can deliver.

    ``reason`` is a predicate (``is not an email address``); ``given`` is the text; ``index`` is its
    place in the list, or None for a single string.
    """

    def __init__(self, reason: str, given: str, index: int | None = None) -> None:
        super().__init__(reason, given, index)
        self.reason = reason
        self.given = given
        self.index = index

    def __str__(self) -> str:
        given = self.given if len(self.given) <= _SHOWN else self.given[:_SHOWN] + "…"
        return f"{given!r} {self.reason}"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Mailbox: a display name (may be empty) and an address.

    ``domain`` is lower-cased and IDNA-encoded (UTS 46, non-transitional), ``local`` is as given
    without needless quotes, ``given`` is the original text. An undeliverable address raises
    `AddressError`.
    """

    name: str
    local: str
    domain: str
    given: str = field(default="", compare=False)
    address: str = field(init=False, compare=False, repr=False)
    """Bare address in ASCII, for the envelope."""

    def __post_init__(self) -> None:
        address = f"{self.local}@{self.domain}"
        given = self.given or address
        if self.name or not _PLAIN.fullmatch(address):
            _check_local(self.local, given)
            domain = _ascii_domain(self.domain, given)
            if len(self.local) + 1 + len(domain) > _MAX_ADDRESS:
                raise AddressError(
                    f"is an address of more than {_MAX_ADDRESS} characters (RFC 5321)", given
                )
            _check_printable(self.name, given)
            object.__setattr__(self, "domain", domain)
            object.__setattr__(self, "local", _without_quotes(self.local))
            address = f"{self.local}@{self.domain}"
        if not self.given:
            object.__setattr__(self, "given", given)
        object.__setattr__(self, "address", address)

    @property
    def words(self) -> tuple[str, ...]:
        """Pieces of `header` between which a header line may be folded."""
        return (*_phrase(self.name), f"<{self.address}>") if self.name else (self.address,)

    @property
    def header(self) -> str:
        """Mailbox in RFC 5322 form, in ASCII: ``"Doe, Jane" <j@x.io>``."""
        return " ".join(self.words) if self.name else self.address


def parse_mailbox(text: str) -> Mailbox:
    """Parse exactly one mailbox; everything before the last ``<`` is the display name, quoted or
    not, including commas.

    ``ada@x.io (Ada)`` yields the name Ada too. Another address in an unquoted name is refused,
    since its owner would get nothing. Raises `AddressError`.
    """
    given = text.strip()
    plain = _PLAIN.fullmatch(given)
    if plain:
        return Mailbox("", plain[1], plain[2], given)
    if len(given) > _MAX_GIVEN:
        raise AddressError(f"is longer than {_MAX_GIVEN} characters", given)
    _check_printable(given, given)
    name, address, unquoted = _name_and_address(given)
    local, at, domain = address.rpartition("@")
    if _names_another(unquoted, address) or (
        not _QUOTED_LOCAL.fullmatch(local) and _names_another(local, "")
    ):
        raise AddressError(_TWO, given)
    if not at:
        raise AddressError("is not an email address", given)
    return Mailbox(name, local, domain, given)


def parse_mailboxes(value: str | Iterable[str]) -> tuple[Mailbox, ...]:
    """Parse any number of mailboxes; empty parts are dropped.

    A single string is split at ``,``, ``;`` and line breaks outside quotes, angle brackets and
    comments. An element of a list may hold several mailboxes too, but there a comma in an unquoted
    name does not separate (``Ada, Countess <ada@x.io>``). Raises `AddressError` for the first
    invalid mailbox.
    """
    if isinstance(value, str):
        return tuple(parse_mailbox(part) for part, _ in _split(value) if part)
    found: list[Mailbox] = []
    for index, item in enumerate(value):
        try:
            found.extend(
                _parse_item(item) if not _SEPARATORS.isdisjoint(item) else _parse_one(item)
            )
        except AddressError as error:
            raise AddressError(error.reason, error.given, index) from None
    return tuple(found)


def unique_recipients(
    to: Iterable[Mailbox], cc: Iterable[Mailbox], bcc: Iterable[Mailbox]
) -> tuple[tuple[Mailbox, ...], tuple[Mailbox, ...], tuple[Mailbox, ...]]:
    """Return the three lists with each address only at its first occurrence; domains are compared
    case-insensitively.
    """
    seen: set[str] = set()

    def first(mailboxes: Iterable[Mailbox]) -> Iterator[Mailbox]:
        for mailbox in mailboxes:
            address = mailbox.address
            if address not in seen:
                seen.add(address)
                yield mailbox

    return tuple(first(to)), tuple(first(cc)), tuple(first(bcc))


def _parse_one(item: str) -> tuple[Mailbox, ...]:
    return () if not item or item.isspace() else (parse_mailbox(item),)


def _parse_item(item: str) -> Iterator[Mailbox]:
    try:
        parts = _split(item)
    except AddressError:
        # A lone quote or bracket, as in `Smile :( <a@x.io>`, is harmless in an element with a
        # single mailbox.
        parts = [(item, "")]
    pending = ""
    for part, separator in parts:
        if not part:
            continue
        # Only a part without "@" can start a name: any other part may be a recipient that must not
        # get lost.
        if separator == "," and "@" not in part:
            pending += f"{part}, "
        else:
            yield parse_mailbox(pending + part)
            pending = ""
    if pending:
        raise AddressError("is not an email address", pending.rstrip(", "))


def _split(text: str) -> list[tuple[str, str]]:
    """Return the trimmed parts of a list, each with the separator that follows it."""
    parts = []
    start = 0
    closers = [""]
    for match in _PUNCTUATION.finditer(text):
        mark = match[0]
        if mark == closers[-1]:
            closers.pop()
        elif mark in _OPENERS_INSIDE[closers[-1]]:
            closers.append(_CLOSERS[mark])
        elif mark in _SEPARATORS and len(closers) == 1:
            parts.append((text[start : match.start()].strip(), mark))
            start = match.end()
    if len(closers) > 1:
        raise AddressError(
            f"contains an opening quote or bracket without its {closers[-1]!r}", text.strip()
        )
    return [*parts, (text[start:].strip(), "")]


def _name_and_address(text: str) -> tuple[str, str, str]:
    """Return the display name, the address, and any unquoted text outside the address."""
    text, comment = _without_comment(text)
    name, bracket, address = text[:-1].rpartition("<") if text.endswith(">") else ("", "", text)
    if not bracket:
        return comment, text, comment
    name = name.strip()
    unquoted = f"{_QUOTED_WORD.sub(' ', name)} {comment}"
    return _QUOTED_WORD.sub(_unquote, name).strip() or comment, address.strip(), unquoted


def _names_another(text: str, address: str) -> bool:
    found = [one.strip("'.`\u2018\u2019") for one in _addresses_inside(text)]
    return bool(found) and not {_comparable(one) for one in found} <= {_comparable(address)}


def _addresses_inside(text: str) -> Iterator[str]:
    """Yield parts that look like an address: words on both sides of an at sign, which blanks may
    surround if the domain has a dot.
    """
    for match in _AT.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        local, domain = _last_word(before.rstrip()), _first_word(after.lstrip())
        close = bool(_last_word(before)) and bool(_first_word(after))
        if local and domain and (close or "." in domain.strip(".")):
            yield f"{local}@{domain}"


def _last_word(text: str) -> str:
    place = next(
        (
            place
            for place in range(len(text), 0, -1)
            if text[place - 1] in _END_OF_WORD or text[place - 1].isspace()
        ),
        0,
    )
    return text[place:]


def _first_word(text: str) -> str:
    return text[
        : next(
            (place for place, one in enumerate(text) if one in _END_OF_WORD or one.isspace()),
            len(text),
        )
    ]


def _comparable(address: str) -> str:
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{_ascii_domain(domain, address)}".casefold()
    except AddressError:
        return address.casefold()


def _without_comment(text: str) -> tuple[str, str]:
    """Split a comment off the end; return the text and the comment, which was the name before RFC
    822 had display names.
    """
    escaped = {pair.end() - 1 for pair in _PAIR.finditer(text)} if text.endswith(")") else set()
    depth, last = 0, len(text) - 1
    for index in range(last if text.endswith(")") and last not in escaped else -1, 0, -1):
        if index not in escaped:
            depth += (text[index] == ")") - (text[index] == "(")
        if not depth:
            return text[:index].rstrip(), _PAIR.sub(r"\1", text[index + 1 : -1]).strip()
    return text, ""


def _unquote(match: re.Match[str]) -> str:
    return _PAIR.sub(r"\1", match[1])


def _check_printable(text: str, given: str) -> None:
    unprintable = _UNPRINTABLE.search(text)
    if unprintable:
        raise AddressError(
            f"contains U+{ord(unprintable[0]):04X}, which is not allowed in an address", given
        )


def _check_local(local: str, given: str) -> None:
    if len(local) > _MAX_LOCAL:
        raise AddressError(
            f"has more than {_MAX_LOCAL} characters before the '@' (RFC 5321)", given
        )
    if "?=" in local.partition("=?")[2]:
        raise AddressError(
            "has an encoded word (RFC 2047) before the '@', which a mail server could read as "
            "another address",
            given,
        )
    if _DOT_ATOM.fullmatch(local) or _QUOTED_LOCAL.fullmatch(local):
        return
    if _MISPLACED_DOTS.fullmatch(local):
        raise AddressError(
            f"has a dot at an end of its local part, or two in a row: write '\"{local}\"' before "
            "the '@'",
            given,
        )
    foreign = next((character for character in local if not character.isascii()), None)
    if foreign is None or re.search(r'[\s<>@,;:()"]', local):
        raise AddressError("is not an email address", given)
    shown = repr(foreign)  # escape it: a lone surrogate must not reach a terminal
    reason = (
        f"has {shown} before the '@': Amazon SES delivers only to ASCII local parts (no SMTPUTF8)"
    )
    raise AddressError(reason, given)


def _without_quotes(local: str) -> str:
    """Remove quotes that a local part does not need; the mailbox is the same (RFC 5321 §4.1.2)."""
    inner = re.sub(r"\\(.)", r"\1", local[1:-1]) if local[0] == '"' else ""
    return inner if _DOT_ATOM.fullmatch(inner) and "=?" not in inner else local


def _ascii_domain(domain: str, given: str) -> str:
    if not domain:
        raise AddressError("is not an email address", given)
    # Longer domains cannot fit once encoded, and idna's running time grows faster than linearly.
    if len(domain) > _MAX_DOMAIN:
        raise AddressError(
            f"has a domain that is not valid: more than {_MAX_DOMAIN} characters", given
        )
    encoded = domain.lower() if domain.isascii() else _idna(domain, given)
    if _DOMAIN.fullmatch(encoded):
        return encoded
    raise AddressError(f"has a domain that is not valid: {_domain_fault(encoded)}", given)


def _domain_fault(domain: str) -> str:
    labels = domain.split(".")
    if "" in labels:
        return "it has an empty label"
    if any(len(label) > _MAX_LABEL for label in labels):
        return "a label has more than 63 characters"
    return "labels are letters, digits and inner hyphens"


def _idna(domain: str, given: str) -> str:
    dropped = _DROPPED.search(domain)
    if dropped:
        raise AddressError(
            f"contains the invisible character U+{ord(dropped[0]):04X} in its domain", given
        )
    import idna  # its tables cost 15 ms, and most mail never needs them

    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError) as error:
        fault = (
            str(error)
            if domain.isprintable()
            else "it contains a character that is not allowed in a domain"
        )
        raise AddressError(f"has a domain that is not valid: {fault}", given) from None


def _phrase(name: str) -> tuple[str, ...]:
    """Return a display name as the words of an RFC 5322 phrase."""
    looks_encoded = "=?" in name
    if (_ATOMS.fullmatch(name) and not looks_encoded) or is_encoded(name):
        return tuple(name.split(" "))
    # Leading, trailing or repeated blanks may be lost when a quoted string is unfolded; encoded
    # words keep them.
    if (
        _PRINTABLE.fullmatch(name)
        and not looks_encoded
        and "  " not in name
        and len(name) <= _MAX_QUOTED
    ):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return (f'"{escaped}"',)
    return encode_words(name)
