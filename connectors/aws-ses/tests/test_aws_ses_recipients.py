"""Recipients as three parsers read them: ours, Python's and npm's mailparser. None reads one that
we lose; what is unclear is refused.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield_aws_ses.address_fields import read_address_field
from jackfield_aws_ses.addresses import AddressError, Mailbox, parse_mailboxes

ROOT = Path(__file__).resolve().parents[3]
NODE, READER = (
    ROOT / ".venv" / "node" / "node_modules",
    ROOT / "tests" / "clients" / "read-recipients.mjs",
)
PROPERTY = settings(deadline=None, database=None)

ADDRESSES = st.sampled_from(
    ["ada@x.io", "Bob.B+t@y.example", "c'd@z-1.example", "eve@sub.x.io", "f_g@x.io", "h@w.example"]
)
WORDS = st.sampled_from(
    [
        "Ada",
        "Byron",
        "O'Neil",
        "=?utf-8?q?J=C3=B6rg?=",
        "=?utf-8?b?YUBiLmlvLCBj?=",
        '"Doe, J. (x); <y>: a@b.io"',
        r'"a \" b"',
    ]
)
PHRASES = st.lists(WORDS, max_size=3).map(" ".join)
FOLDS = st.sampled_from([" ", "\r\n ", "\r\n\t", "  "])
COMMENTS = st.sampled_from(["", "", " (one)", r" (a \) (b, c@d.io) ;)", "(<e@f.io>)"])
ROUTES = st.sampled_from(["", "", "@r.example:", "@r.example,@s.example:"])


@st.composite
def mailboxes(draw: st.DrawFn, *, plain: bool) -> tuple[str, list[str]]:
    """A mailbox by RFC 5322, and its address. A plain one has no comment and no route."""
    address = draw(ADDRESSES)
    phrase = draw(PHRASES)
    comment = "" if plain else draw(COMMENTS)
    route = "" if plain else draw(ROUTES)
    bracketed = phrase or draw(st.booleans())
    return (
        f"{phrase}{draw(FOLDS)}<{route}{address}>{comment}" if bracketed else f"{address}{comment}",
        [address],
    )


@st.composite
def fields(draw: st.DrawFn, *, plain: bool) -> tuple[str, list[str]]:
    """The value of a To field, and its addresses: mailboxes, groups and empty elements."""
    parts, addresses = [], []
    for members in draw(
        st.lists(
            st.lists(mailboxes(plain=plain), max_size=3) | mailboxes(plain=plain),
            min_size=1,
            max_size=4,
        )
    ):
        group = isinstance(members, list)
        found = members if isinstance(members, list) else [members]
        listed = f",{draw(FOLDS)}".join(text for text, _ in found)
        parts.append(
            f"Team{draw(st.sampled_from(['', ' of ours']))}: {listed};" if group else listed
        )
        addresses += [address for _, one in found for address in one]
        parts += [""] * draw(st.integers(0, 0 if plain else 1))
    return f",{draw(FOLDS)}".join(parts), addresses


TOKENS = st.sampled_from(
    [
        *'"(),:;<>|\\ ',
        " ",
        ", ",
        ",",
        "; ",
        "\r\n ",
        "Ada",
        "ada@x.io",
        "bob@y.example",
        "<ada@x.io>",
        "<bob@y.example>",
        "ada@x.io,bob@y.example",
        "@",
        "a@",
        "=?utf-8?q?a=40b.io?=",
    ]
)
SCRAPS = st.lists(TOKENS, min_size=1, max_size=8).map("".join)


def comparable(mailboxes: Iterable[Mailbox]) -> list[str]:
    """Return addresses as the other readers give them."""
    return [f"{mailbox.local}@{mailbox.domain}" for mailbox in mailboxes]


def lower(addresses: Iterable[str]) -> list[str]:
    """Return addresses with their domains in lower case."""
    return [
        f"{local}@{domain.lower()}"
        for local, _, domain in (address.rpartition("@") for address in addresses)
    ]


def in_python(field: str) -> list[str] | None:
    """Return the recipients that Python reads; None if it cannot, or saw a defect."""
    read = message_from_bytes(f"To: {field}\r\n\r\n".encode(), EmailMessage, policy=policy.default)
    try:
        found = read["To"]
        return None if found.defects else lower(one.addr_spec for one in found.addresses)
    except (HeaderParseError, AttributeError, IndexError, ValueError):
        return None


def written(addresses: Iterable[str], text: str) -> list[str]:
    """Return the addresses that stand in a text: of a lone backslash before a quote, Python makes a
    local part that nobody wrote.
    """
    return [address for address in addresses if address in text]


class Node:
    """mailparser, asked one message after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", READER, NODE.parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def read(self, field: str) -> list[str]:
        """Return the recipients that mailparser reads."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(base64.b64encode(f"To: {field}\r\n\r\n".encode()) + b"\n")
        self._process.stdin.flush()
        found: list[str] = json.loads(self._process.stdout.readline())["to"]
        return lower(found)

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """mailparser, if it is installed."""
    if shutil.which("node") is None or not (NODE / "mailparser").exists():
        pytest.skip(
            "mailparser is not installed in .venv/node ('make clients' does it, where there is npm)"
        )
    process = Node()
    yield process
    process.close()


@PROPERTY
@given(fields(plain=False))
def test_a_field_by_the_standard_yields_its_addresses(field: tuple[str, list[str]]) -> None:
    """Groups, folding, comments, routes, quoted strings, encoded words and empty elements (RFC
    5322): as written, in their order.
    """
    text, addresses = field
    assert comparable(read_address_field(text)) == lower(addresses)


@PROPERTY
@given(fields(plain=True))
def test_three_parsers_read_the_same(node: Node, field: tuple[str, list[str]]) -> None:
    """What all mail programs understand is read alike by all."""
    text, addresses = field
    assert comparable(read_address_field(text)) == in_python(text) == lower(addresses)
    assert set(node.read(text)) == set(lower(addresses))


@PROPERTY
@given(SCRAPS)
def test_no_recipient_of_a_field_is_lost(node: Node, text: str) -> None:
    """Of any text in a message's field, each address that another parser reads is one of ours, or
    the field is refused.
    """
    try:
        ours = comparable(read_address_field(text))
    except AddressError:
        return
    assert set(written(in_python(text) or (), text)) <= set(ours)
    assert set(node.read(text)) <= set(ours)


@PROPERTY
@given(SCRAPS.map(lambda text: text.replace("\r\n", "")))
def test_no_recipient_of_a_list_is_lost(node: Node, text: str) -> None:
    """Of any text in an input, each address that another parser reads is one of ours, or the input
    is refused.
    """
    try:
        ours = comparable(parse_mailboxes(text))
    except AddressError:
        return
    assert set(written(in_python(text) or (), text)) <= set(ours)
    assert set(node.read(text)) <= set(ours)
