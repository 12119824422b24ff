"""Names and addresses of the network: host names, IP addresses, URIs."""

from __future__ import annotations

import re

__all__ = ["is_hostname", "is_idn_hostname", "is_ipv4", "is_ipv6", "is_uri", "is_uri_reference"]

MAX_HOSTNAME = 253
"""The most characters of a host name (RFC 1035 §3.1: 255 bytes on the wire)."""
MAX_LABEL = 63
"""The most bytes between two dots (RFC 1035 §2.3.4)."""

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"(?=.{{1,{MAX_HOSTNAME}}}\Z){_LABEL}(?:\.{_LABEL})*")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_IPV6 = re.compile("[0-9A-Fa-f:.]{2,45}")
_UNICODE_DOTS = re.compile("[\u3002\uff0e\uff61]")

_COMMON = r"A-Za-z0-9._~!$&'()*+,;=\-"
_PERCENT = "%[0-9A-Fa-f]{2}"
_URI = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?"
    rf"(?://(?:(?:[{_COMMON}:]++|{_PERCENT})*+@)?(?:\[(?P<literal>[^\]]*)\]|(?:[{_COMMON}]++|{_PERCENT})*+)(?::[0-9]*)?(?=[/?#]|\Z)|(?!//))"
    rf"(?P<path>(?:[{_COMMON}:@/]++|{_PERCENT})*+)"
    rf"(?:\?(?:[{_COMMON}:@/?]++|{_PERCENT})*+)?"
    rf"(?:\#(?:[{_COMMON}:@/?]++|{_PERCENT})*+)?"
)
"""Possessive throughout: no text makes it go back and forth."""


def is_hostname(text: str) -> bool:
    """``mail.example.com`` (RFC 1123 §2.1): letters, digits and inner hyphens; no underscore, no dot at the end."""
    return _HOSTNAME.fullmatch(text) is not None


def is_idn_hostname(text: str) -> bool:
    """A host name with letters of any script, judged coarsely: each label must fit once it is encoded (RFC 5890)."""
    labels = _UNICODE_DOTS.sub(".", text).split(".")
    return len(text) <= MAX_HOSTNAME and all(map(_is_idn_label, labels))


def _is_idn_label(label: str) -> bool:
    if label.isascii():
        return is_hostname(label)
    if not label.isprintable() or " " in label or label[0] == "-" or label[-1] == "-":
        return False
    ascii_part = "".join(letter for letter in label if letter.isascii())
    return (not ascii_part or re.fullmatch("[A-Za-z0-9-]+", ascii_part) is not None) and len(label.encode("punycode")) + 4 <= MAX_LABEL


def is_ipv4(text: str) -> bool:
    """``192.0.2.1``, no leading zeros (RFC 2673 §3.2)."""
    return _IPV4.fullmatch(text) is not None


def is_ipv6(text: str) -> bool:
    """``2001:db8::1`` (RFC 4291 §2.2), no zone."""
    if not _IPV6.fullmatch(text):
        return False
    import ipaddress  # noqa: PLC0415 (few schemas have one)

    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def is_uri(text: str) -> bool:
    """A URI with its scheme (RFC 3986 §3)."""
    match = _URI.fullmatch(text)
    return match is not None and match["scheme"] is not None and _literal_is_right(match)


def is_uri_reference(text: str) -> bool:
    """A URI, or a reference relative to one (RFC 3986 §4.1)."""
    match = _URI.fullmatch(text)
    if match is None or not _literal_is_right(match):
        return False
    relative = match["scheme"] is None and not text.startswith("//")
    return not relative or ":" not in match["path"].partition("/")[0]


def _literal_is_right(match: re.Match[str]) -> bool:
    literal = match["literal"]
    return literal is None or is_ipv6(literal) or re.fullmatch(rf"[vV][0-9A-Fa-f]+\.[{_COMMON}:]+", literal) is not None
